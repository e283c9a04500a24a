"""The journal is complete when a quarter closes, wherever the reducer was killed before."""

from collections.abc import Iterator

import pytest

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import BEGINNING
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    claim_of,
    confirmed,
    cut_of,
    data_of,
    records_of,
)
from tests.component.journaling import (
    CUT_AT,
    RECORDS,
    SHOPS,
    START,
    World,
    at,
    calls_of_a_batch,
    cut,
    order,
    record,
)
from tests.journals import SHARD, quiet


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
