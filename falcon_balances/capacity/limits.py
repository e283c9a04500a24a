"""The limits of AWS that a load meets, with what it needs of each: those with the least room first.

Per-partition, per-item and per-shard limits are fixed; quotas can be raised.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final

from falcon_balances.capacity.counts import (
    CLAIM_UNITS,
    COUNTER_UNITS,
    RECORD_BYTES,
    STAGES,
    UNITS,
    Batches,
)
from falcon_balances.capacity.counts import batches as batches_of
from falcon_balances.capacity.durations import TRANSACTION_S, running
from falcon_balances.capacity.workload import Workload

SHARD_RECORDS: Final = 1_000
SHARD_BYTES: Final = 1_048_576
PARTITION_UNITS: Final = 1_000
"""Write units a second of one partition, and of one item, of a table or an index.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
"""
INDEX_PARTITIONS: Final = 2
"""The partitions over which the index `by-window` spreads a merchant."""
TABLE_UNITS: Final = 40_000
NEW_TABLE_UNITS: Final = 4_000
"""Write units that a new table on demand allows; the number doubles within half an hour."""
FUNCTIONS: Final = 1_000
DISPATCHERS: Final = 50
SHARDS: Final = 500
PREFIX_PUTS: Final = 3_500
MET_BYTES: Final = 128
"""What each shard adds to a cut's item: its name, and how far it was journaled."""
_ROOM: Final = 0.8
"""A quota is to be raised before a load takes more than this share of it."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What the load needs, and the most that AWS allows, in `unit`. With a `share` above 1 the load
    does not fit.
    """

    name: str
    needed: float
    at_most: float
    unit: str
    is_quota: bool
    remedy: str

    @property
    def share(self) -> float:
        return self.needed / self.at_most

    @property
    def is_to_be_raised(self) -> bool:
        return self.is_quota and self.share > _ROOM


def shards_for(load: Workload) -> int:
    """The number of shards that records, bytes and reducers' transactions need, if each shard is
    used to 80 %. A merchant has one shard, so more shards than merchants are of no use.
    """
    rate = load.per_second
    of_stream = rate / min(SHARD_RECORDS, SHARD_BYTES / RECORD_BYTES)
    first = _shards(load, of_stream)
    reducing_s = rate * transactions_of(batches_of(load, first)) * TRANSACTION_S
    return max(first, _shards(load, reducing_s))


def _shards(load: Workload, full: float) -> int:
    """The number of shards for a load that would fill `full` shards completely."""
    return min(max(1, ceil(full / _ROOM)), load.merchants)


def transactions_of(batches: Batches) -> float:
    """The reducer's transactions per message."""
    return batches.transactions / batches.records


def limits(load: Workload, shards: int, batches: Batches) -> list[Limit]:
    every = [*_of_a_shard(load, shards, batches), *_of_the_load(load, shards, batches)]
    return sorted(every, key=lambda limit: limit.share, reverse=True)


def _of_a_shard(load: Workload, shards: int, batches: Batches) -> Iterator[Limit]:
    """What the busiest shard meets, and the merchant with the most messages. No quota can be raised
    here.
    """
    hottest = load.hottest_per_second
    busiest = max(hottest, load.per_second / min(shards, load.merchants))
    of_a_merchant = "a merchant has one shard, as its id is the stream's partition key"
    yield Limit(
        "stream: bytes of the busiest shard",
        busiest * RECORD_BYTES,
        SHARD_BYTES,
        "bytes/s",
        is_quota=False,
        remedy=f"more shards; {of_a_merchant}",
    )
    yield Limit(
        "stream: records of the busiest shard",
        busiest,
        SHARD_RECORDS,
        "records/s",
        is_quota=False,
        remedy=f"more shards; {of_a_merchant}",
    )
    transactions = busiest * transactions_of(batches)
    yield Limit(
        "reducer: transactions of the busiest shard, one after another",
        transactions * TRANSACTION_S,
        1.0,
        "s/s",
        is_quota=False,
        remedy=f"more shards; {of_a_merchant}; their duration is an estimate",
    )
    yield Limit(
        "index by-window: a partition of the hottest merchant",
        hottest * UNITS["index by-window"] / INDEX_PARTITIONS,
        PARTITION_UNITS,
        "units/s",
        is_quota=False,
        remedy="more partitions",
    )
    yield Limit(
        "table balances: the busiest counter",
        COUNTER_UNITS * transactions,
        PARTITION_UNITS,
        "units/s",
        is_quota=False,
        remedy="larger batches",
    )


def _of_the_load(load: Workload, shards: int, batches: Batches) -> Iterator[Limit]:
    rate, runs = load.per_second, running(batches)
    yield Limit(
        "table balances: write units of table or index",
        rate * table_units(batches),
        TABLE_UNITS,
        "units/s",
        is_quota=True,
        remedy="quota of the table's write throughput",
    )
    yield Limit(
        "table balances: write units of a new table",
        rate * table_units(batches),
        NEW_TABLE_UNITS,
        "units/s",
        is_quota=True,
        remedy="warm the table up before the first day: its warm throughput can be set",
    )
    yield Limit(
        "table event-claims: write units",
        rate * CLAIM_UNITS,
        TABLE_UNITS,
        "units/s",
        is_quota=True,
        remedy="quota of the table's write throughput",
    )
    yield Limit(
        "Lambda: functions at once",
        rate * runs.seconds,
        FUNCTIONS,
        "functions",
        is_quota=True,
        remedy="quota of concurrent executions",
    )
    yield Limit(
        "dispatcher: functions at once for one stage",
        rate / STAGES * runs.dispatcher_s,
        DISPATCHERS,
        "functions",
        is_quota=True,
        remedy="`max_concurrency` in the settings; at most 1,000",
    )
    yield Limit(
        "stream: shards",
        shards,
        SHARDS,
        "shards",
        is_quota=True,
        remedy="quota of shards of the account",
    )
    yield Limit(
        "S3: PUTs of a stage's prefix",
        rate / STAGES,
        PREFIX_PUTS,
        "PUT/s",
        is_quota=True,
        remedy="S3 splits the prefix by itself within an hour; before that it answers 503",
    )
    yield Limit(
        "table balances: the item of a cut, if all shards meet it in one second",
        shards * ceil(MET_BYTES * shards / 1024),
        PARTITION_UNITS,
        "units/s",
        is_quota=False,
        remedy="the shards meet a cut within more than a second",
    )


def table_units(batches: Batches) -> float:
    """Write units of the table `balances` per message, without its indexes."""
    of_items = sum(units for kind, units in UNITS.items() if not kind.startswith("index"))
    return of_items + batches.counter_units


def index_units() -> float:
    """Write units of all indexes of the table `balances` per message."""
    return sum(units for kind, units in UNITS.items() if kind.startswith("index"))
