"""Closes days: writes the closing of every balance that moved on a day, then says so.

A run closes days in their order, as far as its time goes, then reads the closed quarters of the day
that is not over; the next run continues. Everything is written if absent, and a closing follows
from closed quarters alone, so runs may crash, repeat and overlap.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.past_ports import Closings, MovedBalances, PastReads
from falcon_balances.domain.closings import (
    ClosedDay,
    Closing,
    MovedBalance,
    closing_of,
    counted_since,
    day_after,
    end_of,
    is_over,
    start_of,
)
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.observability import logger, metrics

_NAMED_MAX: Final = 10  # in one message; the metric counts all


@dataclass(frozen=True, slots=True)
class CloserPorts:
    """`as_of`: how far the stream is counted. `is_over`: whether the run's time is used up.
    `logged`: what was available by the log at a closing, of a merchant of high risk.
    """

    as_of: Callable[[], datetime | None]
    closings: Closings
    moved: MovedBalances
    reads_of: Callable[[str], PastReads]
    is_over: Callable[[], bool]
    now: Callable[[], datetime] = utc_now
    logged: Callable[[str, Closing | None, Closing], int | None] = lambda *_closing: None


def close_days(ports: CloserPorts) -> int:
    """Closes every day that is over. Returns how many closings were written.

    Each balance costs two queries and a write, each merchant a read, and each balance of high risk
    a check; a day's number of balances is bounded by what was counted on it. Raises IntegrityError
    if a day has another closing already, or if the quarters of a balance are not those of the day:
    the day stays open, and no later day is closed.
    """
    as_of = ports.as_of()
    if as_of is None:
        _note_age(None, ports)
        return 0
    closed, until, written = ports.closings.closed_day(), closed_until(as_of), 0
    day = ports.moved.first_day() if closed.day is None else day_after(closed.day)
    _note_age(day, ports)
    while day is not None and start_of(day) < until:
        run = _DayRun(ports, closed, day, min(until, end_of(day)))
        following = run.close()
        written += run.written
        if following is None:
            break
        ports.closings.advance(closed.day, following)
        closed, day = following, day_after(day)
        _note_age(day, ports)
    return written


def _note_age(day: str | None, ports: CloserPorts) -> None:
    """Adds the metric ClosedDayAge: the time since the beginning of the first day that is not
    closed. Up to 24 hours are no delay. Each run adds it first, because an alarm watches it.
    """
    age_s = 0.0 if day is None else (ports.now() - start_of(day)).total_seconds()
    metrics.add_metric(name="ClosedDayAge", unit="Seconds", value=age_s)


class _DayRun:
    """`until`: the end of the day, or before it the first quarter that is not closed."""

    def __init__(self, ports: CloserPorts, closed: ClosedDay, day: str, until: datetime) -> None:
        self._ports = ports
        self._closed = closed
        self._day = day
        self._until = until
        self.written = 0

    def close(self) -> ClosedDay | None:
        """Writes the closings. Returns the closed day; None if it is not over, or if the run's time
        is used up first: then the next run continues.
        """
        wrong: list[str] = []
        balances = self._read()
        read_until = self._closed.read_until
        if read_until is None or not is_over(self._day, read_until):
            return None
        for moved in self._remaining(sorted(balances)):
            if self._ports.is_over():
                self._ports.closings.pause(self._closed)
                _refuse(wrong)
                return None
            why = self._refusal(moved)
            if why is not None:
                wrong.append(f"{moved.merchant_id} {moved.balance.sk} {self._day}: {why}")
            elif not wrong:
                self._closed = self._closed._replace(after=moved)
        _refuse(wrong)
        return ClosedDay(self._day, self._closed.journal)

    def _read(self) -> Set[MovedBalance]:
        """The balances that moved before `read_until`, which it moves on as far as the time goes.
        What was read is noted, and before anything else is done: no run reads it again.
        """
        ports, since = self._ports, self._closed.read_until
        known: Set[MovedBalance] = set() if since is None else ports.closings.noted(self._day)
        since = since or start_of(self._day)
        found = ports.moved.between(since, self._until, self._closed.journal)
        if found.until > since:
            self._closed = self._closed._replace(journal=found.journal, read_until=found.until)
            ports.closings.note(self._day, found.balances - known)
            ports.closings.pause(self._closed)
        return known | found.balances

    def _remaining(self, every: Iterable[MovedBalance]) -> Iterator[MovedBalance]:
        after = self._closed.after
        return (each for each in every if after is None or each > after)

    def _refusal(self, moved: MovedBalance) -> str | None:
        """Writes the closing of a balance. None, or the reason why it cannot be closed so."""
        merchant_id, balance = moved
        reads = self._ports.reads_of(merchant_id)
        before = next(iter(reads.closings(balance, self._day, 1)), None)
        windows = reads.windows(balance, counted_since(before), end_of(self._day))
        closing = closing_of(balance, self._day, before, windows)
        if closing is None:
            return "its quarters since the closing before do not lie on this day"
        closing = replace(closing, logged=self._ports.logged(merchant_id, before, closing))
        existing = self._ports.closings.put(merchant_id, closing)
        self.written += existing is None
        return None if existing in (None, closing) else "it already has another closing"


def _refuse(wrong: list[str]) -> None:
    if wrong:
        metrics.add_metric(name="ClosingConflicts", unit="Count", value=len(wrong))
        logger.error("balances that cannot be closed", balances=wrong[:_NAMED_MAX])
        raise IntegrityError("; ".join(wrong[:_NAMED_MAX]))
