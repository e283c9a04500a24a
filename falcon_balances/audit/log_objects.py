"""Where a log lies: a folder that it was synced to, or the bucket itself. Bytes only."""

import errno
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from falcon_balances.adapters.aws import aws_call
from falcon_balances.domain.log_keys import PARTITION, is_object_name, merchant_prefix
from falcon_balances.domain.operations import Stage

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONCURRENT_GETS: Final = 32
_OBJECTS_PER_BATCH: Final = 4_000
_BATCH_BYTES: Final = 16 << 20
# An event has forty splits at most, so an object a few hundred lines.
_OBJECT_BYTES_MAX: Final = 4 << 20
_TOO_LARGE: Final = "larger than a log object can be"
# No link is followed, and nothing that never ends is waited for.
_PLAIN_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_READ_BYTES: Final = 1 << 14  # a buffer so small is given back at once; few objects are larger
_PARTITION = re.compile(PARTITION)
_REVISION = re.compile(r"\.r([0-9]+)[.]")


class Partition(NamedTuple):
    """What the keys of one folder of the log have in common (design §6)."""

    stage: str
    merchant_id: str
    day: str

    def __str__(self) -> str:
        return f"{merchant_prefix(self.stage, self.merchant_id)}date={self.day}"

    @classmethod
    def of(cls, prefix: str) -> "Partition | None":
        found = _PARTITION.fullmatch(prefix)
        return None if found is None else cls(found["stage"], found["merchant_id"], found["day"])


def revision_of(name: str) -> int:
    """As the name of an object of the log says it."""
    found = _REVISION.search(name)
    return int(found[1]) if found else 1


class ObjectBatch(NamedTuple):
    """Objects of one partition: names and bodies side by side."""

    partition: Partition
    names: Sequence[str]
    bodies: Sequence[bytes]


class Foreign(NamedTuple):
    """Something that lies among the log's objects and is none of them."""

    key: str
    reason: str = "not a key of the log"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects: all, unless narrowed. Days are those of the keys; `until` is left out."""

    merchant_id: str | None = None
    stage: Stage | None = None
    since: str | None = None
    until: str | None = None

    @property
    def has_whole_events(self) -> bool:
        """An event's parts share stage and day, but not the merchant."""
        return self.merchant_id is None

    def has(self, partition: Partition) -> bool:
        return (
            self.merchant_id in (None, partition.merchant_id)
            and self.stage in (None, partition.stage)
            and (self.since is None or partition.day >= self.since)
            and (self.until is None or partition.day < self.until)
        )

    def prefixes(self) -> list[str]:
        """What to look under, as narrow as keys allow."""
        if self.stage is None and self.merchant_id is None:
            return [""]
        stages = [each.value for each in Stage if self.stage in (None, each)]
        below = f"merchant_id={self.merchant_id}/" if self.merchant_id is not None else ""
        return [f"{stage}/{below}" for stage in stages]


class LogSource(Protocol):
    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        """Partition by partition, each object once."""

    def read(self, key: str) -> bytes:
        """One object again."""

    def shares(self, count: int) -> "Sequence[LogSource]":
        """That many sources at most, which have each object between them once."""

    def keys_of(self, selection: Selection, falcon_operation_id: str) -> Iterator[str]:
        """The keys of an operation, by names alone: no object is read."""


class LogFolder:
    """A folder as `aws s3 sync` makes it. Symbolic links are not followed: they are foreign."""

    def __init__(self, root: Path, share: int = 0, shares: int = 1) -> None:
        self._root = str(root)
        self._share = share
        self._shares = shares

    def shares(self, count: int) -> "Sequence[LogFolder]":
        """By merchants; what lies above them is the first one's."""
        return [LogFolder(Path(self._root), share, count) for share in range(count)]

    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        for prefix in selection.prefixes():
            if "/" in prefix.removesuffix("/") and self._share:
                continue  # a single merchant's
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
                if _is_selected(key, selection) and not path.is_symlink():
                    yield key

    def _below(self, prefix: str, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        # Texts, not paths: a log has a folder for every few objects, and a path costs more than
        # reading them.
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
        """Of a stage's merchants some; of what lies beside the stages all or nothing."""
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
    """By the thousand, and never much more of bytes than a batch may hold."""
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


def _is_selected(key: str, selection: Selection) -> bool:
    prefix, _, name = key.rpartition("/")
    partition = Partition.of(prefix)
    if partition is None or not selection.has(partition):
        return False
    return is_object_name(name, partition.stage)


def _read(folder: int, name: str) -> bytes:
    """Three system calls for an object that is smaller than a read: no file object, no path."""
    file = os.open(name, _PLAIN_FILE, dir_fd=folder)
    try:
        body = os.read(file, _READ_BYTES)
        if len(body) == _READ_BYTES:
            body += _rest(file)
    finally:
        os.close(file)
    return body


def _rest(file: int) -> bytes:
    """Raises OSError for what is larger than a log object can be."""
    with os.fdopen(os.dup(file), "rb") as opened:
        rest = opened.read(_OBJECT_BYTES_MAX)
        if opened.read(1):
            raise OSError(errno.EFBIG, _TOO_LARGE)
    return rest


class LogBucket:
    """The bucket, a page of keys at a time, each page with `CONCURRENT_GETS` requests at once."""

    def __init__(self, s3: "S3Client", bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        with ThreadPoolExecutor(CONCURRENT_GETS) as pool:
            for prefix in selection.prefixes():
                for listed in self._pages(prefix):
                    yield from self._page(listed, selection, pool)

    def shares(self, count: int) -> "Sequence[LogBucket]":
        """One: requests wait for S3, not for a processor."""
        return [self][:count]

    def read(self, key: str) -> bytes:
        with aws_call(f"read {key}"):
            return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def keys_of(self, selection: Selection, falcon_operation_id: str) -> Iterator[str]:
        """A request for every thousand keys that are looked through."""
        for prefix in selection.prefixes():
            for listed in self._pages(prefix):
                for key, _ in listed:
                    name = key.rpartition("/")[2]
                    if name.startswith(falcon_operation_id) and _is_selected(key, selection):
                        yield key

    def _pages(self, prefix: str) -> Iterator[list[tuple[str, int]]]:
        """Keys with their sizes."""
        with aws_call("keys of the log"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            for page in pages:
                yield [(each["Key"], each["Size"]) for each in page.get("Contents", [])]

    def _page(
        self, listed: list[tuple[str, int]], selection: Selection, pool: ThreadPoolExecutor
    ) -> Iterator[ObjectBatch | Foreign]:
        wanted: list[str] = []
        for prefix, group in groupby(listed, lambda each: each[0].rpartition("/")[0]):
            partition = Partition.of(prefix)
            for key, size in group:
                name = key.rpartition("/")[2]
                if partition is None or not is_object_name(name, partition.stage):
                    yield Foreign(key)
                elif size > _OBJECT_BYTES_MAX:
                    yield Foreign(key, _TOO_LARGE)
                elif selection.has(partition):
                    wanted.append(key)
        bodies = dict(zip(wanted, pool.map(self.read, wanted), strict=True))
        for prefix, keys in groupby(wanted, lambda key: key.rpartition("/")[0]):
            partition = Partition.of(prefix)
            if partition is not None:
                some = list(keys)
                names = [key.rpartition("/")[2] for key in some]
                yield ObjectBatch(partition, names, [bodies[key] for key in some])
