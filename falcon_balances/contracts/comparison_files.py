"""The reconciler's own files: what it keeps from run to run, and the cases that a run settled."""

import json
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final, NamedTuple, Self

from falcon_balances.contracts.case_texts import CaseTexts
from falcon_balances.domain.bank_statement_lines import BankStatementAccount
from falcon_balances.domain.cases import CaseKey, Tally
from falcon_balances.domain.comparisons import (
    AccountComparison,
    ComparedBankStatement,
    Comparisons,
    Positions,
    SettledCases,
)
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.domain.operations import Stage

_VERSION: Final = "1"
_FAST: Final = 1
_BLOCK: Final = 128
_KEYS, _OFFSETS = "Q", "L" if array("L").itemsize == 4 else "I"  # noqa: PLR2004 - 64 and 32 bits


def write_comparisons(said: Comparisons) -> bytes:
    """A head, then a line for each open case: its account's place in the head, and its text."""
    head = {
        "number": said.number,
        "day_starts": {str(day): _positions(at) for day, at in sorted(said.day_starts.items())},
        "accounts": [_account(each) for each in said.accounts],
    }
    lines = [json.dumps({_VERSION: head}).encode()]
    for place, each in enumerate(said.accounts):
        lines += [b"%d %b" % (place, text) for text in sorted(set(each.open.values()))]
    return zlib.compress(b"\n".join(lines), _FAST)


def read_comparisons(name: str, body: bytes) -> Comparisons:
    """Raises IntegrityError, which names the file, for bytes of anything else."""
    try:
        head, *lines = zlib.decompress(body).split(b"\n")
        said = json.loads(head)[_VERSION]
        accounts = [_read_account(each) for each in said["accounts"]]
        _read_open(accounts, lines)
        day_starts = {
            date.fromisoformat(day): _read_positions(at) for day, at in said["day_starts"].items()
        }
        return Comparisons(said["number"], day_starts, accounts)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, zlib.error) as error:
        raise IntegrityError(f"{name} was not written by the reconciler") from error


def _read_open(accounts: Sequence[AccountComparison], lines: Iterable[bytes]) -> None:
    texts = [CaseTexts(each.account.stage, each.statements) for each in accounts]
    for line in lines:
        place, _, text = line.partition(b" ")
        account = accounts[int(place)]
        keys = texts[int(place)].read(text).keys
        account.links.link(keys)
        account.open.update(dict.fromkeys(keys, text))


def _account(said: AccountComparison) -> dict[str, Any]:
    return {
        "stage": said.account.stage,
        "psp_id": said.account.psp_id,
        "since": str(said.since),
        "days": said.days,
        "positions": _positions(said.positions),
        "statements": [
            [number, each.key, each.etag, str(each.day), list(each.problems)]
            for number, each in said.statements.items()
        ],
        "tallies": {number: [each.lines, each.sums] for number, each in said.tallies.items()},
        "next_statement": said.next_statement,
        "flawed": said.flawed,
        "settled": [[each.name, each.entries, str(each.day)] for each in said.settled],
    }


def _read_account(said: Mapping[str, Any]) -> AccountComparison:
    return AccountComparison(
        BankStatementAccount(Stage(said["stage"]), said["psp_id"]),
        date.fromisoformat(said["since"]),
        said["days"],
        dict(_read_positions(said["positions"])),
        {
            number: ComparedBankStatement(
                key, etag, date.fromisoformat(day), [(place, why) for place, why in problems]
            )
            for number, key, etag, day, problems in said["statements"]
        },
        {int(number): Tally(lines, sums) for number, (lines, sums) in said["tallies"].items()},
        said["next_statement"],
        said["flawed"],
        [SettledCases(name, n, date.fromisoformat(day)) for name, n, day in said["settled"]],
    )


def _positions(said: Positions) -> dict[str, str]:
    return {shard_id: at.text for shard_id, at in sorted(said.items())}


def _read_positions(said: Mapping[str, str]) -> Positions:
    return {shard_id: JournalPosition.parse(text) for shard_id, text in said.items()}


class SettledIndex(NamedTuple):
    """The beginning of a file of settled cases: sorted keys of 64 bits, then where each block of
    128 of them begins, and the last one ends, in 32 bits. The blocks follow: each has the texts of
    its keys, a line each, compressed. A case's text is under its first key; its other keys have
    only that one, so a case of n keys takes n short lines and one text.
    """

    keys: "array[int]"
    offsets: "array[int]"

    @staticmethod
    def size(entries: int) -> int:
        return 8 * entries + 4 * (-(-entries // _BLOCK) + 1)

    @classmethod
    def read(cls, entries: int, begin: bytes) -> Self:
        keys, offsets = array(_KEYS), array(_OFFSETS)
        keys.frombytes(begin[: 8 * entries])
        offsets.frombytes(begin[8 * entries : cls.size(entries)])
        return cls(keys, offsets)

    def block_of(self, key: CaseKey) -> int:
        return bisect_left(self.keys, key) // _BLOCK

    def range_of(self, block: int) -> tuple[int, int]:
        """Where the block begins in the file, and where it ends."""
        start = self.size(len(self.keys))
        return start + self.offsets[block], start + self.offsets[block + 1]

    def texts(self, block: int, body: bytes) -> dict[CaseKey, bytes | CaseKey]:
        """The text of each key's case, or the key that has it."""
        keys = self.keys[block * _BLOCK : (block + 1) * _BLOCK]
        lines = zlib.decompress(body).split(b"\n")
        return {
            key: int(line) if line.isdigit() else line
            for key, line in zip(keys, lines, strict=True)
        }


def write_settled(texts: Mapping[CaseKey, bytes], day: date) -> tuple[SettledCases, bytes]:
    """The file's name, which is its SHA-256, and its bytes."""
    keys = array(_KEYS, sorted(texts))
    first: dict[bytes, CaseKey] = {}
    lines = [
        texts[key] if (home := first.setdefault(texts[key], key)) == key else b"%d" % home
        for key in keys
    ]
    blocks = [
        zlib.compress(b"\n".join(lines[at : at + _BLOCK]), _FAST)
        for at in range(0, len(keys), _BLOCK)
    ]
    offsets = array(_OFFSETS, [0])
    for block in blocks:
        offsets.append(offsets[-1] + len(block))
    body = b"".join((keys.tobytes(), offsets.tobytes(), *blocks))
    return SettledCases(sha256(body).hexdigest(), len(keys), day), body
