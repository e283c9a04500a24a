"""Lines of bank statements, and the period that bank statements cover."""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from falcon_balances.domain.operations import Stage

_LINES_LINKED_MAX: Final = 100


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


def without_common_references(lines: Sequence[BankStatementLine]) -> list[BankStatementLine]:
    """The lines without the references that more than 100 lines of their bank statement have; a
    line that has no other one keeps its first.

    Lines that share a reference are compared together. So one statement links at most 100 lines
    by a reference, and not all lines of a file by the name of a batch.
    """
    counts = Counter(each for line in lines for each in set(line.references))
    common = {each for each, times in counts.items() if times > _LINES_LINKED_MAX}
    if not common:
        return list(lines)
    return [line._replace(references=_without(line.references, common)) for line in lines]


def _without(references: tuple[str, ...], common: Set[str]) -> tuple[str, ...]:
    return tuple(each for each in references if each not in common) or references[:1]


@dataclass(frozen=True, slots=True, order=True)
class BankStatementAccount:
    """The owner of bank statements: one PSP, or the bank, whose statements show all PSPs."""

    stage: Stage
    psp_id: str = ""


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
