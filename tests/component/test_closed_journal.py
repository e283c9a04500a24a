"""What was counted in closed quarters is read once each, whole, or not at all."""

from datetime import datetime, timedelta

import pytest

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.fakes.journal import MemoryJournal
from tests.component.world import utc
from tests.journals import SHARD, append, entry, page_after

PARENT, CHILD = SHARD, "shardId-000000000002"


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


def at(time: str) -> datetime:
    return utc(f"2026-11-20T{time}:00")


def orders(closed: ClosedJournal, since: str | None, until: str) -> list[str]:
    """The numbers of the orders, as they are read."""
    start = None if since is None else at(since)
    return [
        each.body.splitlines()[1].split(",")[1].removeprefix("order-")
        for each in closed.entries(start, at(until))
    ]


def test_each_quarter_is_read_once_from_where_the_one_before_ended(journal):
    first = append(journal, BEGINNING, entry(0, "10:00"), entry(1, "10:00"))
    second = append(journal, first, entry(2, "10:00"), entry(3, "10:15"))
    third = append(journal, second, entry(4, "10:15"))
    closed = ClosedJournal(journal, {SHARD: second}, {})
    assert orders(closed, None, "10:15") == ["0", "1", "2"]
    assert closed.positions == {SHARD: first}, "the second page has an entry of a later quarter"
    following = ClosedJournal(journal, {SHARD: third}, closed.positions)
    assert orders(following, "10:15", "10:30") == ["3", "4"]
    assert following.positions == {SHARD: third}


def test_a_page_of_a_later_quarter_hides_no_page_behind_it(journal):
    """The floor says so. The next reader starts before all pages that have something for it."""
    start = at("10:00")
    first = append(journal, BEGINNING, entry(0, "10:00"))
    second = append(journal, first, entry(1, "10:30"), floor=start)
    third = append(journal, second, entry(2, "10:00"), entry(3, "10:15"), floor=start)
    last = append(journal, third, entry(4, "10:30"))
    closed = ClosedJournal(journal, {SHARD: last}, {})
    assert orders(closed, None, "10:15") == ["0", "2"]
    assert closed.positions == {SHARD: first}
    assert orders(closed, "10:15", "10:30") == ["3"]
    following = ClosedJournal(journal, {SHARD: last}, closed.positions)
    assert orders(following, "10:30", "10:45") == ["1", "4"]
    assert following.positions == {SHARD: last}


def test_a_reader_fetches_each_page_once_however_many_quarters_it_reads(journal):
    position = BEGINNING
    for n in range(24 * 4):
        position = append(journal, position, entry(n, f"{n // 4:02}:{n % 4 * 15:02}"))
    closed = ClosedJournal(journal, {SHARD: position}, {})
    calls: list[str] = []
    journal.interrupt = calls.append
    start, quarter = at("00:00"), timedelta(minutes=15)
    for n in range(24 * 4):
        assert len(list(closed.entries(start + n * quarter, start + (n + 1) * quarter))) == 1
    assert calls.count("after MemoryJournal.read") == 24 * 4


def test_the_pages_that_were_gone_through_are_known_whenever_they_were_fetched(journal):
    """The first call fetches all three. The second page has something for both."""
    first = append(journal, BEGINNING, entry(0, "10:00"))
    second = append(journal, first, entry(1, "10:00"), entry(2, "10:15"))
    third = append(journal, second, entry(3, "10:15"))
    closed = ClosedJournal(journal, {SHARD: third}, {})
    found = []
    for since, until in (("10:00", "10:15"), ("10:15", "10:30"), ("10:30", "10:45")):
        closed.gone_through.clear()
        orders(closed, since, until)
        found.append({name.position for name in closed.gone_through})
    assert found == [{first, second}, {second, third}, set()]


def test_a_reader_can_read_one_quarter_after_the_other(journal):
    position = BEGINNING
    for n, quarter in enumerate(["10:00", "10:15", "10:30", "10:45"]):
        position = append(journal, position, entry(n, quarter))
    closed = ClosedJournal(journal, {SHARD: position}, {})
    assert orders(closed, None, "10:15") == ["0"]
    assert orders(closed, "10:15", "10:45") == ["1", "2"]
    assert orders(closed, "10:45", "11:00") == ["3"]
    assert orders(closed, "11:00", "11:15") == []


