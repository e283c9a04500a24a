"""Each run of the closer says how old the first day is that is not closed, however the run ends."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from falcon_balances.adapters.past_ports import MovedOnDay
from falcon_balances.domain.closings import Closing, day_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.history import Figures
from falcon_balances.fakes.closings import MemoryMovedBalances
from falcon_balances.observability import metrics
from lambdas.closer.closing import CloserPorts, close_days
from tests.component.closing import EUR, count, ports_of
from tests.component.ledger import Ledger
from tests.component.test_closer import key_of, trade


def ages(ledger: Ledger, ports: CloserPorts) -> list[float]:
    """In hours, as the run published them."""
    metrics.clear_metrics()
    with suppress(IntegrityError):
        close_days(replace(ports, now=lambda: ledger.now))
    values = metrics.metric_set["ClosedDayAge"]["Value"]
    metrics.clear_metrics()
    return [each / 3600 for each in values]


def test_each_run_says_how_long_ago_the_first_day_that_is_not_closed_began(ledger):
    assert ages(ledger, ports_of(ledger)) == [0.0]
    count(ledger, "2026-11-20T10:00:00")
    ledger.at("2026-11-21T00:00:00").cut()
    assert ages(ledger, ports_of(ledger)) == [24.0]
    ledger.at("2026-11-22T06:00:00").cut()
    assert ages(ledger, ports_of(ledger)) == [54.0, 30.0, 6.0]


def test_a_run_that_fails_or_has_no_time_says_the_age_all_the_same(ledger):
    trade(ledger)
    ledger.at("2026-11-23T05:00:00")
    assert ages(ledger, ports_of(ledger, 0)) == [77.0]
    ledger.store.closings[key_of("2026-11-20")] = Closing(EUR, "2026-11-20", Figures())
    assert ages(ledger, ports_of(ledger)) == [77.0]


def test_a_day_that_could_not_be_read_in_time_is_not_closed(ledger):
    trade(ledger)

    class Slow:
        table = MemoryMovedBalances(ledger.store)

        def first_day(self) -> str | None:
            return self.table.first_day()

        def between(self, since: datetime, until: datetime, journal: str) -> MovedOnDay:
            slow = MemoryMovedBalances(ledger.store, lambda: day_of(since) >= "2026-11-21")
            return slow.between(since, until, journal)

    assert close_days(replace(ports_of(ledger), moved=Slow())) == 3
    assert ledger.store.closed_day.day == "2026-11-20"
    assert close_days(ports_of(ledger)) == 5
