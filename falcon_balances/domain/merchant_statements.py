"""Merchant statements: opening, running and closing balances of a closed period (design §8).

Opening and closing follow from the windows of closed quarters. So a statement never changes, and
its closing is the opening of the next one.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.counting import stage_counters
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Figures, Mark, NotClosedError, Past
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.operations import BalanceOperation
from falcon_balances.domain.table_keys import BalanceKey


@dataclass(frozen=True, slots=True)
class StatedBalance:
    """A balance of a statement: `opening` at the beginning of the period, `closing` at its end."""

    balance: BalanceKey
    opening: Figures
    closing: Figures


@dataclass(frozen=True, slots=True)
class StatedLine:
    """A line of a statement; `running` is its balance right after the line was counted."""

    mark: Mark
    line: BalanceOperation
    running: Figures


class MerchantStatementPage(NamedTuple):
    """A page of a statement; `ends_after` is the order of its last operation, None on the last
    page.
    """

    lines: list[StatedLine]
    ends_after: str | None


@dataclass(frozen=True, slots=True)
class WantedPage:
    """The requested page. `after`: where the previous page ended. `marks_max`: how many operations
    are read at most, to find `limit` with a line of `balance_shop_id`.
    """

    limit: int
    marks_max: int
    after: str | None = None
    balance_shop_id: str | None = None


def stated_balances(
    past: Past, start: datetime, end: datetime, balance_shop_id: str | None = None
) -> list[StatedBalance]:
    """The balances with counted lines before `end`. Raises NotClosedError."""
    if end > past.closed_until:
        raise NotClosedError(past.closed_until)
    opening, closing = past.at(start), past.at(end)
    return [
        StatedBalance(key, opening[key], closing[key])
        for key in sorted(closing)
        if balance_shop_id in (None, key.balance_shop_id) and closing[key].operations_count > 0
    ]


def first_quarter(past: Past, after: str | None) -> datetime:
    """The quarter from which the marks of a page are read: that of its first line, because windows
    give balances only at the borders of quarters.
    """
    return past.since if after is None else parse_rfc3339(CountedOrder.parse(after).window)


def statement_page(
    past: Past, end: datetime, marks: Iterable[Mark], wanted: WantedPage
) -> MerchantStatementPage:
    """The lines of one page with their running balances.

    `marks`: all from `first_quarter` to `end` in the order of counting, each with the effects on
    all its balances; they are read no further than needed. They come from an index that may lag
    behind the table. Raises TransientError if the lines of a quarter do not add up to its windows:
    the index does not have all of these lines yet.
    """
    page = _Page(past, end, wanted)
    for mark in marks:
        if not page.take(mark):
            return MerchantStatementPage(page.lines, page.position)
    page.finish()
    return MerchantStatementPage(page.lines, page.position if page.has_more else None)


class _Page:
    def __init__(self, past: Past, end: datetime, wanted: WantedPage) -> None:
        start = first_quarter(past, wanted.after)
        self._end = end
        self._wanted = wanted
        self._running = past.at(start)
        self._expected = _expected(past, start, end)
        self._quarter: datetime | None = None
        self._shown = self._looked_at = 0
        self.lines: list[StatedLine] = []
        self.position = wanted.after
        self.has_more = False

    def take(self, mark: Mark) -> bool:
        """Adds a mark; False if the page was full when the quarter before `mark` ended."""
        if mark.window != self._quarter:
            self._check(mark.window)
            self._quarter = mark.window
            if self._is_full():
                return False
        after = self._wanted.after
        # Even a full page reads its last quarter to the end, to check that the quarter is complete.
        is_new = after is None or mark.order > after
        is_shown = is_new and not self._is_full()
        self.has_more = self.has_more or (is_new and not is_shown)
        self._add(mark, is_shown=is_shown)
        return True

    def finish(self) -> None:
        self._check(self._end)

    def _is_full(self) -> bool:
        wanted = self._wanted
        return self._shown == wanted.limit or self._looked_at >= wanted.marks_max

    def _add(self, mark: Mark, *, is_shown: bool) -> None:
        before = len(self.lines)
        for key, line, change in _changes(mark):
            self._running[key] = self._running[key] + change
            if is_shown and self._wanted.balance_shop_id in (None, line.balance_shop_id):
                self.lines.append(StatedLine(mark, line, self._running[key]))
        if is_shown:
            self.position = mark.order
            self._looked_at += 1
            self._shown += len(self.lines) > before

    def _check(self, start: datetime) -> None:
        """Checks that the lines before `start` lead to the balances that the windows give."""
        for begins, figures in self._expected:
            if begins == start and figures == self._running:
                return
            if begins >= start:
                break
        raise TransientError(f"the index is not complete before {rfc3339(start)}")


def _expected(
    past: Past, start: datetime, end: datetime
) -> Iterator[tuple[datetime, Mapping[BalanceKey, Figures]]]:
    """The balances at `end`, and at the start of each quarter in which something was counted."""
    figures = past.at(start)
    for window in past.between(start, end):
        yield window.start, dict(figures)
        figures[window.balance] = figures[window.balance] + window.change
    yield end, figures


def _changes(mark: Mark) -> Iterator[tuple[BalanceKey, BalanceOperation, Figures]]:
    """The change of each line; figures that follow from both stages change with a balance's last
    line.
    """
    balances = [BalanceKey(line.balance_shop_id, line.currency.code) for line in mark.lines]
    for position, (balance, line) in enumerate(zip(balances, mark.lines, strict=True)):
        counters = stage_counters(mark.stage, line.amount.minor, 1)
        if balance not in balances[position + 1 :]:
            counters |= mark.effect[balance].counters()
        yield balance, line, Figures.of(counters)
