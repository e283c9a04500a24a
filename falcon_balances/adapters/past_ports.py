"""Ports of a balance's past: who reads it, and who closes days. One method is one AWS call."""

from collections.abc import Callable, Iterable, Sequence, Set
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
        """A time: items read after this call contain everything that had reached the stream by
        then.
        """

    def progress(self) -> tuple[datetime | None, ClosedDay]:
        """`as_of`, and the closed day: closings read after this call contain everything up to the
        end of that day. Only the `day` of `ClosedDay` is set.
        """

    def balances(self) -> Sequence[Balance]:
        """The merchant's balances, in no particular order."""

    def windows(self, balance: BalanceKey, start: datetime, end: datetime) -> Sequence[Window]:
        """The balance's windows that start at or after `start` and before `end`, oldest first."""

    def closings(self, balance: BalanceKey, before: str, limit: int) -> Sequence[Closing]:
        """The balance's closings of days before the day `before`; `limit` at most, newest first."""

    def of_each(
        self, balances: Sequence[BalanceKey], read: Callable[[BalanceKey], T]
    ) -> Sequence[T]:
        """What `read` returns for each balance, in the order of `balances`. `read` calls the
        methods of this port; several balances are read at the same time.
        """


class Closings(Protocol):
    """Writes the closings of days, and how far days are closed."""

    def closed_day(self) -> ClosedDay:
        """How far the days are closed; strongly consistent."""

    def put(self, merchant_id: str, closing: Closing) -> Closing | None:
        """Writes the closing if there is none. None if it was written, else the existing one."""

    def noted(self, day: str) -> Set[MovedBalance]:
        """The balances that were noted for the day."""

    def note(self, day: str, balances: Iterable[MovedBalance]) -> None:
        """Notes balances that moved on the day, beside those that are noted already. Notes are kept
        for a year.
        """

    def pause(self, closed: ClosedDay) -> None:
        """Writes how far the day after `closed.day` is read, and which of its balances have their
        closings, unless that day is closed already. Its balances must be noted before.
        """

    def advance(self, closed: str | None, following: ClosedDay) -> None:
        """Moves the closed day forward; no effect if it is no longer `closed`."""


class MovedOnDay(NamedTuple):
    """The balances that moved in the quarters before `until`. `journal`: how far the journals were
    read.
    """

    balances: Set[MovedBalance]
    journal: str
    until: datetime


class MovedBalances(Protocol):
    def first_day(self) -> str | None:
        """The first day on which anything was counted."""

    def between(self, since: datetime, until: datetime, journal: str) -> MovedOnDay:
        """The balances of which something was counted in closed quarters of a day: those from
        `since` and before `until`, or fewer if the run's time is used up.

        `journal`: `MovedOnDay.journal` of the quarters before; empty for the first of all. So
        reading costs what was counted in these quarters, whatever the age of the log.
        """
