"""Lines of bank statements, and the period that bank statements cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple


class BankStatementLine(NamedTuple):
    """One movement of money. `references`: all references of the line, the most likely first.

    `merchant_id`: the merchant of a payout, if the bank statement names it.
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
    """The days that bank statements cover, without `until` itself; None for an open end."""

    since: date | None = None
    until: date | None = None

    def has(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (
            self.until is None or day < self.until
        )

    def widened(self, days: int) -> "Period":
        """The period, longer by `days` at both ends: bank and log may date the same movement on
        different sides of midnight, or days apart.
        """
        return Period(
            None if self.since is None else _moved(self.since, -days),
            None if self.until is None else _moved(self.until, days),
        )


def spanning(periods: Sequence[Period]) -> Period:
    """The period from the earliest start to the latest end. The start is open if the start of any
    period is open; the end likewise.
    """
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
