"""Finds repeated lines in little memory, by hashes of their ids."""

from struct import unpack
from typing import Final

import numpy as np

from falcon_balances.audit.line_fields import ID_WORDS, WEIGHTS, Words
from falcon_balances.audit.spill import Spill

_HELD_MAX: Final = 16 << 20  # hashes of eight bytes: 128 MB
_WEIGHTS: Final[list[int]] = WEIGHTS.tolist()
_MASK: Final = (1 << 64) - 1


def hash_of(uuid: str) -> int:
    """The hash of one id, like `lines.hashes_of` for a column."""
    words: tuple[int, ...] = unpack(f"={ID_WORDS}I", uuid.encode())
    total = 0
    for word, weight in zip(words, _WEIGHTS, strict=True):
        total += word * weight
    return total & _MASK


class SeenHashes(Spill):
    """All hashes so far; beyond `held_max` they are in files by their first byte."""

    def __init__(self, held_max: int = _HELD_MAX) -> None:
        super().__init__(np.dtype(np.uint64), lambda hashes: hashes, held_max)

    def repeated(self) -> frozenset[int]:
        return frozenset[int]().union(*(_repeated(hashes) for hashes in self.parts()))


def _repeated(hashes: Words) -> set[int]:
    hashes.sort()
    return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
