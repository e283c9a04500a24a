"""Reads a log from its bucket."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Final

from falcon_balances.adapters.listed_objects import ListedObjects
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

CONCURRENT_GETS: Final = 32


class LogBucket:
    """A log in a bucket, read a page of keys at a time, with `CONCURRENT_GETS` concurrent requests
    per page.
    """

    def __init__(self, objects: ListedObjects) -> None:
        self._objects = objects

    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        with ThreadPoolExecutor(CONCURRENT_GETS) as pool:
            for prefix in selection.prefixes():
                for listed in self._objects.pages(prefix):
                    yield from self._page(listed, selection, pool)

    def shares(self, count: int) -> "Sequence[LogBucket]":
        """Only one source: requests wait for S3, so more processes would not help."""
        return [self][:count]

    def read(self, key: str) -> bytes:
        return self._objects.read(key)

    def keys_of(self, selection: Selection, falcon_operation_id: str) -> Iterator[str]:
        """The keys of the operation. Costs one request per thousand listed keys."""
        for prefix in selection.prefixes():
            for listed in self._objects.pages(prefix):
                for key, _ in listed:
                    name = key.rpartition("/")[2]
                    if name.startswith(falcon_operation_id) and is_selected(key, selection):
                        yield key

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
                elif size > OBJECT_BYTES_MAX:
                    yield Foreign(key, TOO_LARGE)
                elif selection.has(partition):
                    wanted.append(key)
        bodies = dict(zip(wanted, pool.map(self.read, wanted), strict=True))
        for prefix, keys in groupby(wanted, lambda key: key.rpartition("/")[0]):
            partition = Partition.of(prefix)
            if partition is not None:
                some = list(keys)
                names = [key.rpartition("/")[2] for key in some]
                yield ObjectBatch(partition, names, [bodies[key] for key in some])