def test_a_quarter_without_segments_has_no_entries(journal):
    assert orders(ClosedJournal(journal, {}, {}), None, "10:15") == []
    assert orders(ClosedJournal(journal, {SHARD: BEGINNING}, {}), None, "10:15") == []
    position = append(journal, BEGINNING, entry(0, "10:00"))
    closed = ClosedJournal(journal, {SHARD: position}, {SHARD: position})
    assert orders(closed, "10:15", "10:30") == []
    assert closed.positions == {SHARD: position}


def test_a_repeat_is_dropped_also_one_of_an_earlier_quarter(journal):
    first = append(journal, BEGINNING, entry(0, "10:00"))
    second = append(journal, first, entry(0, "10:00"), entry(1, "10:00"))
    third = append(journal, second, entry(0, "10:00"), entry(2, "10:15"))
    closed = ClosedJournal(journal, {SHARD: second}, {})
    assert orders(closed, None, "10:15") == ["0", "1"]
    assert orders(ClosedJournal(journal, {SHARD: third}, closed.positions), "10:15", "10:30") == [
        "2"
    ]


def test_a_repeat_that_differs_is_an_error(journal):
    first = append(journal, BEGINNING, entry(0, "10:00"))
    second = append(journal, first, entry(0, "10:15"))
    closed = ClosedJournal(journal, {SHARD: second}, {})
    with pytest.raises(IntegrityError, match=entry(0).log_key):
        orders(closed, None, "10:30")


def test_a_second_version_is_named(journal):
    first = append(journal, BEGINNING, entry(0))
    second = append(journal, first, entry(0, version_id="another"))
    closed = ClosedJournal(journal, {SHARD: second}, {})
    assert [each.version_id for each in closed.entries(None, at("10:30"))] == ["version-0"]
    assert closed.second_versions == {entry(0).log_key}


def test_a_page_of_an_interrupted_attempt_is_not_read(journal):
    append(journal, BEGINNING, entry(0), entry(7))
    first = append(journal, BEGINNING, entry(0))
    append(journal, first, entry(8))
    second = append(journal, first, entry(1))
    closed = ClosedJournal(journal, {SHARD: second}, {})
    assert orders(closed, None, "10:30") == ["0", "1"]


def test_a_missing_page_is_named_before_anything_is_read(journal):
    first = append(journal, BEGINNING, entry(0))
    second = append(journal, first, entry(1))
    del journal.objects[page_after(BEGINNING, entry(0)).name.key]
    with pytest.raises(IntegrityError, match=f"{SHARD}: page {first.text} is missing"):
        ClosedJournal(journal, {SHARD: second}, {})


def test_a_page_that_was_edited_is_an_error(journal):
    page = page_after(BEGINNING, entry(0))
    journal.objects[page.name.key] = page.body.replace(b"100.00", b"900.00")
    closed = ClosedJournal(journal, {SHARD: page.name.position}, {})
    with pytest.raises(IntegrityError, match=page.name.key):
        orders(closed, None, "10:30")


def test_a_shard_that_ended_and_its_child_are_read_one_after_the_other(journal):
    last = append(journal, BEGINNING, entry(0, "10:00"), shard_id=PARENT)
    first = append(journal, BEGINNING, entry(0, "10:00"), entry(1, "10:00"), shard_id=CHILD)
    ends = {CHILD: first, PARENT: last}
    closed = ClosedJournal(journal, ends, {})
    assert orders(closed, None, "10:15") == ["0", "1"]
    later = ClosedJournal(journal, ends, closed.positions)
    assert orders(later, "10:15", "10:30") == []


def test_a_shard_that_is_no_longer_named_keeps_its_position(journal):
    last = append(journal, BEGINNING, entry(0, "10:00"))
    closed = ClosedJournal(journal, {}, {SHARD: last})
    assert orders(closed, "10:15", "10:30") == []
    assert closed.positions == {SHARD: last}


def test_more_pages_than_are_read_at_once(journal):
    position = BEGINNING
    for n in range(40):
        position = append(journal, position, entry(n))
    closed = ClosedJournal(journal, {SHARD: position}, {})
    assert orders(closed, None, "10:30") == [str(n) for n in range(40)]


def test_a_run_costs_what_is_new(journal):
    position = BEGINNING
    for n in range(20):
        position = append(journal, position, entry(n, "10:00"))
    closed = ClosedJournal(journal, {SHARD: position}, {})
    orders(closed, None, "10:15")
    end = append(journal, position, entry(20, "10:15"))
    calls: list[str] = []
    journal.interrupt = calls.append
    orders(ClosedJournal(journal, {SHARD: end}, closed.positions), "10:15", "10:30")
    assert calls.count("after MemoryJournal.names") == 1
    assert calls.count("after MemoryJournal.read") == 1
