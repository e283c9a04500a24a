"""Days are closed in their order, once, each balance exactly, whatever crashes or comes late."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from falcon_balances.adapters.past_ports import MovedOnDay
from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance, day_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.history import Figures
from falcon_balances.domain.instants import QUARTER
from falcon_balances.domain.past_keys import ClosingKey
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, merchant_pk
from falcon_balances.fakes.closings import MemoryMovedBalances
from falcon_balances.fakes.interruptions import Crash, never
from falcon_balances.observability import metrics
from lambdas.closer.closing import close_days
from tests.component.closing import EUR, MERCHANT, OTHER, closed, count, ports_of
from tests.component.ledger import Ledger
from tests.component.world import utc


@pytest.fixture(autouse=True)
def _no_metrics_left() -> Iterator[None]:
    yield
    metrics.clear_metrics()


def test_a_day_is_closed_when_its_last_quarter_is(ledger):
    count(ledger, "2026-11-20T10:00:00")
    ledger.at("2026-11-21T00:00:04").cut()
    assert close_days(ports_of(ledger)) == 0
    assert ledger.store.closed_day.day is None
    ledger.at("2026-11-21T00:00:05").cut()
    assert close_days(ports_of(ledger)) == 1
    assert closed(ledger) == {("bs-5553-eur", "2026-11-20"): 100}
    assert ledger.store.closed_day.day == "2026-11-20"


def test_nothing_is_closed_before_anything_was_counted_or_cut(ledger):
    assert close_days(ports_of(ledger)) == 0
    ledger.at("2026-11-22T10:00:00").cut()
    assert close_days(ports_of(ledger)) == 0
    assert ledger.store.closed_day.day is None


def test_each_day_has_closings_of_the_balances_that_moved_alone(ledger):
    count(ledger, "2026-11-20T10:00:00", "bs-5553-eur", "bs-other")
    count(ledger, "2026-11-20T23:59:59")
    count(ledger, "2026-11-23T00:00:00", "bs-other", amount="5.00")
    ledger.at("2026-11-25T10:00:00").cut()
    assert close_days(ports_of(ledger)) == 3
    assert closed(ledger) == {
        ("bs-5553-eur", "2026-11-20"): 200,
        ("bs-other", "2026-11-20"): 100,
        ("bs-other", "2026-11-23"): 600,
    }
    assert ledger.store.closed_day.day == "2026-11-24"


def test_what_is_counted_after_the_day_is_not_in_its_closing_however_late_it_is_closed(ledger):
    count(ledger, "2026-11-20T10:00:00")
    count(ledger, "2026-11-21T00:00:00", amount="7.00")
    count(ledger, "2026-12-24T00:00:00", amount="9.00")
    ledger.at("2026-12-24T00:10:00").cut()
    close_days(ports_of(ledger))
    assert closed(ledger) == {
        ("bs-5553-eur", "2026-11-20"): 100,
        ("bs-5553-eur", "2026-11-21"): 800,
    }
    assert ledger.store.closed_day.day == "2026-12-23"


def test_a_day_closed_twice_is_the_same_day(ledger):
    count(ledger, "2026-11-20T10:00:00")
    ledger.at("2026-11-21T00:10:00").cut()
    close_days(ports_of(ledger))
    before = dict(ledger.store.closings)
    ledger.store.closed_day = ClosedDay(None)  # of a run that was slower
    assert close_days(ports_of(ledger)) == 0
    assert ledger.store.closings == before
    assert ledger.store.closed_day.day == "2026-11-20"


def trade(ledger: Ledger) -> None:
    """Three days of three balances, the last without one of them."""
    for day in (20, 21, 22):
        shops = ("bs-5553-eur", "bs-other", "bs-third")[: 3 if day < 22 else 2]
        count(ledger, f"2026-11-{day}T10:00:00", *shops)
        count(ledger, f"2026-11-{day}T23:50:00", "bs-other", amount="3.00")
    ledger.at("2026-11-23T00:10:00").cut()


def points_of(ledger: Ledger) -> list[str]:
    points: list[str] = []
    ledger.store.interrupt = points.append
    close_days(ports_of(ledger))
    ledger.store.interrupt = never
    return points


def test_a_run_that_crashes_at_any_call_is_finished_by_the_next(ledger):
    trade(ledger)
    number = len(points_of(ledger))
    expected, day = dict(ledger.store.closings), ledger.store.closed_day
    assert (len(expected), day.day) == (8, "2026-11-22")
    for crash_at in range(number):
        ledger.store.closings.clear()
        ledger.store.moved.clear()
        ledger.store.closed_day = ClosedDay(None)
        left = iter(range(crash_at))

        def crash(_point: str, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise Crash

        ledger.store.interrupt = crash
        with pytest.raises(Crash):
            close_days(ports_of(ledger))
        ledger.store.interrupt = never
        assert is_complete(ledger, expected), "the closed day moved before its closings"
        close_days(ports_of(ledger))
        assert (ledger.store.closings, ledger.store.closed_day) == (expected, day)


def is_complete(ledger: Ledger, expected: dict[ItemKey, Closing]) -> bool:
    """Whether each closing until the closed day is there, and each that is there is right."""
    known = ledger.store.closed_day.day or ""
    there = ledger.store.closings
    due = {key for key, closing in expected.items() if closing.day <= known}
    return due <= there.keys() and all(expected[key] == each for key, each in there.items())


@pytest.mark.parametrize("balances_max", [1, 2, 3, 4])
def test_a_run_whose_time_is_over_is_continued_where_it_ended(ledger, balances_max):
    trade(ledger)
    points_of(ledger)
    expected = dict(ledger.store.closings)
    ledger.store.closings.clear()
    ledger.store.moved.clear()
    ledger.store.closed_day = ClosedDay(None)
    runs = 0
    while ledger.store.closed_day.day != "2026-11-22":
        before = len(ledger.store.closings)
        assert close_days(ports_of(ledger, balances_max)) <= balances_max
        assert is_complete(ledger, expected)
        assert len(ledger.store.closings) > before or ledger.store.closed_day.day == "2026-11-22"
        runs += 1
    assert ledger.store.closings == expected
    assert runs <= 8 // balances_max + 1


@pytest.mark.parametrize("quarters", [1, 7, 50])
def test_a_day_is_read_by_as_many_runs_as_it_takes_and_no_quarter_twice(ledger, quarters):
    trade(ledger)
    points_of(ledger)
    expected = dict(ledger.store.closings)
    ledger.store.closings.clear()
    ledger.store.moved.clear()
    ledger.store.closed_day, read = ClosedDay(None), []

    class Slow(MemoryMovedBalances):
        def between(self, since: datetime, until: datetime, journal: str) -> MovedOnDay:
            found = super().between(since, min(until, since + quarters * QUARTER), journal)
            read.append((since, found.until))
            return found

    for _ in range(3 * 96 // quarters + 3):
        close_days(replace(ports_of(ledger), moved=Slow(ledger.store)))
    assert ledger.store.closings == expected
    assert ledger.store.closed_day.day == "2026-11-22"
    moved_on = [each for each in read if each[0] < each[1]]
    assert all(end == start for (_, end), (start, _) in pairwise(moved_on))


def test_what_is_read_during_the_day_is_not_read_again_when_it_is_over(ledger):
    count(ledger, "2026-11-20T10:00:00", "bs-5553-eur", "bs-other")
    ledger.at("2026-11-20T12:10:00").cut()
    assert close_days(ports_of(ledger)) == 0
    assert closed(ledger) == {}
    assert ledger.store.closed_day.read_until == utc("2026-11-20T12:00:00")
    count(ledger, "2026-11-20T23:00:00", amount="3.00")
    ledger.at("2026-11-21T00:10:00").cut()
    assert close_days(ports_of(ledger)) == 2
    assert closed(ledger) == {("bs-5553-eur", "2026-11-20"): 400, ("bs-other", "2026-11-20"): 100}


def test_two_runs_at_once_close_each_day_once(ledger):
    trade(ledger)
    points_of(ledger)
    expected = dict(ledger.store.closings)
    for at in range(0, 90, 4):
        ledger.store.closings.clear()
        ledger.store.moved.clear()
        ledger.store.closed_day = ClosedDay(None)
        left = iter(range(at))

        def other(_point: str, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                ledger.store.interrupt = never
                close_days(ports_of(ledger, 4))

        ledger.store.interrupt = other
        close_days(ports_of(ledger))
        ledger.store.interrupt = never
        close_days(ports_of(ledger))
        assert ledger.store.closings == expected
        assert ledger.store.closed_day.day == "2026-11-22"


def key_of(day: str, balance: BalanceKey = EUR) -> ItemKey:
    return ItemKey(merchant_pk(MERCHANT), ClosingKey(balance, day).sk)


def test_another_closing_of_a_day_is_an_alarm_and_no_later_day_is_closed(ledger):
    trade(ledger)
    forged = Closing(EUR, "2026-11-21", Figures(adjusted=777))
    ledger.store.closings[key_of("2026-11-21")] = forged
    for _ in range(2):
        with pytest.raises(IntegrityError, match="m-5553 BALANCE#bs-5553-eur#EUR 2026-11-21"):
            close_days(ports_of(ledger))
        assert metrics.metric_set["ClosingConflicts"]["Value"][-1] == 1.0
        assert ledger.store.closings[key_of("2026-11-21")] == forged
        assert ledger.store.closed_day.day == "2026-11-20"
    # It holds up no other balance of its day.
    assert key_of("2026-11-21", OTHER) in ledger.store.closings
    assert key_of("2026-11-22", OTHER) not in ledger.store.closings


def test_an_alarm_is_given_though_the_time_is_over(ledger):
    trade(ledger)
    ledger.store.closings[key_of("2026-11-20")] = Closing(EUR, "2026-11-20", Figures())
    with pytest.raises(IntegrityError):
        close_days(ports_of(ledger, 2))
    assert ledger.store.closed_day.day is None, "the wrong one is looked at again"


class Saying(MemoryMovedBalances):
    """Says that other balances moved than those of which the table counted something."""

    def __init__(self, ledger: Ledger, *said: MovedBalance) -> None:
        super().__init__(ledger.store)
        self.said = said

    def between(self, since: datetime, until: datetime, journal: str) -> MovedOnDay:
        return super().between(since, until, journal)._replace(balances=frozenset(self.said))


def test_a_balance_that_is_said_to_have_moved_and_did_not_keeps_its_day_open(ledger):
    count(ledger, "2026-11-20T10:00:00")
    ledger.at("2026-11-21T00:10:00").cut()
    nobody = MovedBalance("m-nobody", OTHER)
    ports = replace(ports_of(ledger), moved=Saying(ledger, MovedBalance(MERCHANT, EUR), nobody))
    with pytest.raises(IntegrityError, match="m-nobody BALANCE#bs-other#EUR 2026-11-20: its quar"):
        close_days(ports)
    assert metrics.metric_set["ClosingConflicts"]["Value"] == [1.0]
    assert closed(ledger) == {("bs-5553-eur", "2026-11-20"): 100}
    assert ledger.store.closed_day.day is None


def test_quarters_of_a_day_that_was_closed_without_them_are_no_part_of_a_later_closing(ledger):
    count(ledger, "2026-11-20T10:00:00", "bs-5553-eur", "bs-other")
    ledger.at("2026-11-21T00:10:00").cut()
    close_days(replace(ports_of(ledger), moved=Saying(ledger, MovedBalance(MERCHANT, EUR))))
    count(ledger, "2026-11-21T10:00:00", "bs-5553-eur", "bs-other")
    ledger.at("2026-11-22T00:10:00").cut()
    with pytest.raises(IntegrityError, match="m-5553 BALANCE#bs-other#EUR 2026-11-21: its quar"):
        close_days(ports_of(ledger))
    assert closed(ledger) == {
        ("bs-5553-eur", "2026-11-20"): 100,
        ("bs-5553-eur", "2026-11-21"): 200,
    }
    assert ledger.store.closed_day.day == "2026-11-20"


def test_a_merchant_that_never_moved_again_costs_nothing(ledger):
    count(ledger, "2026-11-20T10:00:00")
    ledger.at("2027-11-20T10:00:00").cut()
    points = points_of(ledger)
    assert len(ledger.store.closings) == 1
    assert sum(point.startswith("before MemoryMerchantReads") for point in points) == 2
    following = ledger.now + timedelta(days=1)
    ledger.now = following
    ledger.cut()
    points = points_of(ledger)
    assert not [point for point in points if "MemoryMerchantReads" in point]
    assert ledger.store.closed_day.day == day_of(following - timedelta(days=1))
