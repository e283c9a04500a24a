"""The tree of all merchants: what a seal reads and writes of it follows from what moved.

A trie with 16 children per branch, hashed as RFC 9162 hashes a tree of 16 leaves. Its leaves are
the latest leaf of each merchant; leaves and branches are lines of the manifests, and a branch says
where each child is. `docs/manifests.md` describes it for authors of verifiers.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from falcon_balances.domain.carried_places import NO_PLACES, Places
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.merchant_branch import (
    Branch,
    Children,
    SealedLine,
    branch_leaf,
    read_line,
)

# The lines at these places, in this order.
ReadLines = Callable[[Sequence[SealedLine]], Iterable[bytes]]


def place_of(seed: str, merchant_id: str) -> str:
    """A merchant's place: 64 hexadecimal digits that nobody knows without the seed."""
    return sha256(bytes.fromhex(seed) + merchant_id.encode()).hexdigest()


class MerchantTree:
    """The branches and leaves on the paths of some merchants, and all at the places `carried`.

    `read` reads lines of earlier manifests: for each merchant log₁₆ of the number of merchants and
    about two more, level by level. Raises IntegrityError if one of them is not what the root binds.
    """

    def __init__(
        self,
        seed: str,
        root: SealedLine | None,
        merchant_ids: Iterable[str],
        read: ReadLines,
        carried: Places = NO_PLACES,
    ) -> None:
        self._seed = seed
        self._carried = carried
        self._places = {each: place_of(seed, each) for each in merchant_ids}
        self._branches: dict[str, Children] = {} if root is not None else {"": {}}
        self._read: dict[str, Branch] = {}
        """The branches that were read, for paths before the first `put`."""
        self._occupants: dict[str, str] = {}
        """The places of the merchants whose leaves are at these prefixes."""
        self._touched = {""}
        self.leaves: dict[str, bytes] = {}
        """The lines by merchant, where it has one; also of neighbours."""
        if root is not None:
            self._load(root, read)

    def _load(self, root: SealedLine, read: ReadLines) -> None:
        waiting = {"": (root, sorted(self._places.values()))}
        while waiting:
            further: dict[str, tuple[SealedLine, list[str]]] = {}
            lines = read([at for at, _ in waiting.values()])
            for (prefix, (at, places)), line in zip(waiting.items(), lines, strict=True):
                below: dict[str, list[str]] = {}
                for place in places:
                    below.setdefault(place[len(prefix) : len(prefix) + 1], []).append(place)
                for digit, child in self._take(prefix, at, line).items():
                    if digit in below or self._carried.meet(prefix + digit):
                        further[prefix + digit] = (child, below.get(digit, []))
            waiting = further

    def _take(self, prefix: str, at: SealedLine, line: bytes) -> Children:
        """Keeps a line. The children of a branch; nothing for a leaf."""
        document, branch = read_line(line, prefix, at)
        if branch is None:
            self._take_leaf(prefix, at, line, document["merchant_id"])
            return {}
        if any(each.sequence > at.sequence for each in branch.children.values()):
            raise IntegrityError(f"{at} names a line of a later manifest")
        self._read[prefix] = branch
        self._branches[prefix] = branch.children
        return branch.children

    def _take_leaf(self, prefix: str, at: SealedLine, line: bytes, merchant_id: str) -> None:
        place = place_of(self._seed, merchant_id)
        if not place.startswith(prefix):
            raise IntegrityError(f"{at}: it is not the leaf that its branch names")
        self._occupants[prefix] = place
        self.leaves[merchant_id] = line
        if merchant_id not in self._places and self._carried.meet(place):
            self._places[merchant_id] = place

    def in_order(self) -> list[str]:
        """The merchants whose leaves are written, by their places: so a stretch of places is in few
        stretches of a manifest.
        """
        return sorted(self._places, key=self._places.__getitem__)

    def put(self, merchant_id: str, leaf: SealedLine) -> None:
        """A merchant's new leaf. The merchant is one of those whose paths were read."""
        place, prefix = self._places[merchant_id], ""
        while True:
            self._touched.add(prefix)
            slot = prefix + place[len(prefix)]
            if slot not in self._branches:
                if self._occupants.setdefault(slot, place) == place:
                    self._branches[prefix][slot[-1]] = leaf
                    return
                self._split(slot)
            prefix = slot

    def _split(self, slot: str) -> None:
        """A branch where a leaf was: the leaf moves below it."""
        place = self._occupants.pop(slot)
        digit = place[len(slot)]
        self._branches[slot] = {digit: self._branches[slot[:-1]][slot[-1]]}
        self._occupants[slot + digit] = place

    def write(self, add: Callable[[Mapping[str, Any]], SealedLine]) -> SealedLine:
        """Adds the branches above new leaves, deepest first, and the root last, which it returns.
        `add` writes a line and says where it is.
        """
        for prefix in sorted(self._touched - {""}, key=lambda each: (-len(each), each)):
            at = add(branch_leaf(prefix, self._branches[prefix]))
            self._branches[prefix[:-1]][prefix[-1]] = at
        return add(branch_leaf("", self._branches[""]))

    def path(self, merchant_id: str) -> list[tuple[str, bytes]]:
        """The inclusion proof of a leaf that was read, from the bottom up (`merkle.path_of`);
        before the first `put`.
        """
        place, prefix = self._places[merchant_id], ""
        path: list[tuple[str, bytes]] = []
        while prefix in self._read:
            digit = place[len(prefix)]
            path = self._read[prefix].path(digit) + path
            prefix += digit
        return path


def remembering(lines: Mapping[SealedLine, bytes], read: ReadLines) -> ReadLines:
    """Reads only what is not in `lines`."""

    def read_others(wanted: Sequence[SealedLine]) -> Iterable[bytes]:
        others = [each for each in wanted if each not in lines]
        found = dict(zip(others, read(others), strict=True)) if others else {}
        return [lines[each] if each in lines else found[each] for each in wanted]

    return read_others
