"""Which lines come more than once, found in little memory: by hashes of their ids."""

from pathlib import Path
from struct import unpack
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import numpy as np

from falcon_balances.audit.lines import ID_WORDS, WEIGHTS, Words

_HELD_MAX: Final = 16 << 20  # hashes of eight bytes: 128 MB
_FOLDS: Final = 256
_WEIGHTS: Final[list[int]] = WEIGHTS.tolist()
_MASK: Final = (1 << 64) - 1


def hash_of(uuid: str) -> int:
    """As `lines.hashes_of` makes it of a column of ids."""
    words: tuple[int, ...] = unpack(f"={ID_WORDS}I", uuid.encode())
    total = 0
    for word, weight in zip(words, _WEIGHTS, strict=True):
        total += word * weight
    return total & _MASK


class SeenHashes:
    """Every hash so far. Beyond `held_max` they go to files by their first byte."""

    def __init__(self, held_max: int = _HELD_MAX) -> None:
        self._held_max = held_max
        self._held: list[Words] = []
        self._count = 0
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, hashes: Words) -> None:
        self._held.append(hashes)
        self._count += len(hashes)
        if self._count > self._held_max:
            self._spill()

    def repeated(self) -> frozenset[int]:
        if self._folder is None:
            return frozenset(_repeated(self._taken()))
        self._spill()
        found: set[int] = set()
        for fold in range(_FOLDS):
            found |= _repeated(np.fromfile(self._file(fold), dtype=np.uint64))
        return frozenset(found)

    def _taken(self) -> Words:
        held = np.concatenate([np.empty(0, dtype=np.uint64), *self._held])
        self._held, self._count = [], 0
        held.sort()
        return held

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="falcon-replay-")
        held = self._taken()
        starts = np.arange(_FOLDS, dtype=np.uint64) << np.uint64(56)
        borders = [*np.searchsorted(held, starts).tolist(), len(held)]
        for fold in range(_FOLDS):
            with self._file(fold).open("ab") as file:
                held[borders[fold] : borders[fold + 1]].tofile(file)

    def _file(self, fold: int) -> Path:
        assert self._folder is not None  # noqa: S101 - only asked for once there is one
        return Path(self._folder.name, f"{fold:02x}")


def _repeated(hashes: Words) -> set[int]:
    hashes.sort()
    return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
