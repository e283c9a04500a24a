from dataclasses import asdict, fields
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.history import (
    Figures,
    NotClosedError,
    Past,
    Window,
)
from falcon_balances.domain.instants import QUARTER, parse_rfc3339
from falcon_balances.domain.table_keys import BalanceKey
from tests.strategies import few

NAMES = [field.name for field in fields(Figures)]
BS_1, BS_10 = BalanceKey("bs-1", "EUR"), BalanceKey("bs-10", "EUR")
figures = st.builds(Figures, **{name: st.integers() for name in NAMES})


def at(time: str) -> datetime:
    return parse_rfc3339(f"2026-11-20T{time}Z")


def window(time: str, amount: int, balance: BalanceKey = BS_1) -> Window:
    return Window(at(time), balance, Figures(confirmed=amount, pending=amount, operations_count=1))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_added_and_subtracted_and_no_other(name):
    three, five = Figures(**{name: 3}), Figures(**{name: 5})
    assert asdict(five + three) == dict.fromkeys(NAMES, 0) | {name: 8}
    assert asdict(three - five) == dict.fromkeys(NAMES, 0) | {name: -2}


@few
@given(figures, figures, figures)
def test_figures_add_up_in_any_order_and_what_was_added_can_be_taken_off(a, b, c):
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b) - b == a
    assert a + Figures() == a - Figures() == a
    assert a - a == Figures()


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({}, Figures()),
        (
            {"confirmed": 7, "pending": 7, "operations_count": 1},
            Figures(7, pending=7, operations_count=1),
        ),
        (
            {"withdrawn": 4, "adjusted": -3, "available": -7},
            Figures(withdrawn=4, adjusted=-3, available_before_blocks=-7),
        ),
        (
            {"available": 60, "blocked": 40},
            Figures(available_before_blocks=100),
        ),  # set aside, but there
        ({"available": -10, "blocked": 10}, Figures()),
        ({"blocked": 40}, Figures(available_before_blocks=40)),
        ({"available": 5, "something_new": 9}, Figures(available_before_blocks=5)),
    ],
)
def test_figures_are_counters_before_blocks(counters, expected):
    assert Figures.of(counters) == expected


PAST = Past(
    start=at("10:00:00"),
    opening={BS_1: Figures(7, pending=7, operations_count=2), BS_10: Figures()},
    windows=(
        window("10:00:00", 1),
        window("10:15:00", 10),
        window("10:15:00", 5, BS_10),
        window("10:45:00", 100),
    ),
)


@pytest.mark.parametrize(
    ("time", "confirmed", "of_the_other"),
    [
        ("10:00:00", 7, 0),
        ("10:15:00", 8, 0),
        ("10:30:00", 18, 5),
        ("10:45:00", 18, 5),
        ("11:00:00", 118, 5),
    ],
)
def test_a_balance_at_a_border_is_what_was_counted_before_it(time, confirmed, of_the_other):
    found = PAST.at(at(time))
    assert found.keys() == {BS_1, BS_10}
    assert (found[BS_1].confirmed, found[BS_10].confirmed) == (confirmed, of_the_other)
    assert found[BS_1].pending == confirmed


def test_what_was_before_the_past_stays_in_it():
    past = Past(at("10:45:00"), PAST.opening, PAST.windows[3:])
    assert past.at(at("10:45:00")) == PAST.opening
    assert past.at(at("11:00:00"))[BS_1] == Figures(107, pending=107, operations_count=3)


def test_asking_changes_nothing():
    PAST.at(at("11:00:00"))
    assert PAST.at(PAST.start) == PAST.opening


@pytest.mark.parametrize(
    ("start", "end", "amounts"),
    [
        ("10:00:00", "11:00:00", [1, 10, 5, 100]),
        ("10:00:00", "10:15:00", [1]),
        ("10:15:00", "10:30:00", [10, 5]),
        ("10:15:00", "10:45:00", [10, 5]),
        ("10:30:00", "10:45:00", []),
        ("10:45:00", "11:00:00", [100]),
        ("10:15:00", "10:15:00", []),
        ("11:00:00", "10:00:00", []),
    ],
)
def test_windows_between_are_those_that_began_from_the_first_to_before_the_last(
    start, end, amounts
):
    assert [each.change.confirmed for each in PAST.between(at(start), at(end))] == amounts


@given(
    st.lists(
        st.builds(
            Window,
            st.integers(0, 8).map(lambda n: at("10:00:00") + n * QUARTER),
            st.sampled_from([BS_1, BS_10]),
            figures,
        )
    ),
    st.dictionaries(st.sampled_from([BS_1, BS_10]), figures, min_size=2),
    st.integers(0, 9),
    st.integers(0, 9),
)
@few
def test_a_later_border_is_an_earlier_one_and_what_was_counted_between(windows, opening, m, n):
    first, last = (at("10:00:00") + each * QUARTER for each in sorted((m, n)))
    ordered = tuple(sorted(windows, key=lambda each: each.start))
    past = Past(at("10:00:00"), opening, ordered)
    running = past.at(first)
    for each in past.between(first, last):
        running[each.balance] += each.change
    assert running == past.at(last)


def test_not_closed_says_until_when_it_is():
    assert NotClosedError(at("10:15:00")).closed_until == at("10:15:00")
    assert NotClosedError(None).closed_until is None
    assert "10:15:00" in str(NotClosedError(at("10:15:00")))
