"""What a merchant reads is right: pasts, statements, walks from page to page, and the log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from falcon_balances.domain.balances import fold
from falcon_balances.domain.counting import stage_counters
from falcon_balances.domain.history import Figures, Mark, Past
from falcon_balances.domain.instants import QUARTER, rfc3339
from falcon_balances.domain.logged_balances import logged_balances, logged_figures
from falcon_balances.domain.merchant_statements import StatedBalance, StatedLine
from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.operations import BalanceOperation, Segment
from falcon_balances.domain.past_keys import WINDOW_KEYS, ClosingKey, WindowKey
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, merchant_pk
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from tests.property.agreement import open_operations

Balances = dict[BalanceKey, Figures]


@dataclass(frozen=True, slots=True)
class Request:
    """When it was made, how far the index was behind, how DynamoDB answered."""

    merchant_id: str
    index_delay_s: int = 0
    marks_a_page: int = 100


@dataclass(slots=True)
class Walk:
    """From page to page of a merchant's operations, over any length of time.

    `there` are the orders of those that the index had when it began, `promised` the marks of those
    that its first page's `as_of` promises.
    """

    merchant_id: str
    wanted: OperationFilter
    newest_first: bool
    there: set[str] | None = None
    promised: set[ItemKey] = field(default_factory=set)
    position: str | None = None
    pages: int = 0
    seen: list[Mark] = field(default_factory=list)
    is_done: bool = False


def check_lines(
    counted: list[Mark], lines: list[StatedLine], shop: str | None, *, are_all: bool
) -> None:
    """Lines are what was counted, from the first one on."""
    there = [
        (mark.order, line.uuid)
        for mark in counted
        for line in mark.lines
        if shop in (None, line.balance_shop_id)
    ]
    found = [(each.mark.order, each.line.uuid) for each in lines]
    end = None if are_all else len(found)
    assert found == there[:end], "a statement's lines are not what was counted"


def check_statement(
    past: Past,
    period: tuple[datetime, datetime],
    counted: list[Mark],
    lines: list[StatedLine],
    shop: str | None,
) -> None:
    """Line by line what was counted, from the opening to the closing."""
    check_lines(counted, lines, shop, are_all=True)
    running, closing = past.at(period[0]), past.at(period[1])
    for each in lines:
        key = BalanceKey(each.line.balance_shop_id, each.line.currency.code)
        running[key] += Figures.of(stage_counters(each.mark.stage, each.line.amount.minor, 1))
        if each.line is _last_in(each.mark, key):
            running[key] += Figures.of(each.mark.effect[key].counters())
        assert each.running == running[key], "a running balance is not the sum of its lines"
    for key, figures in running.items():
        if shop in (None, key.balance_shop_id):
            assert figures == closing[key], "lines do not add up to the closing"


def check_balances(
    past: Past, period: tuple[datetime, datetime], stated: list[StatedBalance], shop: str | None
) -> None:
    """Openings and closings, of balances that had begun, are those of the past."""
    opening, closing = past.at(period[0]), past.at(period[1])
    assert [(each.balance, each.opening, each.closing) for each in stated] == [
        (key, opening[key], closing[key])
        for key in sorted(that_there_is(closing))
        if shop in (None, key.balance_shop_id)
    ], "a statement's balances are not what they were"


def check_closings(store: MemoryBalanceStore) -> None:
    """Each is the live balance less what was counted since; and none is missing."""
    windows = {
        (key.pk, WindowKey.parse(key.sk)): Figures.of(counters)
        for key, counters in store.counters.items()
        if key.sk.startswith(WINDOW_KEYS)
    }
    for key, closing in store.closings.items():
        left = Figures.of(store.counters[ItemKey(key.pk, closing.balance.sk)])
        for (pk, window), change in windows.items():
            if (pk, window.balance) == (key.pk, closing.balance):
                left -= change if window.start >= rfc3339(closing.at) else Figures()
        assert closing.figures == left, f"the closing of {closing.day} is not what there was"
        assert closing.logged == left.available_before_blocks, f"the log says otherwise of {key.sk}"
    closed = store.closed_day.day or ""
    for pk, (balance, start) in windows:
        key = ItemKey(pk, ClosingKey(balance, start[:10]).sk)
        assert start[:10] > closed or key in store.closings, f"{start[:10]} is closed without {key}"


def check_walk(walk: Walk, reads: MemoryMerchantReads, stored: Mapping[str, Mark]) -> None:
    orders = [mark.order for mark in walk.seen]
    assert orders == sorted(set(orders), reverse=walk.newest_first), "repeated, or out of order"
    assert walk.there is not None
    assert walk.there <= set(orders), "an operation that was there was skipped"
    assert all(passes(walk.wanted, mark) for mark in walk.seen)
    assert all(stored[mark.order] == mark for mark in walk.seen)
    if walk.wanted == OperationFilter():
        seen = {key_of(reads, mark) for mark in walk.seen}
        assert walk.promised <= seen, "as_of promised what is not in the pages"


def check_log(reads: MemoryMerchantReads, segments: list[Segment]) -> None:
    live = [replace(each, negative_since=None) for each in reads.balances()]
    logged = logged_balances(segments, live)
    assert sorted(logged, key=str) == sorted(live, key=str), "the log says otherwise"
    dates = sorted({segment.booked_at for segment in segments})
    for at in (dates[0], dates[-1], dates[-1] + QUARTER):
        earlier = [segment for segment in segments if segment.booked_at < at]
        assert that_there_is(logged_figures(segments, at)) == counted_figures(earlier)
    said = {
        (reads.merchant_id, each.falcon_operation_id): each.disagreement
        for each in reads.open_standings(100)
    }
    assert said == open_operations(segments), "the log awaits otherwise"


def key_of(reads: MemoryMerchantReads, mark: Mark) -> ItemKey:
    sk = f"OPERATION#{mark.falcon_operation_id}#{mark.staged}"
    return ItemKey(merchant_pk(reads.merchant_id), sk)


def _last_in(mark: Mark, key: BalanceKey) -> BalanceOperation:
    """Of the segment's lines in one balance."""
    return [line for line in mark.lines if key == (line.balance_shop_id, line.currency.code)][-1]


def counted_figures(segments: Iterable[Segment]) -> Balances:
    """What segments add up to, by those who count: not by those who read."""
    return {
        BalanceKey(shop, currency): Figures.of(counters)
        for (_, shop, currency), counters in fold(segments).items()
    }


def figures_before(border: datetime, marks: Iterable[Mark]) -> Balances:
    earlier = (mark for mark in marks if mark.window < border)
    return counted_figures(Segment(mark.stage, "-", 1, 1, mark.lines) for mark in earlier)


def that_there_is(figures: Balances) -> Balances:
    """Without balances that had not begun yet: with a line there is an operations_count."""
    return {key: value for key, value in figures.items() if value != Figures()}


def passes(wanted: OperationFilter, mark: Mark) -> bool:
    return (
        (wanted.start is None or wanted.start <= mark.window)
        and (wanted.end is None or mark.window < wanted.end)
        and wanted.stage in (None, mark.stage)
        and wanted.type in (None, *(line.type for line in mark.lines))
        and wanted.balance_shop_id in (None, *(line.balance_shop_id for line in mark.lines))
        and wanted.psp_id in (None, *(line.psp_id for line in mark.lines))
    )
