"""Reads a log from a folder."""

import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from falcon_balances.audit.log_objects import (
    OBJECT_BYTES_MAX,
    TOO_LARGE,
    Foreign,
    ObjectBatch,
    Partition,
    Selection,
    is_selected,
)
from falcon_balances.domain.log_keys import is_object_name

_OBJECTS_PER_BATCH: Final = 4_000
_BATCH_BYTES: Final = 16 << 20
# Refuses symbolic links, and does not wait for the writer of a pipe.
_PLAIN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_BYTES: Final = 1 << 14  # few objects are larger, and a small buffer is freed at once


class LogFolder:
    """A folder as `aws s3 sync` makes it. Symbolic links are not followed: they are foreign."""

    def __init__(self, root: Path, share: int = 0, shares: int = 1) -> None:
        self._root = str(root)
        self._share = share
        self._shares = shares

    def shares(self, count: int) -> "Sequence[LogFolder]":
        """Shares by merchant; foreign files above merchants are in the first share."""
        return [LogFolder(Path(self._root), share, count) for share in range(count)]

    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        for prefix in selection.prefixes():
            if "/" in prefix.removesuffix("/") and self._share:
                continue  # the first share reads the folder of a single merchant
            if link := self._link_in(prefix):
                if not self._share:
                    yield Foreign(link)
            elif os.path.isdir(f"{self._root}/{prefix}"):  # noqa: PTH112 - as below
                yield from self._below(prefix.removesuffix("/"), selection)

    def read(self, key: str) -> bytes:
        return Path(self._root, key).read_bytes()

    def _link_in(self, prefix: str) -> str | None:
        folder = Path(prefix)
        ways = [folder, *folder.parents[:-1]]
        return next((str(way) for way in ways if Path(self._root, way).is_symlink()), None)

    def keys_of(self, selection: Selection, falcon_operation_id: str) -> Iterator[str]:
        root = Path(self._root)
        for prefix in selection.prefixes():
            for path in sorted((root / prefix).rglob(f"{falcon_operation_id}*.csv")):
                key = path.relative_to(root).as_posix()
                if is_selected(key, selection) and not path.is_symlink():
                    yield key

    def _below(self, prefix: str, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        # Strings, not paths: a folder of the log has only a few objects, and creating a path costs
        # more than reading them.
        try:
            with os.scandir(f"{self._root}/{prefix}") as found:
                entries = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in found)
        except OSError as error:
            if "/" in prefix or not self._share:
                yield Foreign(prefix, f"cannot be read: {error.strerror}")
            return
        for name, is_folder in self._own(prefix, entries):
            key = f"{prefix}/{name}" if prefix else name
            if not is_folder:
                yield Foreign(key)
            elif (partition := Partition.of(key)) is None:
                yield from self._below(key, selection)
            elif selection.has(partition):
                yield from self._objects(partition, key)

    def _own(self, prefix: str, entries: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
        """This share of a stage's merchants; only the first share has files beside the stages."""
        if not prefix:
            return [each for each in entries if each[1] or not self._share]
        return entries if "/" in prefix else entries[self._share :: self._shares]

    def _objects(self, partition: Partition, prefix: str) -> Iterator[ObjectBatch | Foreign]:
        try:
            folder = os.open(f"{self._root}/{prefix}", os.O_RDONLY)
        except OSError as error:
            yield Foreign(prefix, f"cannot be read: {error.strerror}")
            return
        try:
            names = []
            for name in sorted(os.listdir(folder)):  # noqa: PTH208 - by its number
                if is_object_name(name, partition.stage):
                    names.append(name)
                else:
                    yield Foreign(f"{prefix}/{name}")
            yield from _bodies(partition, prefix, folder, names)
        finally:
            os.close(folder)


def _bodies(
    partition: Partition, prefix: str, folder: int, names: Sequence[str]
) -> Iterator[ObjectBatch | Foreign]:
    """Batches of some thousand objects. A batch ends with the object that exceeds its bytes."""
    some: list[str] = []
    bodies: list[bytes] = []
    size = 0
    for name in names:
        try:
            body = _read(folder, name)
        except OSError as error:
            yield Foreign(f"{prefix}/{name}", f"cannot be read: {error.strerror}")
            continue
        some.append(name)
        bodies.append(body)
        size += len(body)
        if size > _BATCH_BYTES or len(some) == _OBJECTS_PER_BATCH:
            yield ObjectBatch(partition, some, bodies)
            some, bodies, size = [], [], 0
    if some:
        yield ObjectBatch(partition, some, bodies)


def _read(folder: int, name: str) -> bytes:
    """Reads an object. A small one takes three system calls, without a file object or a path."""
    file = os.open(name, _PLAIN_FILE, dir_fd=folder)
    try:
        body = os.read(file, _READ_BYTES)
        if len(body) == _READ_BYTES:
            body += _rest(file)
    finally:
        os.close(file)
    return body


def _rest(file: int) -> bytes:
    """The rest of a large object. Raises OSError if it is larger than a log object can be."""
    with os.fdopen(os.dup(file), "rb") as opened:
        rest = opened.read(OBJECT_BYTES_MAX)
        if opened.read(1):
            raise OSError(errno.EFBIG, TOO_LARGE)
    return rest
