"""Closings and the closed day: written once, read newest first, moved forward only."""

from dataclasses import replace

import pytest

from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance
from falcon_balances.domain.history import Figures
from tests.component.ports.tables import BS_1, BS_1_JPY, BS_10, at

FIGURES = Figures(*range(1, 11))
CLOSING = Closing(BS_1, "2026-11-20", FIGURES)


def test_a_closing_is_read_as_it_was_written(tables, reads):
    assert tables.closings.put("m-1", CLOSING) is None
    assert list(reads.closings(BS_1, "2026-11-21", 1)) == [CLOSING]


@pytest.mark.parametrize("logged", [None, 0, -5, 10**15])
def test_what_the_log_says_of_a_closing_is_kept_and_no_part_of_it(tables, reads, logged):
    tables.closings.put("m-1", replace(CLOSING, logged=logged))
    [found] = reads.closings(BS_1, "2026-11-21", 1)
    assert (found, found.logged) == (CLOSING, logged)
    assert tables.closings.put("m-1", replace(CLOSING, logged=1)) == CLOSING


def test_a_closing_is_never_written_over(tables, reads):
    tables.closings.put("m-1", CLOSING)
    assert tables.closings.put("m-1", CLOSING) == CLOSING
    other = replace(CLOSING, figures=FIGURES + Figures(1))
    assert tables.closings.put("m-1", other) == CLOSING
    assert list(reads.closings(BS_1, "2026-11-21", 9)) == [CLOSING]


@pytest.mark.parametrize(
    ("before", "limit", "found"),
    [
        ("2026-11-21", 9, ["2026-11-20", "2026-11-19", "2026-10-31", "2025-12-31"]),
        ("2026-11-21", 2, ["2026-11-20", "2026-11-19"]),
        ("2026-11-20", 1, ["2026-11-19"]),
        ("2026-11-01", 1, ["2026-10-31"]),
        ("2026-10-31", 9, ["2025-12-31"]),
        ("2025-12-31", 9, []),
        ("0001-01-01", 9, []),
    ],
)
def test_closings_before_a_day_are_the_balance_s_own_newest_first(
    tables, reads, before, limit, found
):
    for day in ("2026-11-20", "2025-12-31", "2026-10-31", "2026-11-19"):
        for balance in (BS_1, BS_10, BS_1_JPY):
            tables.closings.put("m-1", Closing(balance, day, FIGURES))
            tables.closings.put("m-10", Closing(balance, day, Figures()))
    closings = reads.closings(BS_1, before, limit)
    assert closings == [Closing(BS_1, day, FIGURES) for day in found]


def test_no_day_is_closed_in_the_beginning(tables, reads):
    assert tables.closings.closed_day() == ClosedDay(None)
    assert reads.progress() == (None, ClosedDay(None))


def test_the_closed_day_moves_forward_from_where_it_is(tables, reads):
    tables.store.advance_as_of(at("10:15:00"))
    first, second = ClosedDay("2026-11-18", "read"), ClosedDay("2026-11-19", "read on")
    tables.closings.advance(None, first)
    tables.closings.advance(None, ClosedDay("2026-11-17"))  # of a run that was slower
    assert tables.closings.closed_day() == first
    tables.closings.advance("2026-11-18", second)
    tables.closings.advance("2026-11-17", first)
    assert tables.closings.closed_day() == second
    assert reads.progress() == (at("10:15:00"), ClosedDay("2026-11-19"))


@pytest.mark.parametrize("day", [None, "2026-11-18"])
def test_a_run_notes_how_far_it_came_until_the_day_is_closed(tables, day):
    if day is not None:
        tables.closings.advance(None, ClosedDay(day))
    paused = ClosedDay(day, "read", MovedBalance("m-1", BS_10), at("10:15:00"))
    tables.closings.pause(paused)
    assert tables.closings.closed_day() == paused
    tables.closings.advance(day, ClosedDay("2026-11-19"))
    assert tables.closings.closed_day() == ClosedDay("2026-11-19")
    tables.closings.pause(paused)  # of a run that was slower
    assert tables.closings.closed_day() == ClosedDay("2026-11-19")


def test_a_run_that_pauses_tells_readers_nothing(tables, reads):
    tables.closings.pause(ClosedDay(None, "read", MovedBalance("m-1", BS_10), at("10:15:00")))
    assert reads.progress() == (None, ClosedDay(None))


def test_what_moved_is_noted_by_day_and_each_balance_once(tables):
    some = {MovedBalance(f"m-{n}", BS_10) for n in range(2_500)}
    assert tables.closings.noted("2026-11-18") == set()
    tables.closings.note("2026-11-18", some)
    tables.closings.note("2026-11-18", [])
    for _ in range(2):
        tables.closings.note("2026-11-18", [MovedBalance("m-1", BS_1_JPY)])
    tables.closings.note("2026-11-19", [MovedBalance("m-2", BS_1)])
    assert tables.closings.noted("2026-11-18") == some | {MovedBalance("m-1", BS_1_JPY)}
    assert tables.closings.noted("2026-11-19") == {MovedBalance("m-2", BS_1)}


def test_a_run_that_read_nothing_notes_nothing(tables):
    tables.closings.pause(ClosedDay(None))
    assert tables.closings.closed_day() == ClosedDay(None)
