"""A line of a bank statement, and the days that bank statements cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple


class BankStatementLine(NamedTuple):
    """What a bank or PSP says has moved. `references`: all that it bears, the likeliest first.

    `merchant_id`: whose payout it is, where the statement says it.
    """

    place: str
    references: tuple[str, ...]
    psp_id: str | None
    minor: int
    currency: str
    day: date
    merchant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """Days that the statements cover, `until` left out; None where nothing bounds them."""

    since: date | None = None
    until: date | None = None

    def has(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (
            self.until is None or day < self.until
        )

    def widened(self, days: int) -> "Period":
        """For what one side dates before midnight and the other one after it, or days later."""
        return Period(
            None if self.since is None else _moved(self.since, -days),
            None if self.until is None else _moved(self.until, days),
        )


def spanning(periods: Sequence[Period]) -> Period:
    """From the first day of any to the last; unbounded where one of them does not say."""
    sinces = [each.since for each in periods if each.since is not None]
    untils = [each.until for each in periods if each.until is not None]
    every = len(periods) or 1
    return Period(
        min(sinces) if len(sinces) == every else None, max(untils) if len(untils) == every else None
    )


def following(day: date) -> date:
    return _moved(day, 1)


def _moved(day: date, days: int) -> date:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return date.min if days < 0 else date.max
