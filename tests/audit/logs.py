"""Logs to replay: in memory, or written to a folder as a sync would leave them."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

from falcon_balances.audit.log_objects import Foreign, ObjectBatch, Partition, Selection
from falcon_balances.domain.log_format import csv_body, log_key
from falcon_balances.domain.operations import Segment

Objects = dict[str, bytes]


def objects_of(segments: Iterable[Segment]) -> Objects:
    return {log_key(segment): csv_body(segment).encode() for segment in segments}


def write(objects: Mapping[str, bytes], folder: Path) -> Path:
    for key, body in objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


class MemoryLog:
    """In the order that the objects are given in."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        for prefix, keys in groupby(self._objects, lambda key: key.rpartition("/")[0]):
            partition = Partition.of(prefix)
            some = list(keys)
            if partition is None:
                yield from map(Foreign, some)
            elif selection.has(partition):
                names = [key.rpartition("/")[2] for key in some]
                yield ObjectBatch(partition, names, [self._objects[key] for key in some])

    def read(self, key: str) -> bytes:
        return self._objects[key]
