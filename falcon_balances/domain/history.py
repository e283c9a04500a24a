"""Past balances (design §7): figures at the borders of closed quarters, periods, marks.

`balance at T = balance earlier + windows until T` for every T until which quarters are closed:
exact, and the same for ever. Blocks are not part of it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import add, sub
from typing import Self

from falcon_balances.domain.available import Joint
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, quarter_of
from falcon_balances.domain.operations import BalanceOperation, Stage, staged
from falcon_balances.domain.table_keys import BalanceKey

_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])\Z")


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures in minor units, signed. `available_before_blocks`: before blocks are deducted."""

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
        """The figures of the table's counters, whose `available` is after blocks."""
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

    @property
    def adds_up(self) -> bool:
        """Whether both stages explain what is available; the reducer writes no other figures."""
        counted = self.available_before_blocks + self.withdrawn - self.adjusted
        by_confirmed = self.confirmed - self.pending - self.debits_unconfirmed
        by_reconciled = self.reconciled - self.unapplied - self.debits_untraced
        return counted == by_confirmed == by_reconciled

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
    """What was counted of a balance in the quarter of an hour that began at `start`."""

    start: datetime
    balance: BalanceKey
    change: Figures


@dataclass(frozen=True, slots=True)
class Day:
    """Sums of one UTC day of operation dates, by stage and type, in minor units.

    `late`: the parts of these sums that were counted after the day's month had ended.
    """

    date: str
    balance: BalanceKey
    sums: Mapping[tuple[Stage, str], int]
    late: Mapping[tuple[Stage, str], int]
    operations_count: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A segment as it was counted. `order` is its place among the merchant's marks.

    `effect` is what it added to the joint figures of its balances (of the first 24, if it has
    more).
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
    """The ids of the blocks that were made for it."""

    @property
    def staged(self) -> str:
        return staged(self.stage, self.revision)


def block_ids(falcon_operation_id: str, marks: Iterable[Mark]) -> list[str]:
    """The ids of blocks that may have been made for an operation: a payout's block has the payout's
    id, and a refund's marks name its blocks.
    """
    named = [block_id for mark in marks for block_id in mark.blocks]
    return [*dict.fromkeys((falcon_operation_id, *named))]


@dataclass(frozen=True, slots=True)
class Past:
    """Some balances of a merchant at `start`, and their closed windows since, oldest first."""

    start: datetime
    opening: Mapping[BalanceKey, Figures]
    windows: tuple[Window, ...]

    def at(self, instant: datetime) -> dict[BalanceKey, Figures]:
        """Every balance at `instant`, the beginning of a quarter: not before `start`, and not after
        the last window has ended.
        """
        figures = dict(self.opening)
        for window in self.windows:
            if window.start < instant:
                figures[window.balance] = figures[window.balance] + window.change
        return figures

    def between(self, start: datetime, end: datetime) -> Iterable[Window]:
        """The windows from `start` to `end`, oldest first."""
        return (each for each in self.windows if start <= each.start < end)


class NotClosedError(Exception):
    """The requested time is after `closed_until`, the end of the last closed quarter; None if no
    quarter is closed.
    """

    def __init__(self, closed_until: datetime | None) -> None:
        super().__init__(f"closed until {closed_until}")
        self.closed_until = closed_until


class NothingCountedError(Exception):
    """Nothing was ever counted for the merchant, so it has no balance."""


def parse_quarter(text: str) -> datetime:
    """The start of a quarter of an hour in RFC 3339 with an offset. Raises ValueError for any other
    text.
    """
    instant = parse_rfc3339(text)
    if quarter_of(instant) != instant:
        raise ValueError("must be the start of a quarter of an hour: minute 00, 15, 30 or 45")
    return instant


def parse_month(text: str) -> tuple[datetime, datetime]:
    """The first instant of a month `YYYY-MM` in UTC, and of the next month. Raises ValueError."""
    match = _MONTH.match(text)
    if match is None:
        raise ValueError("must be a month as YYYY-MM")
    year, month = int(match[1]), int(match[2])
    end_year, end_month = (year, month + 1) if month < 12 else (year + 1, 1)  # noqa: PLR2004
    return datetime(year, month, 1, tzinfo=UTC), datetime(end_year, end_month, 1, tzinfo=UTC)


def quarters(start: datetime, end: datetime) -> list[datetime]:
    """The starts of the quarters from `start` to `end`, both included."""
    count = (end - start) // QUARTER
    return [start + n * QUARTER for n in range(count + 1)]


def last_day_before(instant: datetime) -> str:
    """The UTC day (`YYYY-MM-DD`) of the last second before the instant."""
    return (instant - timedelta(seconds=1)).date().isoformat()
