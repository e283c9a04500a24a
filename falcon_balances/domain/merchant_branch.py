"""The lines of the tree of merchants: their values, and how a branch names its children.

`docs/manifests.md` describes them for authors of verifiers.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.merkle import leaf_hash, levels_of, node_hash, path_of, root_of

DIGITS: Final = "0123456789abcdef"
_DIGITS: Final = frozenset(DIGITS)
NOBODY: Final = bytes(32)
SEQUENCE_MAX: Final = 99_999_999
# No verifier reads a larger manifest.
_LEAVES_BYTES_MAX: Final = 256 << 20
# Errors of a line that this code did not write.
UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class SealedLine(NamedTuple):
    """A line of a manifest: of a merchant, or of a branch with all below it.

    `offset`: bytes after the beginning of the first leaf; `size`: without LF.
    """

    value: bytes
    sequence: int
    offset: int
    size: int

    def __str__(self) -> str:
        return f"byte {self.offset} of the leaves of manifest {self.sequence}"


Children = dict[str, SealedLine]


class Branch(NamedTuple):
    """A branch that was read. `hashed`: the hash of its line, so that its value binds the places
    of its children too. `blind`: the children's values are hashed with it, so that nobody who knows
    the tree of one line sees in the next one which of its children changed.
    """

    children: Children
    blind: str
    hashed: bytes

    @property
    def value(self) -> bytes:
        return node_hash(root_of(self._hidden()), self.hashed)

    def path(self, digit: str) -> list[tuple[str, bytes]]:
        """The steps from a child's value to the branch's."""
        siblings = path_of(levels_of(self._hidden()), DIGITS.index(digit))
        return [("left", blind_of(self.blind, digit)), *siblings, ("right", self.hashed)]

    def _hidden(self) -> list[bytes]:
        values = (self.children[each].value if each in self.children else NOBODY for each in DIGITS)
        return [
            node_hash(blind_of(self.blind, digit), value)
            for digit, value in zip(DIGITS, values, strict=True)
        ]


def blind_of(blind: str, digit: str) -> bytes:
    """The blind of one child. Whoever is given it can calculate no other."""
    return sha256((blind + digit).encode()).digest()


def branch_of(line: bytes, document: Mapping[str, Any]) -> Branch:
    """Raises one of UNREADABLE for a line that this code did not write."""
    children = {
        digit: SealedLine(bytes.fromhex(value), *where)
        for digit, value, *where in document["children"]
    }
    if not all(each in _DIGITS and _is_placed(at) for each, at in children.items()):
        raise ValueError("a child's place is not in a manifest")
    return Branch(children, document["blind"], leaf_hash(line))


def value_of_line(line: bytes, document: Mapping[str, Any]) -> bytes:
    """The value of a line of a merchant or a branch."""
    if document["leaf"] == "merchant":
        return leaf_hash(line)
    return branch_of(line, document).value


def read_line(line: bytes, prefix: str, at: SealedLine) -> tuple[dict[str, Any], Branch | None]:
    """What is in a line, and the branch if it is one.

    Raises IntegrityError unless it is the line, with every byte, that its parent names.
    """
    try:
        document = json.loads(line)
        is_branch = document["leaf"] == "branch"
        branch = branch_of(line, document) if is_branch else None
        value = leaf_hash(line) if branch is None else branch.value
        is_named = document["prefix"] == prefix if is_branch else True
    except UNREADABLE as error:
        raise IntegrityError(f"{at} cannot be parsed") from error
    if value != at.value or not is_named:
        raise IntegrityError(f"{at}: it is not the line that its branch names")
    return document, branch


def branch_leaf(prefix: str, children: Children) -> dict[str, Any]:
    written = [
        [digit, at.value.hex(), at.sequence, at.offset, at.size]
        for digit, at in sorted(children.items())
    ]
    return {"leaf": "branch", "prefix": prefix, "children": written}


def _is_placed(at: SealedLine) -> bool:
    """Whether a line can be there at all: `read` asks for it as it is."""
    numbers = (at.sequence, at.offset, at.size)
    if len(at.value) != len(NOBODY) or not all(type(each) is int for each in numbers):
        return False
    is_inside = at.offset >= 0 and at.size > 0 and at.offset + at.size <= _LEAVES_BYTES_MAX
    return is_inside and 1 <= at.sequence <= SEQUENCE_MAX
