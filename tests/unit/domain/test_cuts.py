from datetime import datetime, timedelta

import pytest

from falcon_balances.domain.cuts import Cut, closed_until, is_believable, newest, window_of
from falcon_balances.domain.instants import parse_rfc3339


def at(time: str) -> datetime:
    return parse_rfc3339(f"2026-11-20T{time}Z")


@pytest.mark.parametrize(
    ("cut_at", "closed"),
    [
        ("10:15:00", "10:00:00"),
        ("10:15:04", "10:00:00"),  # less than 5 s after the border: the quarter stays open
        ("10:15:05", "10:15:00"),
        ("10:16:00", "10:15:00"),
        ("10:30:04", "10:15:00"),
        ("10:30:05", "10:30:00"),
    ],
)
def test_a_cut_closes_what_ended_at_least_five_seconds_before_it(cut_at, closed):
    assert closed_until(at(cut_at)) == at(closed)


def test_the_first_cut_of_a_day_closes_the_day_before():
    first = Cut(parse_rfc3339("2026-11-20T00:00:04Z"), ("shard",))
    assert closed_until(first.cut_at) == parse_rfc3339("2026-11-19T23:45:00Z")


@pytest.mark.parametrize(
    ("arrived_at", "floor", "window"),
    [
        ("10:14:59", None, "10:00:00"),
        ("10:15:00", None, "10:15:00"),
        ("10:14:59", "09:45:00", "10:00:00"),
        ("10:14:59", "10:00:00", "10:00:00"),
        ("10:14:59", "10:15:00", "10:15:00"),  # its quarter is closed: it counts in the next
        ("10:14:59", "11:00:00", "11:00:00"),
    ],
)
def test_a_segment_belongs_to_the_quarter_of_its_arrival_never_to_a_closed_one(
    arrived_at, floor, window
):
    assert window_of(at(arrived_at), floor and at(floor)) == at(window)


@pytest.mark.parametrize(
    ("floors", "expected"),
    [
        ([], None),
        ([None], None),
        ([None, "10:00:00"], "10:00:00"),
        (["10:15:00", None, "10:00:00"], "10:15:00"),
    ],
)
def test_the_newest_floor_of_a_shards_parents_counts(floors, expected):
    assert newest([floor and at(floor) for floor in floors]) == (expected and at(expected))


@pytest.mark.parametrize(
    ("cut_at", "is_believed"),
    [
        ("2026-11-20T10:15:00Z", True),
        ("2026-11-20T10:14:30Z", True),
        ("2026-11-20T10:15:02Z", True),  # two clocks differ a little
        ("2026-11-20T12:15:00Z", False),
        ("9999-12-31T23:59:59Z", False),
        ("0001-01-01T00:00:00Z", False),
    ],
)
def test_a_cut_is_believed_if_it_was_taken_about_when_it_arrived(cut_at, is_believed):
    cut = Cut(parse_rfc3339(cut_at), ("shard",))
    assert is_believable(cut, at("10:15:00") + timedelta(milliseconds=500)) is is_believed


def test_a_cut_that_waits_for_no_shard_is_not_believed():
    assert not is_believable(Cut(at("10:15:00"), ()), at("10:15:00"))
