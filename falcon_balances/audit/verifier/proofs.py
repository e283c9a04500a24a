"""Checks a merchant's proof: its own leaf with the path to a signed root, and its objects."""

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
from .totals import NO_CHAIN, chained, merchant_leaf


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
        merchant, leaves = document["merchant_id"], document["objects"]
    except OSError as error:
        raise NotWrittenSoError(f"{proof}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotWrittenSoError(f"{proof} is not a proof") from error
    if (
        not isinstance(merchant, str)
        or not MERCHANT.match(merchant)
        or not isinstance(leaves, list)
    ):
        raise NotWrittenSoError(f"{proof} is not a proof")
    return _ProofCheck(key, merchant, log).run(document, leaves, anchor)


class _ProofCheck:
    def __init__(self, key: ec.EllipticCurvePublicKey, merchant: str, log: Path | None) -> None:
        self._key = key
        self._merchant = merchant
        self._log = None if log is None else str(log)
        self._done = Verified()
        self._checked = CheckedLeaves(b"")
        self._standings = StageNets()
        self._proved: set[str] = set()
        self._chain = NO_CHAIN
        self._events = Events()

    def run(self, said: Mapping[str, Any], leaves: Sequence[Any], anchor: str | None) -> Verified:
        claim = None
        try:
            claim = self._read_claim(said)
        except (NotWrittenSoError, KeyError, TypeError, AttributeError, ValueError) as error:
            self._say("the proof", f"unreadable: {error}")
        for number, leaf in enumerate(leaves, start=1):
            try:
                self._take(leaf.encode("ascii"), f"object {number} of the proof")
            except (NotWrittenSoError, AttributeError, ValueError) as error:
                self._say(f"object {number} of the proof", f"unreadable: {error}")
        self._compare_with(claim)
        done, checked = self._done, self._checked
        if anchor is not None and anchor != done.head:
            self._say("the proof", "it is not of the manifest that the anchor names")
        # None: other parts of an event belong to other merchants, so the proof lacks them.
        done.problems += self._events.problems(None)
        done.problems += checked.problems
        done.problems += [Discrepancy(key, "missing") for key, _ in checked.missing]
        done.problems += [
            Discrepancy(key, "its bytes are not those that were sealed")
            for key, _ in checked.strays
        ]
        done.problems.finish()
        done.objects = len(self._proved)
        done.lines = sum(lines for _, _, lines in self._sums.values())
        done.balances = list(balances_of(checked.sums, self._standings))
        return done

    @property
    def _sums(self) -> Tallies:
        return self._checked.sums.get(self._merchant, {})

    def _read_claim(self, said: Mapping[str, Any]) -> dict[str, Any] | None:
        """The merchant's own leaf; None if it is not in the tree whose root is in the tree of a
        signed manifest.
        """
        head_line = said["head"].encode("ascii")
        head = read_head(head_line)
        self._done.head = sha256(head_line).hexdigest()
        self._done.sealed_until = head["sealed_until"]
        self._done.manifests = head["sequence"]
        if not is_signed(head_line, said["signature"].encode("ascii"), self._key):
            self._say("the proof", NOT_SIGNED)
        root_leaf, root = _proved(said["merchants"])
        if root != head["root"]:
            self._say("the proof", "the leaf of all merchants is not in the manifest's tree")
        leaf, root = _proved(said["merchant"])
        of_all = read_json(root_leaf)
        if of_all.get("leaf") != "merchants" or of_all.get("root") != root:
            self._say("the proof", "the merchant's own leaf is not in the tree of all merchants")
            return None
        return read_json(leaf)

    def _take(self, leaf: bytes, place: str) -> None:
        """Checks the leaf of an object of the merchant."""
        one = check_leaves(self._log, place, 0, [leaf])
        self._checked.problems += one.problems
        self._checked.missing += one.missing
        self._checked.strays += one.strays
        for _, key, _, event in one.noted:
            self._note(key, event)
            for name, sums in one.sums.items():
                add_all(self._checked.sums.setdefault(name, {}), sums)
        for hashes in one.merchants.values():
            self._chain = chained(self._chain, hashes)
        for name, stood in one.stood.items():
            self._standings.add(name, stood)

    def _note(self, key: str, event: str) -> None:
        named = read_key(key)
        if named is None or named["merchant"] != self._merchant or key in self._proved:
            raise NotWrittenSoError(f"{key[:200]}: belongs to another merchant, or is proved twice")
        self._proved.add(key)
        self._events.note(event, key, "")

    def _compare_with(self, claim: Mapping[str, Any] | None) -> None:
        """Compares the objects with the merchant's own leaf: it binds each of them, in order, so
        none can be hidden or exchanged.
        """
        if claim is None:
            self._say(self._merchant, "the proof lacks the merchant's own leaf")
            return
        expected = merchant_leaf(self._merchant, len(self._proved), self._chain, self._sums)
        if {**claim, "blind": None} != expected | {"blind": None}:
            self._say(
                self._merchant, "the objects are not those that the merchant's own leaf binds"
            )

    def _say(self, place: str, what: str) -> None:
        self._done.problems.append(Discrepancy(place, what))


def _proved(proved: Mapping[str, Any]) -> tuple[bytes, str]:
    """A leaf, and the root to which its path leads."""
    leaf = proved["leaf"].encode("ascii")
    return leaf, root_by(leaf, proved["path"]).hex()


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
