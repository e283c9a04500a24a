"""One shard, its reducer and its journal, with every call numbered."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import JournalEntry
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import Crash
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.storage import MemoryQuarantine
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    cut_of,
    data_of,
    marketplace,
    reconciled,
    record_of,
    records_of,
)
from tests.component.conftest import no_wait
from tests.journals import SHARD, check_closed, quiet

CUT_AT = "2026-11-20T10:30:10Z"
START = parse_rfc3339("2026-11-20T10:15:00Z")
SHOPS = 40  # in two parts, each a transaction of its own
SELLERS = [context_of(str(n), merchant_id="m-5553") for n in range(SHOPS)]
OF_TWO_PARTS = claim_of(
    marketplace(
        [(str(n), "10.00", "1.00") for n in range(SHOPS)], "400.00", external_reference="market-1"
    ),
    context_of("market"),
    *SELLERS,
)


def at(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def record(event: SegmentRecordV1, seconds: int) -> StreamRecord:
    return StreamRecord(data_of(event), at(seconds))


def cut(cut_at: str = CUT_AT) -> StreamRecord:
    return StreamRecord(data_of(cut_of(cut_at, SHARD)), parse_rfc3339(cut_at))


def order(n: int, **changes: str) -> SegmentRecordV1:
    return record_of(confirmed(external_reference=f"order-{n}", **changes))


# Both stages of one operation, a segment of two parts, a repeat; then the quarter ends.
RECORDS = [
    record(order(1), 1),
    record(record_of(reconciled(external_reference="order-1")), 2),
    *(record(each, 3) for each in records_of(OF_TWO_PARTS)),
    record(order(1), 4),
    record(order(2), 901),
    cut(),
    record(order(3), 912),
    record(order(2), 913),
]


@dataclass
class World:
    """One shard, and every call of its reducer numbered; `killed_at` is the one that kills it."""

    killed_at: int | None = None
    calls: int = 0
    points: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryBalanceStore(self.interrupt)
        self.journal = MemoryJournal(self.interrupt)
        stream = MemoryBalanceStream(lambda: START, 1, self.interrupt)
        quarantine = MemoryQuarantine(self.interrupt)
        self.ports = ReducerPorts(self.store, stream, quarantine, self.journal, wait=no_wait)

    def interrupt(self, point: str) -> None:
        self.points.append(point)
        self.calls += 1
        if self.calls == self.killed_at:
            self.die()
        if point == "after MemoryBalanceStore.advance_as_of":
            assert self.store.known_as_of is not None
            check_closed(self.store, self.journal, self.store.known_as_of)

    def die(self) -> None:
        raise Crash

    def reduce(self, records: Sequence[StreamRecord]) -> None:
        reduce_batch(SHARD, records, self.ports)

    def is_killed(self, records: Sequence[StreamRecord]) -> bool:
        try:
            self.reduce(records)
        except Crash:
            return True
        return False

    def finish(self, size: int) -> None:
        """The whole shard again, in batches of this size."""
        self.killed_at = None
        for first in range(0, len(RECORDS), size):
            self.reduce(RECORDS[first : first + size])

    def check(self) -> None:
        check_closed(self.store, self.journal, parse_rfc3339(CUT_AT))

    def pages(self) -> list[tuple[JournalEntry, ...]]:
        names = quiet(self.journal).names(SHARD, 0)
        return [read_page(name, self.journal.objects[name.key]).entries for name in names]


def calls_of_a_batch() -> int:
    world = World()
    world.reduce(RECORDS)
    return world.calls
