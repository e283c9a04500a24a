"""Reading what routes answer with: the past of closed quarters, pages of operations, the log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from time import sleep
from typing import Final

from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.ports import MerchantReads, TryAgain
from falcon_balances.adapters.retries import delays
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.contracts.queries import LIMIT_MAX
from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.counting import stage_counters
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Figures, Mark, NotClosedError, Past, Window, quarters
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, quarter_of, rfc3339
from falcon_balances.domain.operations import BalanceOperation, Segment
from falcon_balances.domain.table_keys import BalanceKey
from lambdas.balance_api.edge import InvalidParameterError

ITEMS_AT_ONCE_MAX: Final = 100  # of TransactGetItems
ATTEMPTS: Final = 8
MARKS_A_QUERY: Final = LIMIT_MAX + 1  # the one more tells whether there are more
# Where a filter lets little through, a page ends here, and goes on with its cursor.
MARKS_A_PAGE_MAX: Final = 10 * MARKS_A_QUERY
# What bears one reference is read operation by operation.
REFERENCED_MAX: Final = 50
_FIRST_DELAY_S: Final = 0.02
_EARLIEST, _LATEST = "0", ":"  # before and after every order, which begins with a year
Wait = Callable[[float], object]


def read_past(
    reads: MerchantReads, since: datetime, now: datetime, wait: Wait = sleep
) -> tuple[datetime, Past]:
    """`as_of`, and the merchant's past from `since` on. Raises NotClosedError, NotFoundError.

    The quarters that are still open are read at one moment with the balances; the closed ones can
    be read at leisure, for they change no more.
    """
    as_of = reads.as_of()
    closed = None if as_of is None else closed_until(as_of)
    if as_of is None or closed is None or since > closed:
        raise NotClosedError(closed)
    balances = [BalanceKey(each.balance_shop_id, each.currency.code) for each in reads.balances()]
    if not balances:
        raise NotFoundError
    # One more than the clock says: the windows are of Kinesis' clock.
    still_open = quarters(closed, quarter_of(now) + QUARTER)
    if len(still_open) >= ITEMS_AT_ONCE_MAX:
        raise TransientError(f"nothing was closed for {len(still_open)} quarters of an hour")
    closing: dict[BalanceKey, Figures] = {}
    for group in _batched(balances, ITEMS_AT_ONCE_MAX // (1 + len(still_open))):
        figures, since_closing = _at_once(reads, group, still_open, wait)
        closing |= figures
        for window in since_closing:
            closing[window.balance] = closing[window.balance] - window.change
    return as_of, Past(since, closed, closing, tuple(reads.windows(since, closed)))


def _at_once(
    reads: MerchantReads, balances: Sequence[BalanceKey], starts: Sequence[datetime], wait: Wait
) -> tuple[Mapping[BalanceKey, Figures], Sequence[Window]]:
    for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S, is_spread=True):
        found = reads.at_once(balances, starts)
        if not isinstance(found, TryAgain):
            return found
        wait(delay_s)
    raise TransientError(f"balances of {reads.merchant_id}: others were writing all the time")


def _batched(balances: Sequence[BalanceKey], size: int) -> Iterator[list[BalanceKey]]:
    rest = iter(balances)
    while group := list(islice(rest, size)):
        yield group


@dataclass(frozen=True, slots=True)
class OperationFilter:
    start: datetime | None = None
    end: datetime | None = None
    type: str | None = None
    stage: str | None = None
    balance_shop_id: str | None = None
    psp_id: str | None = None

    @property
    def bounds(self) -> tuple[str, str]:
        """Of the orders; every order of a window goes on after its beginning."""
        return (
            _EARLIEST if self.start is None else rfc3339(self.start),
            _LATEST if self.end is None else rfc3339(self.end),
        )

    @property
    def lets_all_through(self) -> bool:
        return replace(self, start=None, end=None) == OperationFilter()

    def lets_through(self, mark: Mark) -> bool:
        return (
            self.stage in (None, mark.stage)
            and (self.type is None or any(line.type == self.type for line in mark.lines))
            and (self.psp_id is None or any(line.psp_id == self.psp_id for line in mark.lines))
            and (
                self.balance_shop_id is None
                or any(line.balance_shop_id == self.balance_shop_id for line in mark.lines)
            )
        )


def read_operations(
    reads: MerchantReads,
    wanted: OperationFilter,
    limit: int,
    *,
    after: str | None,
    newest_first: bool,
) -> tuple[list[Mark], str | None]:
    """A page, and where it ended if there may be more."""
    found: list[Mark] = []
    position, looked_at = after, 0
    # One more than wanted tells whether there are more.
    a_query = min(limit + 1, MARKS_A_QUERY) if wanted.lets_all_through else MARKS_A_QUERY
    while True:
        page = reads.marks(*wanted.bounds, after=position, newest_first=newest_first, limit=a_query)
        for mark in page.marks:
            if len(found) == limit:
                return found, position
            position, looked_at = mark.order, looked_at + 1
            if wanted.lets_through(mark):
                found.append(mark)
        if page.is_last:
            return found, None
        if looked_at >= MARKS_A_PAGE_MAX:
            return found, position


def read_referenced(
    reference: str,
    reads: MerchantReads,
    wanted: OperationFilter,
    limit: int,
    *,
    after: str | None,
    newest_first: bool,
) -> tuple[list[Mark], str | None]:
    """As `read_operations`, of the operations that bear a reference: a read of an index, and one
    for each operation. Raises InvalidParameterError where there are too many for that.
    """
    ids = reads.referenced(reference, REFERENCED_MAX + 1)
    if len(ids) > REFERENCED_MAX:
        detail = f"borne by more than {REFERENCED_MAX} operations: leave it out, and narrow `from`"
        raise InvalidParameterError("reference", detail)
    start, end = wanted.bounds
    marks = sorted(
        (
            mark
            for each in ids
            for mark in reads.marks_of(each)
            if start <= mark.order <= end and wanted.lets_through(mark)
        ),
        key=lambda mark: mark.order,
        reverse=newest_first,
    )
    if after is not None:
        marks = [m for m in marks if (m.order < after if newest_first else m.order > after)]
    return marks[:limit], marks[limit - 1].order if len(marks) > limit else None


@dataclass(frozen=True, slots=True)
class StatedLine:
    mark: Mark
    line: BalanceOperation
    running: Figures


class StatementReader:
    """A month's lines with their running balances, checked against its windows as it goes.

    The lines come from an index that follows the table; a quarter of an hour whose lines do not add
    up to its windows is not complete there yet: TransientError, never a wrong statement.
    """

    def __init__(self, reads: MerchantReads, past: Past, end: datetime) -> None:
        self._reads = reads
        self._past = past
        self._end = end

    def page(
        self, after: str | None, limit: int, balance_shop_id: str | None
    ) -> tuple[list[StatedLine], str | None]:
        """The lines of at most `limit` operations, and where they ended if there are more.

        A page begins to read where the quarter of its first line begins: only there the windows
        say what the balance was.
        """
        start = self._past.since if after is None else _window_of(after)
        running = self._past.at(start)
        expected = self._expected(start)
        lines: list[StatedLine] = []
        position, found, looked_at = after, 0, 0
        current, has_more = None, False
        for mark in self._marks(start):
            is_full = found == limit or looked_at >= MARKS_A_PAGE_MAX
            if mark.window != current:
                self._check(expected, mark.window, running)
                current = mark.window
                if is_full:
                    return lines, position
            # A full page reads its last quarter to the end: only then it is known to be whole.
            is_new = after is None or mark.order > after
            is_shown = is_new and not is_full
            has_more = has_more or (is_new and is_full)
            before = len(lines)
            for line, change in self._changes(mark):
                key = BalanceKey(line.balance_shop_id, line.currency.code)
                running[key] = running[key] + change
                if is_shown and balance_shop_id in (None, line.balance_shop_id):
                    lines.append(StatedLine(mark, line, running[key]))
            if is_shown:
                position, looked_at = mark.order, looked_at + 1
                found += len(lines) > before
        self._check(expected, self._end, running)
        return lines, position if has_more else None

    def _changes(self, mark: Mark) -> Iterator[tuple[BalanceOperation, Figures]]:
        """Line by line; what follows from both stages comes with its balance's last line."""
        balances = [BalanceKey(line.balance_shop_id, line.currency.code) for line in mark.lines]
        effect = mark.effect if len(mark.effect) == len(set(balances)) else None
        if effect is None:
            effect = self._reads.effect_of(mark)
        for position, (balance, line) in enumerate(zip(balances, mark.lines, strict=True)):
            counters = stage_counters(mark.stage, line.amount.minor, 1)
            if balance not in balances[position + 1 :]:
                counters |= effect[balance].counters()
            yield line, Figures.of(counters)

    def _marks(self, start: datetime) -> Iterator[Mark]:
        position = None
        while True:
            page = self._reads.marks(
                rfc3339(start),
                rfc3339(self._end),
                after=position,
                newest_first=False,
                limit=MARKS_A_QUERY,
            )
            yield from page.marks
            if page.is_last:
                return
            position = page.marks[-1].order if page.marks else position

    def _expected(self, start: datetime) -> Iterator[tuple[datetime, dict[BalanceKey, Figures]]]:
        """What every balance must be where each quarter begins in which something was counted."""
        figures = self._past.at(start)
        for window in self._past.between(start, self._end):
            yield window.start, dict(figures)
            figures[window.balance] = figures[window.balance] + window.change
        yield self._end, figures

    def _check(
        self,
        expected: Iterator[tuple[datetime, dict[BalanceKey, Figures]]],
        start: datetime,
        running: Mapping[BalanceKey, Figures],
    ) -> None:
        for begins, figures in expected:
            if begins == start:
                if figures == running:
                    return
                break
            if begins > start:
                break
        raise TransientError(
            f"the index of {self._reads.merchant_id} is not complete before {rfc3339(start)}"
        )


def _window_of(order: str) -> datetime:
    return parse_rfc3339(CountedOrder.parse(order).window)


def log_balances(segments: Sequence[Segment], live: Sequence[Balance]) -> list[Balance]:
    """What the log adds up to; what is set aside is no part of it, and comes from the table."""
    blocked = {(each.balance_shop_id, each.currency.code): each.blocked for each in live}
    found = []
    for (_, balance_shop_id, code), counters in fold(segments).items():
        currency = written_currency(code)
        assert currency is not None  # noqa: S101 - the log was read with it
        aside = blocked.get((balance_shop_id, code), 0)
        counted = {**counters, "blocked": aside, "available": counters.get("available", 0) - aside}
        found.append(Balance.from_counters(balance_shop_id, currency, counted))
    return found


def log_figures(segments: Sequence[Segment], at: datetime) -> dict[BalanceKey, Figures]:
    """By what bears an operation date before `at`."""
    earlier = [each for each in segments if each.booked_at < at]
    return {
        BalanceKey(balance_shop_id, code): Figures.of(counters)
        for (_, balance_shop_id, code), counters in fold(earlier).items()
    }
