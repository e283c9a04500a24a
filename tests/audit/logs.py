"""Logs to replay: in memory, or written to a folder as a sync would leave them."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from falcon_balances.audit.log_objects import (
    Foreign,
    ObjectBatch,
    Partition,
    Selection,
)
from falcon_balances.domain.log_keys import is_object_name

Objects = dict[str, bytes]


class MemoryLog:
    """In the order that the objects are given in."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        for prefix, keys in groupby(self._objects, lambda key: key.rpartition("/")[0]):
            partition = Partition.of(prefix)
            some = list(keys)
            stage = prefix.partition("/")[0]
            strange = [key for key in some if not is_object_name(key.rpartition("/")[2], stage)]
            if partition is None:
                yield from map(Foreign, some)
                continue
            yield from map(Foreign, strange)
            some = [key for key in some if key not in strange]
            if some and selection.has(partition):
                names = [key.rpartition("/")[2] for key in some]
                yield ObjectBatch(partition, names, [self._objects[key] for key in some])

    def shares(self, count: int) -> "list[MemoryLog]":
        return [self][:count]

    def read(self, key: str) -> bytes:
        return self._objects[key]

    def keys_of(self, selection: Selection, falcon_operation_id: str) -> Iterator[str]:
        return (key for key in self._objects if f"/{falcon_operation_id}" in key)
