"""Closings (design §7): what a balance was when a UTC day's last quarter of an hour was closed.

`closing = closing before + quarters since`, never from the live balance, so a closing made late, or
made again, is the same. A balance has a closing for each day on which something was counted of it.
So a balance at any moment is its last closing before that day, plus the quarters of the day.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from falcon_balances.domain.history import Figures, Window
from falcon_balances.domain.table_keys import BalanceKey

FIRST = datetime.min.replace(tzinfo=UTC)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closing:
    """`day`: `YYYY-MM-DD`. `logged`: what was available before blocks by the log, or as far as is
    known from closings before (`logged_unchecked`); None if no closing was checked, or if nothing
    is known to differ.
    """

    balance: BalanceKey
    day: str
    figures: Figures
    logged: int | None = field(default=None, compare=False)

    @property
    def at(self) -> datetime:
        """The moment of its figures: the end of the day."""
        return end_of(self.day)

    @property
    def logged_or_counted(self) -> int:
        """What was available before blocks: by the log, or as it was counted where nothing is
        known to differ.
        """
        return self.figures.available_before_blocks if self.logged is None else self.logged


class ClosedDay(NamedTuple):
    """How far the days are closed.

    `day`: the last closed day; every closing of this day and of all days before it is written. None
    before the first. `journal`: how far the journals were read, in the form of `MovedBalances`: for
    these days, and for the quarters of the next day before `read_until`, whose balances are noted.
    `after`: the last balance of the next day whose closing is written, if any.
    """

    day: str | None = None
    journal: str = ""
    after: "MovedBalance | None" = None
    read_until: datetime | None = None

    @property
    def at(self) -> datetime:
        """The end of the last closed day."""
        return FIRST if self.day is None else end_of(self.day)


class MovedBalance(NamedTuple):
    """A balance of which something was counted on a day."""

    merchant_id: str
    balance: BalanceKey


def end_of(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + _DAY


def start_of(day: str) -> datetime:
    return end_of(day) - _DAY


def day_of(instant: datetime) -> str:
    """The UTC day in which the instant lies."""
    return instant.date().isoformat()


def counted_since(before: Closing | None) -> datetime:
    """The first quarter that the closing does not contain; without a closing, the first of all."""
    return FIRST if before is None else before.at


def figures_after(before: Closing | None, windows: Iterable[Window]) -> Figures:
    """The balance after these windows, which must be all since `before`."""
    total = Figures() if before is None else before.figures
    for window in windows:
        total = total + window.change
    return total


def closing_of(
    balance: BalanceKey, day: str, before: Closing | None, windows: Sequence[Window]
) -> Closing | None:
    """The closing of a closed day on which something was counted of the balance.

    `windows`: all from the closing before to the end of the day. None if they do not all lie on
    this day, or if there are none: then a closing is missing, or the balance did not move.
    """
    if {day_of(window.start) for window in windows} != {day}:
        return None
    return Closing(balance, day, figures_after(before, windows))


def logged_unchecked(before: Closing | None, closing: Closing) -> int | None:
    """`logged` of a closing that is not checked against the log: what was found to differ at the
    closing before differs still, and what moved since is taken as it was counted.
    """
    if before is None or before.logged is None:
        return None
    differs = before.logged - before.figures.available_before_blocks
    return closing.figures.available_before_blocks + differs if differs else None


def day_after(day: str) -> str:
    return day_of(end_of(day))


def is_over(day: str, closed_until: datetime) -> bool:
    """Whether all quarters of the day are before `closed_until`."""
    return end_of(day) <= closed_until
