"""TableItem writes and write units per event, as AWS bills them: by size, double in a transaction.

The functions are the real ones, on the fakes. An index is billed by what its entries become.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from bench.core import dispatch_batch, sqs_events
from bench.environment import BatchSizes, batch_sizes_of
from bench.results import Bound, Result, Row
from falcon_balances.adapters.ports import AvailableNow
from falcon_balances.capacity.item_units import (
    ITEM_OVERHEAD_BYTES,
    UNIT_BYTES,
    TableItem,
    entry_of,
    index_units,
    item_bytes,
    write_units,
)
from falcon_balances.contracts.stored_claims import stored
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, TableWrite
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.observability import metrics
from generated import events
from inprocess.aws import INDEXES
from inprocess.functions import Functions
from inprocess.places import MemoryPlaces

EVENTS: Final = 1_000
CLAIM: Final = "claim"
MARK: Final = "OPERATION"
_PARTITION_KEY_BYTES: Final = 36  # a merchant's id


@dataclass(frozen=True, slots=True)
class Case:
    """`stream_records`: how many records the reducer reads at once from each shard."""

    name: str
    make: Callable[[int, int], Iterator[events.Message]]
    merchants: int
    stream_records: int


CASES: Final = (
    Case("captures, 100 merchants", events.captures, 100, 1_000),
    Case("both stages, 100 merchants", events.both_stages, 100, 1_000),
    Case("both stages, 100 merchants, eager reducer", events.both_stages, 100, 25),
    Case("both stages, one hot merchant", events.both_stages, 1, 1_000),
    Case("mixed, 100 merchants", events.mixed, 100, 1_000),
)


@dataclass(slots=True)
class Written:
    """The writes of one kind of item, or of one index. `sizes`: the bytes after each write."""

    writes: int = 0
    units: int = 0
    sizes: list[int] = field(default_factory=list)

    def add(self, units: int, size: int) -> None:
        self.writes += 1
        self.units += units
        self.sizes.append(size)


class CountingStore(MemoryBalanceStore):
    """The fake of the table `balances`; counts what each transaction's writes cost, by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.written: defaultdict[str, Written] = defaultdict(Written)
        self.transactions = 0
        self.reads = 0

    def apply(self, writes: Sequence[TableWrite]) -> Sequence[object]:  # type: ignore[override]
        before = [self._whole(write.key) for write in writes]
        outcomes = super().apply(writes)
        self.transactions += 1
        for write, was in zip(writes, before, strict=True):
            self._count(write, was, self._whole(write.key))
        return outcomes

    def items(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Mapping[str, str | int]]:
        self.reads += len(keys)
        return super().items(keys)

    def available_now(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, AvailableNow]:
        self.reads += len(keys)
        return super().available_now(keys)

    def _count(self, write: TableWrite, was: TableItem, now: TableItem) -> None:
        kind = write.key.sk.partition("#")[0]
        units = write_units(was, now, in_transaction=True)
        self.written[kind].add(units, item_bytes(now))
        if isinstance(write, AddCounters):
            return  # no counter is a key of an index
        for name, index in INDEXES.items():
            keys = index[:2]
            before, after = (entry_of(each, keys, index.includes) for each in (was, now))
            if units := index_units(before, after):
                self.written[f"index {name}"].add(units, item_bytes(after))

    def _whole(self, key: ItemKey) -> TableItem:
        said = self.item(key)
        return {"pk": key.pk, "sk": key.sk, **said} if said else {}


@dataclass(frozen=True, slots=True)
class Work:
    """What the functions did for all events: by kind of item, and in all."""

    written: Mapping[str, Written]
    transactions: int
    reads: int
    """Items of the table `balances`, each strongly consistent."""
    record_bytes: Sequence[int]
    object_bytes: Sequence[int]

    @property
    def units(self) -> int:
        return sum(each.units for each in self.written.values())


def counted(case: Case, sizes: BatchSizes, count: int = EVENTS) -> Work:
    """All work of the functions for `count` events."""
    places = MemoryPlaces(lambda: events.SENT_AT, sizes.shards)
    places.store = store = CountingStore()
    places.directory.contexts |= events.histories_of(case.merchants)
    functions = Functions(places, lambda: events.SENT_AT)
    read_until: dict[str, int] = {}
    messages = list(case.make(count, case.merchants))
    # Stage by stage, as reconciled operations come days after the confirmed ones.
    for _, batches in groupby(sqs_events(messages, sizes.queue_messages), lambda each: each[0]):
        for stage, batch in batches:
            dispatch_batch(stage, batch, functions, sizes)
        _reduce(functions, places, read_until, case.stream_records)
    records = [each for shard in places.stream.by_id.values() for each in shard.records]
    return Work(
        written={CLAIM: _claims(places), **store.written},
        transactions=store.transactions,
        reads=store.reads,
        record_bytes=[len(each.data) + _PARTITION_KEY_BYTES for each in records],
        object_bytes=[len(each.body) for each in places.log.objects.values()],
    )


def _claims(places: MemoryPlaces) -> Written:
    claims = Written()
    for claim in places.claims.claims.values():
        item = stored(claim)
        claims.add(write_units({}, item, in_transaction=False), item_bytes(item))
    return claims


def _reduce(
    functions: Functions, places: MemoryPlaces, read_until: dict[str, int], size: int
) -> None:
    for shard_id, shard in places.stream.by_id.items():
        for start in range(read_until.get(shard_id, 0), len(shard.records), size):
            records = shard.records[start : start + size]
            functions.reduce(shard_id, [(each.data, each.arrived_at) for each in records])
            metrics.clear_metrics()
        read_until[shard_id] = len(shard.records)


def run() -> list[Result]:
    sizes = batch_sizes_of("live")
    return [_result(case, counted(case, sizes)) for case in CASES]


def _result(case: Case, work: Work) -> Result:
    rows = [_row(kind, each) for kind, each in sorted(work.written.items())]
    return Result(
        name=f"units: {case.name}",
        title=f"DynamoDB writes per {EVENTS:,} events: {case.name}",
        columns={
            "kind": "item",
            "writes": ("writes per event", 3),
            "units": ("units per event", 3),
            "average": "bytes, average",
            "largest": "bytes, largest",
        },
        rows=[*rows, _sum_of(work)],
        notes=(
            "a unit is one KiB of names and values, begun; two in a transaction, one in an index",
            f"{work.transactions} transactions; batches of up to {case.stream_records} records",
            f"{work.reads / EVENTS:.2f} strongly consistent reads of an item per event",
            f"storage is billed with {ITEM_OVERHEAD_BYTES} bytes more for each item and entry",
        ),
        bounds=[
            Bound(f"each {kind} has at most {UNIT_BYTES:,} bytes", _is_one_unit(work.written[kind]))
            for kind in (CLAIM, MARK, "index by-window")
        ],
    )


def _is_one_unit(written: Written) -> bool:
    return max(written.sizes) <= UNIT_BYTES


def _row(kind: str, each: Written) -> Row:
    return {
        "kind": kind,
        "writes": round(each.writes / EVENTS, 3),
        "units": round(each.units / EVENTS, 3),
        "average": round(sum(each.sizes) / len(each.sizes)),
        "largest": max(each.sizes),
    }


def _sum_of(work: Work) -> Row:
    writes = sum(each.writes for each in work.written.values())
    return {
        "kind": "all",
        "writes": round(writes / EVENTS, 3),
        "units": round(work.units / EVENTS, 3),
        "average": "",
        "largest": "",
    }
