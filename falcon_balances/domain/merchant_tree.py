"""The tree of all merchants: what a seal reads and writes of it is what moved.

A trie with 16 children per branch, hashed as RFC 9162 hashes a tree of 16 leaves. Its leaves are
the latest leaf of each merchant; leaves and branches are lines of the manifests, and a branch says
where each child is. `docs/manifests.md` describes it for authors of verifiers.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.merkle import leaf_hash, levels_of, path_of, root_of

DIGITS: Final = "0123456789abcdef"
NOBODY: Final = bytes(32)


class SealedLine(NamedTuple):
    """A line of a manifest: of a merchant, or of a branch with all below it.

    `offset`: bytes after the beginning of the first leaf; `size`: without LF.
    """

    value: bytes
    sequence: int
    offset: int
    size: int


Branch = dict[str, SealedLine]
# The lines at these places, in this order.
ReadLines = Callable[[Sequence[SealedLine]], Iterable[bytes]]


def place_of(seed: str, merchant_id: str) -> str:
    """A merchant's place: 64 hexadecimal digits that nobody knows without the seed."""
    return sha256(bytes.fromhex(seed) + merchant_id.encode()).hexdigest()


def values_of(branch: Mapping[str, SealedLine]) -> list[bytes]:
    return [branch[each].value if each in branch else NOBODY for each in DIGITS]


def value_of(branch: Mapping[str, SealedLine]) -> bytes:
    return root_of(values_of(branch))


def value_of_line(line: bytes, document: Mapping[str, Any]) -> bytes:
    """The value of a line of a merchant or a branch."""
    if document["leaf"] == "merchant":
        return leaf_hash(line)
    return value_of(_children(document))


def _children(document: Mapping[str, Any]) -> Branch:
    return {
        digit: SealedLine(bytes.fromhex(value), *where)
        for digit, value, *where in document["children"]
    }


def read_branch(prefix: str, at: SealedLine, document: Mapping[str, Any]) -> Branch:
    """Raises IntegrityError for a branch that is not the one that its parent names."""
    branch = _children(document)
    if document["prefix"] != prefix or value_of(branch) != at.value:
        raise IntegrityError("it is not the branch that the manifest after it names")
    return branch


class MerchantTree:
    """The branches and leaves on the paths of some merchants.

    `read` reads lines of earlier manifests: for each merchant log₁₆ of the number of merchants and
    about two more, level by level. Raises IntegrityError if one of them is not what the root binds.
    """

    def __init__(
        self, seed: str, root: SealedLine | None, merchant_ids: Iterable[str], read: ReadLines
    ) -> None:
        self._seed = seed
        self._places = {each: place_of(seed, each) for each in merchant_ids}
        self._branches: dict[str, Branch] = {} if root is not None else {"": {}}
        self._occupants: dict[str, str] = {}
        """The places of the merchants whose leaves are at these prefixes."""
        self._touched = {""}
        self.leaves: dict[str, dict[str, Any]] = {}
        """The leaves by merchant, where it has one; also of neighbours."""
        if root is not None:
            self._load(root, read)

    def _load(self, root: SealedLine, read: ReadLines) -> None:
        waiting = {"": (root, sorted(self._places.values()))}
        while waiting:
            further: dict[str, tuple[SealedLine, list[str]]] = {}
            lines = read([at for at, _ in waiting.values()])
            for (prefix, (at, places)), line in zip(waiting.items(), lines, strict=True):
                branch = self._take(prefix, at, line)
                for place in places if branch else ():
                    digit = place[len(prefix)]
                    if digit in branch:
                        further.setdefault(prefix + digit, (branch[digit], []))[1].append(place)
            waiting = further

    def _take(self, prefix: str, at: SealedLine, line: bytes) -> Branch:
        """Keeps a line. The children of a branch; nothing for a leaf."""
        try:
            document = json.loads(line)
            if document["leaf"] == "branch":
                return self._branches.setdefault(prefix, read_branch(prefix, at, document))
            place = place_of(self._seed, document["merchant_id"])
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise IntegrityError(f"{_where(at)} cannot be parsed") from error
        except IntegrityError as error:
            raise IntegrityError(f"{_where(at)}: {error}") from error
        if leaf_hash(line) != at.value or not place.startswith(prefix):
            raise IntegrityError(f"{_where(at)}: it is not the leaf that its branch names")
        self._occupants[prefix] = place
        self.leaves[document["merchant_id"]] = document
        return {}

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
        """The inclusion proof of a leaf that was read, from the bottom up (`merkle.path_of`)."""
        place, prefix = self._places[merchant_id], ""
        path: list[tuple[str, bytes]] = []
        while prefix in self._branches:
            digit = place[len(prefix)]
            levels = levels_of(values_of(self._branches[prefix]))
            path = path_of(levels, DIGITS.index(digit)) + path
            prefix += digit
        return path


def _where(at: SealedLine) -> str:
    return f"byte {at.offset} of the leaves of manifest {at.sequence}"


def branch_leaf(prefix: str, branch: Branch) -> dict[str, Any]:
    children = [
        [digit, at.value.hex(), at.sequence, at.offset, at.size]
        for digit, at in sorted(branch.items())
    ]
    return {"leaf": "branch", "prefix": prefix, "children": children}


def remembering(lines: Mapping[SealedLine, bytes], read: ReadLines) -> ReadLines:
    """Reads only what is not in `lines`."""

    def read_others(wanted: Sequence[SealedLine]) -> Iterable[bytes]:
        others = [each for each in wanted if each not in lines]
        found = dict(zip(others, read(others), strict=True)) if others else {}
        return [lines[each] if each in lines else found[each] for each in wanted]

    return read_others
