"""Keeps rows that can be too many for memory: beyond a limit they are in files, by key."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from falcon_balances.audit.line_fields import Words

_FILES: Final = 256

Rows = np.ndarray[Any, Any]


class Spill:
    """Rows in any order. If there are more than `held_max`, they go to a temporary folder, one file
    per first byte of their keys, so rows with equal keys can be brought together file by file.
    """

    def __init__(
        self, row: "np.dtype[Any]", keys_of: Callable[[Rows], Words], held_max: int
    ) -> None:
        self._none = np.empty(0, dtype=row)
        self._keys_of = keys_of
        self._held_max = held_max
        self._held: list[Rows] = []
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

    def add(self, rows: Rows) -> None:
        self._held.append(rows)
        self._count += len(rows)
        if self._count > self._held_max:
            self._write(self._opened())

    def parts(self) -> Iterator[Rows]:
        """All rows; those with equal keys are in one part."""
        if self._folder is None:
            yield np.concatenate([self._none, *self._held])
            return
        folder = self._opened()
        self._write(folder)
        for number in range(_FILES):
            yield np.fromfile(_file(folder, number), dtype=self._none.dtype)

    def _opened(self) -> str:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="falcon-replay-")
        return self._folder.name

    def _write(self, folder: str) -> None:
        held = np.concatenate([self._none, *self._held])
        self._held, self._count = [], 0
        # One byte for each row: sorted in linear time.
        first = (self._keys_of(held) >> np.uint64(56)).astype(np.uint8)
        order = np.argsort(first, kind="stable")
        held = held[order]
        borders = [*np.searchsorted(first[order], np.arange(_FILES)).tolist(), len(held)]
        for number in range(_FILES):
            with _file(folder, number).open("ab") as file:
                held[borders[number] : borders[number + 1]].tofile(file)


def _file(folder: str, number: int) -> Path:
    return Path(folder, f"{number:02x}")
