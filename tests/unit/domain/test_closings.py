"""Closings: what a balance was at the end of a day, worked out without AWS."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.closings import (
    FIRST,
    ClosedDay,
    Closing,
    closing_of,
    counted_since,
    day_after,
    day_of,
    end_of,
    figures_after,
    is_over,
)
from falcon_balances.domain.history import Figures, Window
from falcon_balances.domain.instants import QUARTER, parse_rfc3339
from falcon_balances.domain.table_keys import BalanceKey
from tests.strategies import few

BALANCE = BalanceKey("bs-1", "EUR")
MIDNIGHT = parse_rfc3339("2026-11-20T00:00:00Z")


def windows_of(*counted: tuple[int, int]) -> list[Window]:
    """Quarters by number from 20 November on, and what each counted."""
    return [Window(MIDNIGHT + n * QUARTER, BALANCE, Figures(amount)) for n, amount in counted]


def test_a_closing_is_the_one_before_and_what_was_counted_since():
    before = Closing(BALANCE, "2026-11-17", Figures(100))
    found = closing_of(BALANCE, "2026-11-20", before, windows_of((0, 10), (95, -3)))
    assert found == Closing(BALANCE, "2026-11-20", Figures(107))


def test_the_first_closing_needs_none_before_it():
    assert counted_since(None) == FIRST
    found = closing_of(BALANCE, "2026-11-20", None, windows_of((0, 1), (3, 10)))
    assert found == Closing(BALANCE, "2026-11-20", Figures(11))


@pytest.mark.parametrize(
    "counted", [(), ((-1, 5),), ((96, 5),), ((-1, 5), (3, 1)), ((3, 1), (96, 5)), ((-500, 1),)]
)
def test_quarters_of_another_day_or_none_give_no_closing(counted):
    assert closing_of(BALANCE, "2026-11-20", None, windows_of(*counted)) is None


def test_a_day_is_over_when_its_last_quarter_is_closed():
    end = MIDNIGHT + timedelta(days=1)
    assert end_of("2026-11-20") == end
    assert not is_over("2026-11-20", end - QUARTER)
    assert is_over("2026-11-20", end)
    assert day_after("2026-12-31") == "2027-01-01"
    assert day_of(end - QUARTER) == "2026-11-20"
    assert ClosedDay("2026-11-20").at == end
    assert ClosedDay().at == FIRST


@few
@given(st.dictionaries(st.integers(0, 10 * 96 - 1), st.integers(-99, 99)))
def test_closings_day_by_day_end_where_all_windows_together_do(counted):
    windows, last = windows_of(*sorted(counted.items())), None
    for n in range(10):
        day = day_of(MIDNIGHT + timedelta(days=n))
        since = [w for w in windows if counted_since(last) <= w.start < end_of(day)]
        closing = closing_of(BALANCE, day, last, since)
        assert (closing is None) == (not since)
        last = closing or last
        assert figures_after(last, ()) == figures_after(
            None, (w for w in windows if w.start < end_of(day))
        )
