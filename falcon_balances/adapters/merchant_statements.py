"""Reads merchant statements: balances from closings, lines from the index of counted operations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Final, NamedTuple

from falcon_balances.adapters.past_reads import past_since, read_balance_keys
from falcon_balances.adapters.ports import MarkPage, MerchantReads
from falcon_balances.contracts.queries import LIMIT_MAX
from falcon_balances.domain.closings import ClosedDay, Closing, counted_since, day_of, figures_after
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Figures, Mark, NotClosedError, Past, Window
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_statements import (
    MerchantStatementPage,
    StatedBalance,
    WantedPage,
    first_quarter,
    stated_balances,
    statement_page,
)
from falcon_balances.domain.statement_positions import MerchantStatementPosition
from falcon_balances.domain.table_keys import BalanceKey

MARKS_A_QUERY: Final = LIMIT_MAX  # two BatchGetItem
# If few of them are of the wanted balance, a page looks at so many more: eight BatchGetItem.
MARKS_FURTHER: Final = 800
_CLOSINGS_MAX: Final = 32  # one for each day of a month, and the one before


@dataclass(frozen=True, slots=True)
class WantedMerchantStatement:
    """The period, a month; the number of operations on a page; the one balance shop, or None."""

    start: datetime
    end: datetime
    limit: int
    balance_shop_id: str | None = None


class MerchantStatementRead(NamedTuple):
    as_of: datetime
    balances: list[StatedBalance]
    page: MerchantStatementPage


def read_statement(
    reads: MerchantReads,
    now: datetime,
    wanted: WantedMerchantStatement,
    after: MerchantStatementPosition | None,
) -> MerchantStatementRead:
    """One page. Raises NotClosedError, NothingCountedError, and TransientError while the index
    lags.

    A page takes, at any age:
    - two reads
    - for each balance, its closings of the month, the windows of the day in which the page begins
      (at most 96), and the windows of the page (at most one for each of its operations)
    - the marks of the page, in one or two pages of the index
    - the cuts, if the page's last quarter has more operations than were read

    The windows of days that are over but not closed yet are read too.
    """
    as_of, closed_day = reads.progress()
    closed = None if as_of is None else closed_until(as_of)
    if as_of is None or closed is None or wanted.end > closed:
        raise NotClosedError(closed)
    reader = _Reader(reads, wanted, closed_day)
    page = reader.page(after)
    if page.unchecked is not None:
        _check_index(reads, now, page.unchecked)
    return MerchantStatementRead(as_of, reader.balances(), page)


def _check_index(reads: MerchantReads, now: datetime, quarter: datetime) -> None:
    """Raises TransientError unless the index had time to follow since the quarter was closed."""
    as_of = reads.indexed_as_of(now)
    if as_of is None or closed_until(as_of) <= quarter:
        raise TransientError(f"the index is possibly incomplete after {rfc3339(quarter)}")


class _Reader:
    def __init__(
        self, reads: MerchantReads, wanted: WantedMerchantStatement, closed: ClosedDay
    ) -> None:
        self._reads = reads
        self._wanted = wanted
        self._closed = closed
        last = day_of(wanted.end)
        balances = read_balance_keys(reads, wanted.balance_shop_id)
        found = reads.of_each(balances, lambda each: reads.closings(each, last, _CLOSINGS_MAX))
        self._closings = dict(zip(balances, found, strict=True))

    def balances(self) -> list[StatedBalance]:
        return stated_balances(self._at(self._wanted.start), self._at(self._wanted.end))

    def page(self, after: MerchantStatementPosition | None) -> MerchantStatementPage:
        wanted = self._wanted
        first = first_quarter(wanted.start, after)
        read = self._marks(first, after)
        until = wanted.end if read.is_last else read.marks[-1].window
        return statement_page(
            self._past(first, until),
            WantedPage(wanted.end, wanted.limit, after),
            map(self._with_all_effects, read.marks),
            is_last=read.is_last,
        )

    def _at(self, instant: datetime) -> dict[BalanceKey, Figures]:
        """The balances at the beginning or the end of the period."""
        before = self._closed_before(instant)
        found = self._reads.of_each(
            list(before),
            lambda each: figures_after(before[each], self._windows(each, before[each], instant)),
        )
        return dict(zip(before, found, strict=True))

    def _closed_before(self, instant: datetime) -> dict[BalanceKey, Closing | None]:
        return {
            balance: next((each for each in closings if each.at <= instant), None)
            for balance, closings in self._closings.items()
        }

    def _windows(
        self, balance: BalanceKey, closing: Closing | None, end: datetime
    ) -> Sequence[Window]:
        """The windows since a closing; no read if `end` is the end of a closed day."""
        if end <= self._closed.at and end.time() == time.min:
            return []
        return self._reads.windows(balance, counted_since(closing), end)

    def _past(self, start: datetime, until: datetime) -> Past:
        balances = self._closed_before(datetime.combine(start, time.min, UTC))
        return past_since(self._reads, balances, start, until)

    def _marks(self, first: datetime, after: MerchantStatementPosition | None) -> MarkPage:
        """The marks after the order `after`, in at most two pages: of MARKS_A_QUERY and, if these
        are not enough, of MARKS_FURTHER.
        """
        found: list[Mark] = []
        position = None if after is None else after.order.text
        for limit in (MARKS_A_QUERY, MARKS_FURTHER):
            page = self._reads.marks(
                rfc3339(first),
                rfc3339(self._wanted.end),
                after=found[-1].order if found else position,
                newest_first=False,
                limit=limit,
            )
            found += page.marks
            if page.is_last or self._fills_page(found):
                return MarkPage(found, page.is_last)
        return MarkPage(found, is_last=False)

    def _fills_page(self, marks: Sequence[Mark]) -> bool:
        shown = sum(not _balances_of(mark).isdisjoint(self._closings) for mark in marks)
        return shown >= self._wanted.limit

    def _with_all_effects(self, mark: Mark) -> Mark:
        """The mark with all effects of its segment: the mark itself has the effects on the first 24
        balances, the marks of further parts have the effects on all others.
        """
        if mark.effect.keys() >= _balances_of(mark) & self._closings.keys():
            return mark
        return replace(mark, effect=self._reads.effect_of(mark))


def _balances_of(mark: Mark) -> set[BalanceKey]:
    return {BalanceKey(line.balance_shop_id, line.currency.code) for line in mark.lines}
