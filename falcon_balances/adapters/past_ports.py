"""Ports of a balance's past: who reads it, and who closes days. One method is one AWS call."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol, TypeVar

from falcon_balances.domain.balances import Balance
from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance
from falcon_balances.domain.history import Window
from falcon_balances.domain.table_keys import BalanceKey

T = TypeVar("T")


class PastReads(Protocol):
    """Reads of one merchant's past, strongly consistent."""

    @property
    def merchant_id(self) -> str: ...

    def as_of(self) -> datetime | None:
        """The time up to which everything that reached the stream is in items read afterwards."""

    def progress(self) -> tuple[datetime | None, ClosedDay]:
        """`as_of`, and the day until whose end everything is in closings read afterwards: that day
        alone, not how far the journals were read.
        """

    def balances(self) -> Sequence[Balance]:
        """In no particular order."""

    def windows(self, balance: BalanceKey, start: datetime, end: datetime) -> Sequence[Window]:
        """The balance's windows that start at or after `start` and before `end`, oldest first."""

    def closings(self, balance: BalanceKey, before: str, limit: int) -> Sequence[Closing]:
        """The balance's closings of days before that day, `limit` at most, newest first."""

    def of_each(
        self, balances: Sequence[BalanceKey], read: Callable[[BalanceKey], T]
    ) -> Sequence[T]:
        """The answers of `read`, which calls these reads, in the order of the balances. No call:
        AWS is asked about several balances at once.
        """


class Closings(Protocol):
    """What is written for the days that are closed, and how far they are."""

    def closed_day(self) -> ClosedDay:
        """Strongly consistent."""

    def put(self, merchant_id: str, closing: Closing) -> Closing | None:
        """Writes the closing if there is none. None if it was written, else the existing one."""

    def pause(self, closed: ClosedDay) -> None:
        """Notes which balances are done of the day after `closed.day`, unless that is closed."""

    def advance(self, closed: str | None, following: ClosedDay) -> None:
        """Moves the closed day forward; no effect if it is no longer `closed`."""


class MovedOnDay(NamedTuple):
    """`balances`: sorted, each once. `journal`: how far the journals were read."""

    balances: Sequence[MovedBalance]
    journal: str


class MovedBalances(Protocol):
    def first_day(self) -> str | None:
        """The first day on which anything was counted."""

    def on(self, day: str, journal: str) -> MovedOnDay | None:
        """The balances of which something was counted on a day that is over; None if the run's time
        was used up before the day was read.

        `journal`: what this said of the day before; empty for the first day. So a day costs what
        was counted on it, whatever the age of the log.
        """
