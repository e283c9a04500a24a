"""What one merchant was given: its own leaves, each with the path to a signed root."""

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from .chain import read_head
from .findings import NotWrittenSoError, Problem, Verified
from .hashing import is_signed, leaf_hash, load_public_key, read_json
from .objects import Checked, check_leaves, merchant_of
from .sums import Sums, add_all, balances_of
from .verification import merchant_leaf


def check_proof(
    proof: Path, public_key: bytes, *, log: Path | None = None, anchor: str | None = None
) -> Verified:
    """Whether what a merchant was given is all that was sealed of it, and adds up to its balances.

    With `log`, a folder of its own objects, their bytes too. Raises NotWrittenSoError.
    """
    try:
        document = json.loads(proof.read_bytes())
        merchant, parts = str(document["merchant_id"]), list(document["manifests"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotWrittenSoError(f"{proof} is no proof") from error
    return _ProofCheck(load_public_key(public_key), merchant, log).run(parts, anchor)


class _ProofCheck:
    def __init__(self, key: ec.EllipticCurvePublicKey, merchant: str, log: Path | None) -> None:
        self._key = key
        self._merchant = merchant
        self._log = None if log is None else str(log)
        self._done = Verified()
        self._checked = Checked()
        self._proved: set[str] = set()
        self._claim: dict[str, Any] | None = None
        """What the merchant's own leaf in the last manifest says of it."""
        self._sequence = 0

    def run(self, parts: Iterable[Any], anchor: str | None) -> Verified:
        for number, part in enumerate(parts, start=1):
            try:
                self._read(part)
            except (NotWrittenSoError, KeyError, TypeError, AttributeError, ValueError) as error:
                self._say(f"part {number} of the proof", f"unreadable: {error}")
        self._compare_with_claim()
        done, checked = self._done, self._checked
        if anchor is not None and anchor != done.head:
            self._say("the proof", "it does not end with the manifest that the anchor names")
        done.problems += checked.problems
        done.problems += [Problem(key, "missing") for key, _ in checked.missing]
        done.problems += [
            Problem(key, "its bytes are not those that were sealed") for key, _ in checked.strays
        ]
        done.problems.sort()
        done.objects = len(self._proved)
        done.lines = sum(total.lines for total in self._sums.values())
        done.balances = list(balances_of(checked.sums))
        return done

    @property
    def _sums(self) -> Sums:
        return self._checked.sums.get(self._merchant, {})

    def _read(self, part: Mapping[str, Any]) -> None:
        """A signed head, and the merchant's leaves in its tree."""
        head_line = part["head"].encode("ascii")
        head = read_head(head_line)
        place = f"manifest {head['sequence']}"
        if not is_signed(head_line, part["signature"].encode("ascii"), self._key):
            self._say(place, "its signature is not of this key")
        if head["sequence"] <= self._sequence:
            self._say(place, "the manifests are not in order")
        self._sequence = head["sequence"]
        self._done.head = sha256(head_line).hexdigest()
        self._done.sealed_until = head["sealed_until"]
        self._done.manifests += 1
        for each in part["leaves"]:
            leaf = each["leaf"].encode("ascii")
            if root_by(leaf, each["path"]).hex() != head["root"]:
                self._say(place, "a leaf that is not in its tree")
            else:
                self._take(leaf, place)

    def _take(self, leaf: bytes, place: str) -> None:
        document = read_json(leaf)
        if document.get("leaf") == "merchant":
            self._claim = document
            return
        key = str(document.get("key"))
        if merchant_of(key) != self._merchant or key in self._proved:
            raise NotWrittenSoError(f"{key}: of another merchant, or proved twice")
        self._proved.add(key)
        one = check_leaves(self._log, place, 0, [leaf])
        self._checked.problems += one.problems
        self._checked.missing += one.missing
        self._checked.strays += one.strays
        for name, sums in one.sums.items():
            add_all(self._checked.sums.setdefault(name, {}), sums)

    def _compare_with_claim(self) -> None:
        """The merchant's own leaf counts its objects, so that none can be kept from it."""
        expected = merchant_leaf(self._merchant, len(self._proved), self._sums)
        if self._claim is None:
            self._say(self._merchant, "the proof lacks the merchant's own leaf")
        elif {**self._claim, "blind": None} != expected | {"blind": None}:
            self._say(self._merchant, "the objects do not add up to what was sealed of it")

    def _say(self, place: str, what: str) -> None:
        self._done.problems.append(Problem(place, what))


def root_by(leaf: bytes, path: Iterable[Sequence[str]]) -> bytes:
    """RFC 9162, 2.1.3.2, with the side of each neighbour told."""
    value = leaf_hash(leaf)
    for side, text in path:
        neighbour = bytes.fromhex(text)
        if side not in {"left", "right"} or len(neighbour) != len(value):
            raise NotWrittenSoError("a path of another form")
        pair = neighbour + value if side == "left" else value + neighbour
        value = sha256(b"\x01" + pair).digest()
    return value
