"""The journal is complete when a quarter closes, wherever the reducer was killed before."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import BEGINNING, JournalEntry
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import Crash, never
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


def test_what_is_counted_is_journaled_with_its_batch():
    world = World()
    world.reduce(RECORDS)
    world.check()
    [entries] = world.pages()
    assert [each.log_key.split("/")[0] for each in entries].count("reconciled") == 1
    assert len({each.log_key for each in entries}) == len(entries) == 6
    [of_two_parts] = [each for each in entries if len(each.effect) > 24]
    assert len(of_two_parts.effect) == SHOPS


@pytest.mark.parametrize("size", [1, 2, 3, len(RECORDS)])
def test_killed_at_any_call_and_repeated_with_any_borders_the_journal_is_complete(size):
    """Also between counting and journaling, and between journaling and the cut."""
    for killed_at in range(1, calls_of_a_batch() + 1):
        world = World(killed_at)
        assert world.is_killed(RECORDS)
        world.finish(size)
        world.check()


@pytest.mark.parametrize("size", [2, 3, 5])
def test_killed_twice_the_journal_is_complete(size):
    total = calls_of_a_batch()
    for killed_at in range(1, total + 1, 3):
        world = World(killed_at)
        assert world.is_killed(RECORDS)
        world.calls, world.killed_at = 0, killed_at
        world.is_killed(RECORDS[:size])
        world.finish(size + 1)
        world.check()


def between(first: str, second: str) -> Iterator[int]:
    """The numbers of the calls after the last `first` and before the first `second`."""
    world = World()
    world.reduce(RECORDS)
    start = max(n for n, point in enumerate(world.points) if point == f"after {first}")
    end = min(n for n, point in enumerate(world.points) if point == f"before {second}")
    assert start < end, f"{first} must come before {second}"
    return iter(range(start + 1, end + 2))


def test_killed_between_counting_and_journaling_an_attempt_leaves_no_page():
    for killed_at in between("MemoryBalanceStore.transact", "MemoryJournal.write"):
        world = World(killed_at)
        assert world.is_killed(RECORDS)
        assert world.pages() == []
        assert world.store.cuts_met == {}
        world.finish(3)
        world.check()


def test_killed_between_journaling_and_the_cut_an_attempt_leaves_a_page_and_meets_no_cut():
    for killed_at in between("MemoryJournal.write", "MemoryBalanceStore.meet_cut"):
        world = World(killed_at)
        assert world.is_killed(RECORDS)
        assert len(world.pages()) == 1
        assert world.store.cuts_met == {}
        world.finish(4)
        world.check()


def test_a_batch_costs_one_page_and_one_write_more():
    world = World()
    world.reduce(RECORDS[:3])
    assert world.points.count("after MemoryJournal.write") == 1
    assert world.points.count("after MemoryBalanceStore.move_shard") == 2, "one to begin the shard"


def test_a_batch_that_counts_nothing_writes_no_page_and_moves_nothing():
    world = World()
    world.reduce([record(order(1), 1)])
    before = world.store.journaled[SHARD]
    world.points.clear()
    world.reduce([cut("2026-11-20T10:16:00Z")])
    assert world.points.count("after MemoryJournal.write") == 0
    assert world.points.count("after MemoryBalanceStore.move_shard") == 0
    [position] = world.store.cuts_met[parse_rfc3339("2026-11-20T10:16:00Z")].values()
    assert position == before


def test_a_refused_record_is_not_journaled():
    world = World()
    world.reduce([record(order(1), 1), record(order(1, amount="1.00"), 2)])
    world.reduce([StreamRecord(b"{}", at(3)), record(order(1, amount="2.00"), 4)])
    assert [[each.body for each in page] for page in world.pages()] == [[order(1).body]]


def test_a_parked_record_is_journaled_when_it_is_counted():
    first = claim_of(confirmed())
    more = {"revision": 2, "revised_at": "2026-11-20T10:19:00Z", "amount": "90.00"}
    second = claim_of(confirmed(**more)).revising(first)
    [one], [two] = records_of(first), records_of(second)
    world = World()
    world.reduce([record(two, 1)])
    assert world.pages() == []
    world.reduce([record(one, 2), record(two, 3), cut()])
    world.check()
    [entries] = world.pages()
    assert [each.body for each in entries] == [one.body, two.body]


def test_a_repeat_is_journaled_as_its_mark_says_not_as_it_arrived():
    world = World()
    world.reduce([record(order(1), 1)])
    world.reduce([record(order(1), 950)])
    first, second = world.pages()
    assert first == second
    assert first[0].window == START


def test_a_quarter_without_segments_is_closed_with_an_empty_journal():
    world = World()
    world.reduce([cut()])
    world.check()
    assert world.journal.objects == {}


def test_a_function_that_was_thought_dead_does_not_move_a_shard_that_another_one_moved():
    """It counted, then stood still; meanwhile its batch was handled again, with other borders."""
    slow = World()

    def stand_still(point: str) -> None:
        if point == "before MemoryBalanceStore.move_shard" and slow.store.journaled:
            slow.store.interrupt = never
            slow.reduce(RECORDS[:2])

    slow.store.interrupt = stand_still
    with pytest.raises(TransientError, match="another reducer has handled it"):
        slow.reduce(RECORDS)
    assert slow.store.cuts_met == {}
    slow.finish(3)
    slow.check()


def test_the_rest_of_a_segment_is_counted_in_the_quarter_in_which_it_was_begun():
    """A revision is twice on the stream: before its predecessor, and, a quarter later, behind it.
    The first attempt is killed within the second of them, the next one sees only the first.
    """
    first = claim_of(revised(1), context_of("market"), *SELLERS)
    second = claim_of(revised(2), context_of("market"), *SELLERS).revising(first)
    [one], [two] = (
        [each for each in records_of(claim) if each.part == 1] for claim in (first, second)
    )
    records = [record(two, 1), record(one, 2), record(two, 901)]
    whole = World()
    whole.reduce(records)
    counting = [n for n, point in enumerate(whole.points, 1) if point.endswith("Store.transact")]
    for killed_at in counting:
        world = World(killed_at)
        assert world.is_killed(records)
        for some in ([records[0]], records[1:], [cut("2026-11-20T10:45:10Z")]):
            world.reduce(some)
        check_closed(world.store, world.journal, parse_rfc3339("2026-11-20T10:45:10Z"))


def revised(revision: int) -> dict[str, object]:
    """A sale of all shops; the second revision takes a cent from each."""
    amount, more = "10.00", {}
    if revision > 1:
        amount, more = "9.99", {"revision": 2, "revised_at": "2026-11-20T10:19:00Z"}
    total = "399.60" if revision > 1 else "400.00"
    parts = [(str(n), amount, None) for n in range(SHOPS)]
    return marketplace(parts, total, external_reference="market-2", **more)


def test_an_answer_that_was_lost_is_no_other_reducer():
    """S3's and DynamoDB's clients ask again, and then meet their own writes."""
    world = World()

    def again(point: str) -> None:
        if point == "before MemoryBalanceStore.move_shard" and world.journal.objects:
            world.store.interrupt = never
            [name] = world.journal.names(SHARD, 0)
            assert world.store.move_shard(SHARD, BEGINNING, START, name.position)

    world.store.interrupt = again
    world.reduce(RECORDS[:1])
    assert world.store.journaled[SHARD].number == 1


def test_an_ended_shard_and_its_child_are_journaled_apart():
    world = World()
    world.ports.stream.split_shard(SHARD)  # type: ignore[attr-defined]
    child = "shardId-000000000001"
    world.reduce([record(order(1), 1)])
    reduce_batch(child, [record(order(1), 2), record(order(2), 3)], world.ports)
    done = StreamRecord(data_of(cut_of(CUT_AT, child)), parse_rfc3339(CUT_AT))
    reduce_batch(child, [done], world.ports)
    world.check()
    ends = world.store.ends(parse_rfc3339(CUT_AT))
    assert set(ends) == {SHARD, child}
    closed = ClosedJournal(quiet(world.journal), ends, {})
    assert len(list(closed.entries(None, at(900)))) == 2
    assert closed.positions == ends
    assert BEGINNING not in ends.values()
