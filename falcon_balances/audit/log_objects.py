"""Objects of the log from any source, and the selection of wanted ones. Bytes only."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from falcon_balances.domain.log_keys import PARTITION, is_object_name, merchant_prefix
from falcon_balances.domain.operations import Stage

# An event has at most forty splits, so an object has a few hundred lines.
OBJECT_BYTES_MAX: Final = 4 << 20
TOO_LARGE: Final = "larger than a log object can be"
_PARTITION = re.compile(PARTITION)
_REVISION = re.compile(r"\.r([0-9]+)[.]")


class Partition(NamedTuple):
    """The shared part of the keys in one folder of the log (design §6)."""

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
    """The revision in the name of a log object."""
    found = _REVISION.search(name)
    return int(found[1]) if found else 1


class ObjectBatch(NamedTuple):
    """Objects of one partition: names and bodies side by side."""

    partition: Partition
    names: Sequence[str]
    bodies: Sequence[bytes]


class Foreign(NamedTuple):
    """A key in the log that is not the key of a log object."""

    key: str
    reason: str = "not a key of the log"


@dataclass(frozen=True, slots=True)
class Selection:
    """The wanted objects, all by default. Days are those of the keys; `until` is excluded."""

    merchant_id: str | None = None
    stage: Stage | None = None
    since: str | None = None
    until: str | None = None

    @property
    def has_whole_events(self) -> bool:
        """Whether all parts of an event are selected: they share stage and day, but not the
        merchant.
        """
        return self.merchant_id is None

    def has(self, partition: Partition) -> bool:
        return (
            self.merchant_id in (None, partition.merchant_id)
            and self.stage in (None, partition.stage)
            and (self.since is None or partition.day >= self.since)
            and (self.until is None or partition.day < self.until)
        )

    def prefixes(self) -> list[str]:
        """The prefixes to list: narrowed by stage and merchant, but not by days."""
        if self.stage is None and self.merchant_id is None:
            return [""]
        stages = [each.value for each in Stage if self.stage in (None, each)]
        below = f"merchant_id={self.merchant_id}/" if self.merchant_id is not None else ""
        return [f"{stage}/{below}" for stage in stages]


class LogSource(Protocol):
    def batches(self, selection: Selection) -> Iterator[ObjectBatch | Foreign]:
        """Batches partition by partition, each object once."""

    def read(self, key: str) -> bytes:
        """The bytes of one object."""

    def shares(self, count: int) -> "Sequence[LogSource]":
        """At most `count` sources that together have each object once."""

    def keys_of(self, selection: Selection, falcon_operation_id: str) -> Iterator[str]:
        """The keys of an operation, from names alone: no object is read."""


def is_selected(key: str, selection: Selection) -> bool:
    prefix, _, name = key.rpartition("/")
    partition = Partition.of(prefix)
    if partition is None or not selection.has(partition):
        return False
    return is_object_name(name, partition.stage)
