"""Merkle trees as RFC 9162 (section 2.1) hashes them: roots, and proofs that a leaf is in one."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def root_of(hashes: Iterable[bytes]) -> bytes:
    """The root of leaf hashes, in order; without leaves the hash of an empty text (2.1.1)."""
    subtrees: list[tuple[int, bytes]] = []  # sizes are decreasing powers of two
    for each in hashes:
        size, subtree = 1, each
        while subtrees and subtrees[-1][0] == size:
            subtree = node_hash(subtrees.pop()[1], subtree)
            size *= 2
        subtrees.append((size, subtree))
    if not subtrees:
        return EMPTY_ROOT
    _, root = subtrees.pop()
    while subtrees:
        root = node_hash(subtrees.pop()[1], root)
    return root


def levels_of(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """The tree's levels, leaves first; a node without a sibling moves up unchanged."""
    levels = [list(hashes)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = range(0, len(below) - 1, 2)
        above = [node_hash(below[each], below[each + 1]) for each in pairs]
        levels.append(above + below[len(above) * 2 :])
    return levels


def path_of(levels: Sequence[Sequence[bytes]], index: int) -> list[tuple[str, bytes]]:
    """The inclusion proof of a leaf (2.1.3.1), from the bottom up: each sibling's side and hash, so
    that a checker does not need the tree's size.
    """
    if not 0 <= index < len(levels[0]):
        raise IndexError(f"leaf {index} of {len(levels[0])}")
    path = []
    for level in levels[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(("left" if sibling < index else "right", level[sibling]))
        index >>= 1
    return path
