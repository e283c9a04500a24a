"""Checks a merchant's proof: its own leaves, each with the path to a signed root."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from .chain import read_head
from .events import Events
from .files import PROOF_MAX_BYTES, read_plain
from .findings import Discrepancy, NotWrittenSoError, Verified
from .hashing import NOT_SIGNED, is_signed, leaf_hash, load_public_key, read_json
from .keys import MERCHANT, read_key
from .leaves import CheckedLeaves, check_leaves
from .sums import StageNets, Tallies, add_all, balances_of
from .totals import merchant_leaf


def check_proof(
    proof: Path, public_key: bytes, *, log: Path | None = None, anchor: str | None = None
) -> Verified:
    """Checks that the proof has every sealed object of the merchant, and adds them up.

    `log`: a folder with the merchant's own objects, whose bytes are then checked too. Raises
    NotWrittenSoError.
    """
    key = load_public_key(public_key)
    if log is not None and not log.is_dir():
        raise NotWrittenSoError(f"{log} is not a folder")
    try:
        document = json.loads(read_plain(proof, PROOF_MAX_BYTES))
        merchant, heads = document["merchant_id"], document["heads"]
        parts = document["manifests"]
    except OSError as error:
        raise NotWrittenSoError(f"{proof}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotWrittenSoError(f"{proof} is not a proof") from error
    if (
        not isinstance(merchant, str)
        or not MERCHANT.match(merchant)
        or not isinstance(heads, list)
        or not isinstance(parts, list)
    ):
        raise NotWrittenSoError(f"{proof} is not a proof")
    return _ProofCheck(key, merchant, log).run(heads, parts, anchor)


class _ProofCheck:
    def __init__(self, key: ec.EllipticCurvePublicKey, merchant: str, log: Path | None) -> None:
        self._key = key
        self._merchant = merchant
        self._log = None if log is None else str(log)
        self._done = Verified()
        self._checked = CheckedLeaves(b"")
        self._standings = StageNets()
        self._proved: set[str] = set()
        self._events = Events()
        self._heads: list[bytes] = []
        self._claim: dict[str, Any] | None = None
        """The contents of the merchant's own leaf in the last manifest."""
        self._sequence = 0

    def run(self, heads: Sequence[Any], parts: Sequence[Any], anchor: str | None) -> Verified:
        self._read_heads(heads)
        for number, part in enumerate(parts, start=1):
            try:
                self._read(part, is_last=number == len(parts))
            except (NotWrittenSoError, KeyError, TypeError, AttributeError, ValueError) as error:
                self._say(f"part {number} of the proof", f"unreadable: {error}")
        self._compare_with_claim()
        done, checked = self._done, self._checked
        if self._heads:
            done.head = sha256(self._heads[-1]).hexdigest()
        if self._sequence != len(self._heads):
            self._say(
                "the proof", "its last part does not belong to the last manifest that it names"
            )
        if anchor is not None and anchor != done.head:
            self._say("the proof", "it does not end with the manifest that the anchor names")
        # None: other parts of an event belong to other merchants, so the proof lacks them.
        done.problems += self._events.problems(None)
        done.problems += checked.problems
        done.problems += [Discrepancy(key, "missing") for key, _ in checked.missing]
        done.problems += [
            Discrepancy(key, "its bytes are not those that were sealed")
            for key, _ in checked.strays
        ]
        done.problems.sort()
        done.objects = len(self._proved)
        done.lines = sum(lines for _, _, lines in self._sums.values())
        done.balances = list(balances_of(checked.sums, self._standings))
        return done

    @property
    def _sums(self) -> Tallies:
        return self._checked.sums.get(self._merchant, {})

    def _read_heads(self, heads: Sequence[Any]) -> None:
        """Checks that the heads of all manifests form one chain from the first, so that the last
        head, or an anchor, vouches for each.

        Without this check, a holder of the key could re-sign an older manifest with other objects
        and the same sums.
        """
        before: dict[str, Any] | None = None
        for number, text in enumerate(heads, start=1):
            try:
                line = text.encode("ascii")
                head = read_head(line)
            except (NotWrittenSoError, AttributeError, ValueError) as error:
                self._say(f"head {number} of the proof", f"unreadable: {error}")
                return
            previous = sha256(self._heads[-1]).hexdigest() if self._heads else None
            if head["sequence"] != number or head["previous"] != previous:
                self._say(
                    f"head {number} of the proof",
                    "its `previous` is not the hash of the head before it",
                )
            if before is not None and head["log"] != before["log"]:
                self._say(
                    f"head {number} of the proof", "it names another log than the head before it"
                )
            if before is not None and head["sealed_until"] < before["sealed_until"]:
                self._say(
                    f"head {number} of the proof",
                    "its sealed_until is earlier than that of the head before it",
                )
            self._heads.append(line)
            self._done.sealed_until = head["sealed_until"]
            before = head

    def _read(self, part: Mapping[str, Any], *, is_last: bool) -> None:
        """Checks a signed head, and that the merchant's leaves are in its tree."""
        head_line = part["head"].encode("ascii")
        head = read_head(head_line)
        sequence = head["sequence"]
        place = f"manifest {sequence}"
        if not is_signed(head_line, part["signature"].encode("ascii"), self._key):
            self._say(place, NOT_SIGNED)
        if not self._sequence < sequence <= len(self._heads):
            raise NotWrittenSoError("the manifests are not in order")
        if self._heads[sequence - 1] != head_line:
            self._say(place, "its head is not the one that the next manifest names")
        self._sequence = sequence
        self._done.manifests += 1
        if not part["leaves"]:
            self._say(place, "the part has no leaves")
        for each in part["leaves"]:
            leaf = each["leaf"].encode("ascii")
            if root_by(leaf, each["path"]).hex() != head["root"]:
                self._say(place, "a leaf is not in the tree whose root was signed")
            else:
                self._take(leaf, place, is_last=is_last)

    def _take(self, leaf: bytes, place: str, *, is_last: bool) -> None:
        """Checks a leaf: that of an object of the merchant, or, in the last part only, the one with
        the merchant's totals.
        """
        document = read_json(leaf)
        if document.get("leaf") == "merchant":
            if not is_last or self._claim is not None:
                raise NotWrittenSoError("the merchant's own leaf must occur once, in the last part")
            self._claim = document
            return
        one = check_leaves(self._log, place, 0, [leaf])
        self._checked.problems += one.problems
        self._checked.missing += one.missing
        self._checked.strays += one.strays
        for _, key, _, event in one.noted:
            self._note(key, event)
            for name, sums in one.sums.items():
                add_all(self._checked.sums.setdefault(name, {}), sums)
        for name, stood in one.stood.items():
            self._standings.add(name, stood)

    def _note(self, key: str, event: str) -> None:
        named = read_key(key)
        if named is None or named["merchant"] != self._merchant or key in self._proved:
            raise NotWrittenSoError(f"{key[:200]}: belongs to another merchant, or is proved twice")
        self._proved.add(key)
        self._events.note(event, key, "")

    def _compare_with_claim(self) -> None:
        """Checks the objects against the merchant's own leaf, so that none can be hidden."""
        expected = merchant_leaf(self._merchant, len(self._proved), self._sums)
        if self._claim is None:
            self._say(self._merchant, "the proof lacks the merchant's own leaf")
        elif {**self._claim, "blind": None} != expected | {"blind": None}:
            self._say(self._merchant, "the objects do not add up to the merchant's sealed totals")

    def _say(self, place: str, what: str) -> None:
        self._done.problems.append(Discrepancy(place, what))


def root_by(leaf: bytes, path: Iterable[Sequence[str]]) -> bytes:
    """The root that follows from a leaf and its path (RFC 9162, 2.1.3.2); each step of the path has
    the side and the hash of a sibling.
    """
    value = leaf_hash(leaf)
    for side, text in path:
        neighbour = bytes.fromhex(text)
        if side not in {"left", "right"} or len(neighbour) != len(value):
            raise NotWrittenSoError("a path does not have the required form")
        pair = neighbour + value if side == "left" else value + neighbour
        value = sha256(b"\x01" + pair).digest()
    return value
