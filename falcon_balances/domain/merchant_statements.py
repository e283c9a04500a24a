"""Merchant statements: opening, running and closing balances of a closed period (design §8).

Opening and closing follow from the windows of closed quarters. So a statement never changes, and
its closing is the opening of the next one.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.counting import stage_counters
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Figures, Mark, Past, Window
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.operations import BalanceOperation
from falcon_balances.domain.statement_positions import MerchantStatementPosition
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
    """A page of a statement.

    `ends_after`: the position of its last operation, None on the last page. `unchecked`: the
    quarter whose lines could not be compared with its windows, because its end was not read.
    """

    lines: list[StatedLine]
    ends_after: MerchantStatementPosition | None
    unchecked: datetime | None


@dataclass(frozen=True, slots=True)
class WantedPage:
    """The wanted page: where the page before ended, and at most `limit` operations until `end`."""

    end: datetime
    limit: int
    after: MerchantStatementPosition | None = None


def stated_balances(
    opening: Mapping[BalanceKey, Figures], closing: Mapping[BalanceKey, Figures]
) -> list[StatedBalance]:
    """The balances with counted lines before the end of the period."""
    return [
        StatedBalance(key, opening[key], closing[key])
        for key in sorted(closing)
        if closing[key].operations_count > 0
    ]


def first_quarter(start: datetime, after: MerchantStatementPosition | None) -> datetime:
    """The quarter in which a page begins."""
    return start if after is None else parse_rfc3339(after.order.window)


def statement_page(
    past: Past, wanted: WantedPage, marks: Iterable[Mark], *, is_last: bool
) -> MerchantStatementPage:
    """The lines of a page with their running balances.

    `past`: the balances that the statement shows, at the beginning of the page's first quarter, and
    their windows as far as `marks` go. `marks`: the marks after `wanted.after` that were read, in
    the order of counting, each with its effects on the shown balances. `is_last`: no marks follow.
    The marks come from an index that may lag behind the table. Raises TransientError if the lines
    of a quarter do not add up to its windows: then the index does not have all of the lines yet.
    The page's last quarter is checked if all its marks were read, otherwise when a later page ends
    it.
    """
    page = _Page(past, wanted)
    for mark in marks:
        if not page.take(mark):
            return MerchantStatementPage(page.lines, page.ends_after, None)
    if is_last:
        page.check(wanted.end)
        return MerchantStatementPage(page.lines, page.ends_after if page.is_beyond else None, None)
    return MerchantStatementPage(page.lines, page.ends_after, page.quarter)


class _Page:
    def __init__(self, past: Past, wanted: WantedPage) -> None:
        self._limit = wanted.limit
        self.quarter = past.start
        self.ends_after = after = wanted.after
        self._counted = {} if after is None else dict(after.counted)
        self._running = dict(past.opening)
        for key, counted in self._counted.items():
            self._running[key] = self._running[key] + counted
        self._windows = _by_quarter(past.windows)
        self._shown = 0
        self.lines: list[StatedLine] = []
        self.is_beyond = False

    def take(self, mark: Mark) -> bool:
        """Adds a mark; False if the page was full when the quarter before `mark` ended."""
        if mark.window != self.quarter:
            self.check(mark.window)
            if self._shown == self._limit:
                return False
            self.quarter, self._counted = mark.window, {}
        # What was read beyond a full page only checks that its last quarter is complete.
        if self._shown == self._limit:
            self.is_beyond = bool(self._add(mark)) or self.is_beyond
            return True
        found = self._add(mark)
        self.lines += found
        self._shown += bool(found)
        self.ends_after = MerchantStatementPosition(
            CountedOrder.parse(mark.order), self._counted.copy()
        )
        return True

    def check(self, until: datetime) -> None:
        """Checks that the lines of the quarter add up to its windows, and that the windows give
        nothing between the quarter and `until`.
        """
        passed = {q: changes for q, changes in self._windows.items() if self.quarter <= q < until}
        counted = {key: each for key, each in self._counted.items() if each != Figures()}
        if passed != ({self.quarter: counted} if counted else {}):
            raise TransientError(f"the index is not complete before {rfc3339(until)}")

    def _add(self, mark: Mark) -> list[StatedLine]:
        """The mark's lines in the balances that the statement shows."""
        found = []
        for key, line, change in _changes(mark, self._running.keys()):
            self._running[key] = self._running[key] + change
            self._counted[key] = self._counted.get(key, Figures()) + change
            found.append(StatedLine(mark, line, self._running[key]))
        return found


def _by_quarter(windows: Iterable[Window]) -> dict[datetime, dict[BalanceKey, Figures]]:
    found: dict[datetime, dict[BalanceKey, Figures]] = {}
    for window in windows:
        if window.change != Figures():
            found.setdefault(window.start, {})[window.balance] = window.change
    return found


def _changes(
    mark: Mark, shown: Set[BalanceKey]
) -> Iterator[tuple[BalanceKey, BalanceOperation, Figures]]:
    """The change of each line in a shown balance; figures that follow from both stages change with
    a balance's last line. A mark may hold no effect on a balance that is not shown.
    """
    balances = [BalanceKey(line.balance_shop_id, line.currency.code) for line in mark.lines]
    for position, (balance, line) in enumerate(zip(balances, mark.lines, strict=True)):
        if balance not in shown:
            continue
        counters = stage_counters(mark.stage, line.amount.minor, 1)
        if balance not in balances[position + 1 :]:
            counters |= mark.effect[balance].counters()
        yield balance, line, Figures.of(counters)
