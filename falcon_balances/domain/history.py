"""What a balance was (design §7): figures at the borders of closed quarters, periods, marks.

`balance at T = balance now - windows since T`, for every T up to which quarters are closed: exact,
and the same for ever. Blocks are no part of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import add, sub
from typing import NamedTuple, Self

from falcon_balances.domain.available import Joint
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, quarter_of
from falcon_balances.domain.operations import BalanceOperation, Stage, staged

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")


class BalanceKey(NamedTuple):
    balance_shop_id: str
    currency: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Minor units, signed. `available_before_blocks`: nothing set aside is taken off."""

    confirmed: int = 0
    reconciled: int = 0
    pending: int = 0
    unapplied: int = 0
    debits_unconfirmed: int = 0
    debits_untraced: int = 0
    withdrawn: int = 0
    adjusted: int = 0
    available_before_blocks: int = 0
    operations_count: int = 0

    @classmethod
    def of(cls, counters: Mapping[str, int]) -> Self:
        """Of the table's counters, whose `available` lacks what is `blocked`."""
        get = counters.get
        return cls(
            get("confirmed", 0),
            get("reconciled", 0),
            get("pending", 0),
            get("unapplied", 0),
            get("debits_unconfirmed", 0),
            get("debits_untraced", 0),
            get("withdrawn", 0),
            get("adjusted", 0),
            get("available", 0) + get("blocked", 0),
            get("operations_count", 0),
        )

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*map(add, self._all(), other._all()))

    def __sub__(self, other: "Figures") -> "Figures":
        return Figures(*map(sub, self._all(), other._all()))

    def _all(self) -> tuple[int, ...]:
        return (
            self.confirmed,
            self.reconciled,
            self.pending,
            self.unapplied,
            self.debits_unconfirmed,
            self.debits_untraced,
            self.withdrawn,
            self.adjusted,
            self.available_before_blocks,
            self.operations_count,
        )


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted in the quarter of an hour that began at `start`."""

    start: datetime
    balance: BalanceKey
    change: Figures


@dataclass(frozen=True, slots=True)
class Day:
    """Sums of one UTC day of operation dates, by stage and type, in minor units.

    `late` are those of its sums that were counted after the day's month had ended.
    """

    date: str
    balance: BalanceKey
    sums: Mapping[tuple[Stage, str], int]
    late: Mapping[tuple[Stage, str], int]
    operations_count: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A segment as it was counted. `order` sorts a merchant's marks as they were counted.

    `effect` is what it added to its balances' joint figures: of its first 24 balances, if it has
    more.
    """

    falcon_operation_id: str
    stage: Stage
    window: datetime
    order: str
    log_key: str
    fingerprint: str
    lines: tuple[BalanceOperation, ...]
    effect: Mapping[BalanceKey, Joint]
    corrects: str | None = None
    revision: int = 1
    blocks: tuple[str, ...] = ()
    """What was set aside for it, by id."""

    @property
    def staged(self) -> str:
        return staged(self.stage, self.revision)


def block_ids(falcon_operation_id: str, marks: Iterable[Mark]) -> list[str]:
    """What may have been set aside for an operation: a payout's block bears its id, a refund's are
    named by its marks.
    """
    named = [block_id for mark in marks for block_id in mark.blocks]
    return [*dict.fromkeys((falcon_operation_id, *named))]


@dataclass(frozen=True, slots=True)
class Past:
    """A merchant's balances at `closed_until`, and all its windows from `since` on, to there."""

    since: datetime
    closed_until: datetime
    closing: Mapping[BalanceKey, Figures]
    windows: tuple[Window, ...]

    def at(self, instant: datetime) -> dict[BalanceKey, Figures]:
        """Every balance at a quarter's border from `since` to `closed_until`."""
        figures = dict(self.closing)
        for window in self.windows:
            if window.start >= instant:
                figures[window.balance] = figures[window.balance] - window.change
        return figures

    def between(self, start: datetime, end: datetime) -> Iterable[Window]:
        """Oldest first."""
        return (each for each in self.windows if start <= each.start < end)


class NotClosedError(Exception):
    """Asked for a time up to which not all quarters are closed yet; None if none is."""

    def __init__(self, closed_until: datetime | None) -> None:
        super().__init__(f"closed until {closed_until}")
        self.closed_until = closed_until


class NothingCountedError(Exception):
    """The merchant has no balance: nothing was ever counted for it."""


def parse_quarter(text: str) -> datetime:
    """RFC 3339 with an offset; raises ValueError unless a quarter of an hour begins then."""
    instant = parse_rfc3339(text)
    if quarter_of(instant) != instant:
        raise ValueError("not the beginning of a quarter of an hour")
    return instant


def parse_month(text: str) -> tuple[datetime, datetime]:
    """`YYYY-MM`: its first instant in UTC, and the next month's. Raises ValueError."""
    match = _MONTH.match(text)
    if match is None:
        raise ValueError("not YYYY-MM")
    year, month = int(match[1]), int(match[2])
    end_year, end_month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004
    return datetime(year, month, 1, tzinfo=UTC), datetime(end_year, end_month, 1, tzinfo=UTC)


def quarters(start: datetime, end: datetime) -> list[datetime]:
    """The beginnings of the quarters from `start` to `end`, both included."""
    count = (end - start) // QUARTER
    return [start + n * QUARTER for n in range(count + 1)]


def last_day_before(instant: datetime) -> str:
    """The UTC day (`YYYY-MM-DD`) that ends at or includes the moment before."""
    return (instant - timedelta(seconds=1)).date().isoformat()
