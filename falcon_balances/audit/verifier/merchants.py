"""The tree of all merchants: grown again from the leaves, and compared with the branches."""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from .findings import Discrepancy
from .hashing import canonical, leaf_hash, tree_root

DIGITS = "0123456789abcdef"
NOBODY = bytes(32)


class LineAt(NamedTuple):
    """A line of a manifest: `offset` is counted from the first leaf, `size` is without LF."""

    sequence: int
    offset: int
    size: int


class Leaf(NamedTuple):
    """A leaf that is not of an object; `place` is where problems are reported."""

    place: str
    line: bytes
    at: LineAt
    blind: str
    document: dict[str, Any]
    """Without its blind."""


# The value of a leaf or a branch, and where its line is.
Child = tuple[bytes, LineAt]


def place_of(seed: str, merchant: str) -> str:
    return sha256(bytes.fromhex(seed) + merchant.encode()).hexdigest()


class MerchantTree:
    """All merchants so far, with the latest leaf of each; 16 children per branch."""

    def __init__(self) -> None:
        self._branches: dict[str, dict[str, Child]] = {"": {}}
        self._places: dict[str, str] = {}
        """The merchants' places, by the prefix at which their leaf is."""
        self._changed = {""}
        self.root: str | None = None
        """The value of the root branch of the manifest that was compared last."""

    def put(self, place: str, leaf: Child) -> None:
        """The merchant's new leaf. Where another merchant's leaf is, a branch takes both."""
        prefix = ""
        while True:
            self._changed.add(prefix)
            slot = place[: len(prefix) + 1]
            if slot in self._branches:
                prefix = slot
                continue
            other = self._places.setdefault(slot, place)
            if other == place:
                self._branches[prefix][slot[-1]] = leaf
                return
            below = other[: len(slot) + 1]
            self._branches[slot] = {below[-1]: self._branches[prefix][slot[-1]]}
            self._places[below] = self._places.pop(slot)

    def value_at(self, place: str) -> bytes | None:
        """The hash of a merchant's latest leaf."""
        slot = ""
        while slot in self._branches:
            slot = place[: len(slot) + 1]
        if self._places.get(slot) != place:
            return None
        return self._branches[slot[:-1]][slot[-1]][0]

    def problems(self, manifest: str, given: Mapping[str, Leaf]) -> Iterator[Discrepancy]:
        """Compares the branches above new leaves with those of the manifest, by prefix: no other
        branch may be there. A problem is reported once: later manifests build on what this one has.
        """
        for prefix in sorted(self._changed, key=len, reverse=True):
            branch = self._branches[prefix]
            found = given.get(prefix)
            if found is None:
                yield Discrepancy(manifest, f"it has no branch for the merchants below {prefix!r}")
            elif canonical(found.document) != _written(prefix, branch):
                yield Discrepancy(found.place, "not the branch that follows from the merchants")
                _adopt(branch, found.document.get("children"))
            if found is not None:
                self._grow(prefix, (value_of(branch, found), found.at))
        for prefix in sorted(given.keys() - self._changed):
            yield Discrepancy(given[prefix].place, "a branch above no leaf of this manifest")
        self._changed = {""}

    def _grow(self, prefix: str, branch: Child) -> None:
        if prefix:
            self._branches[prefix[:-1]][prefix[-1]] = branch
        else:
            self.root = branch[0].hex()


def value_of(children: Mapping[str, Child], branch: Leaf) -> bytes:
    """A branch's value: of its children, each with a blind of its own, and of the whole line."""
    hidden = []
    for digit in DIGITS:
        blind = sha256((branch.blind + digit).encode()).digest()
        value = children[digit][0] if digit in children else NOBODY
        hidden.append(sha256(b"\x01" + blind + value).digest())
    return sha256(b"\x01" + tree_root(hidden) + leaf_hash(branch.line)).digest()


def _written(prefix: str, branch: Mapping[str, Child]) -> bytes:
    children = [[digit, value.hex(), *at] for digit, (value, at) in sorted(branch.items())]
    return canonical({"leaf": "branch", "prefix": prefix, "children": children})


def _adopt(branch: dict[str, Child], children: Any) -> None:  # noqa: ANN401 - unchecked JSON
    """Takes over what a wrong branch says of children that we know, as far as it can be read."""
    try:
        for digit, value, *at in children:
            if digit in branch and len(bytes.fromhex(value)) == len(NOBODY):
                branch[digit] = bytes.fromhex(value), LineAt(*at)
    except (TypeError, ValueError):
        return
