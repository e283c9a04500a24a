"""The merchant statement: opening, running and closing balances, worked out without AWS."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from falcon_balances.domain.available import Joint
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Figures, Mark, Past, Window
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, quarter_of, rfc3339
from falcon_balances.domain.merchant_statements import (
    MerchantStatementPage,
    StatedBalance,
    WantedPage,
    first_quarter,
    stated_balances,
    statement_page,
)
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import BalanceOperation, OperationType, Stage
from falcon_balances.domain.statement_positions import MerchantStatementPosition
from falcon_balances.domain.table_keys import BalanceKey

EUR = Currency("EUR", 2)
BS_1, BS_2 = BalanceKey("bs-1", "EUR"), BalanceKey("bs-2", "EUR")
START, END = parse_rfc3339("2026-10-01T00:00:00Z"), parse_rfc3339("2026-11-01T00:00:00Z")


def line_of(number: int, amount: int, kind: OperationType, shop: str) -> BalanceOperation:
    return BalanceOperation(
        uuid=f"uuid-{number}-{kind}-{shop}",
        external_reference=f"order-{number}",
        amount=Money(amount, EUR),
        type=kind,
        falcon_operation_id=f"operation-{number}",
        operation_date=START,
        local_merchant_id="",
        shop_id="",
        balance_shop_id=shop,
        psp_id="",
    )


def mark_of(
    number: int,
    at: datetime,
    lines: tuple[BalanceOperation, ...],
    effect: dict[BalanceKey, Joint],
    stage: Stage = Stage.ADJUSTMENT,
) -> Mark:
    quarter = quarter_of(at)
    order = f"{rfc3339(quarter)}#{rfc3339(at)}#operation-{number}#{stage}"
    return Mark(f"operation-{number}", stage, quarter, order, "key", "print", lines, effect)


def adjusted(number: int, amount: int, minutes: int, balance: BalanceKey = BS_1) -> Mark:
    """An adjustment counted so many minutes after the period began."""
    line = line_of(number, amount, OperationType.ADJUSTMENT, balance.balance_shop_id)
    at = START + timedelta(minutes=minutes)
    return mark_of(number, at, (line,), {balance: Joint(available=amount)})


MARKS = [
    adjusted(1, 100, 1),
    adjusted(2, 20, 2),
    adjusted(3, -5, 3, BS_2),
    adjusted(4, 7, 16),
    adjusted(5, 1, 44_639),  # in the last quarter of October
    adjusted(6, 500, 44_641),  # in the first quarter of November
]


def figures(adjusted: int, count: int) -> Figures:
    return Figures(adjusted=adjusted, available_before_blocks=adjusted, operations_count=count)


OPENING = {BS_1: figures(1_000, 9), BS_2: figures(0, 0)}


def past_of(marks: list[Mark], since: datetime = START) -> Past:
    """The balances at a quarter's border, and the windows until November."""
    windows: dict[tuple[datetime, BalanceKey], Figures] = {}
    opening = dict(OPENING)
    for mark in marks:
        for line in mark.lines:
            key = BalanceKey(line.balance_shop_id, line.currency.code)
            change = figures(line.amount.minor, 1)
            if mark.window < since:
                opening[key] += change
            elif mark.window < END:
                windows[mark.window, key] = windows.get((mark.window, key), Figures()) + change
    return Past(
        since,
        opening,
        tuple(Window(start, key, change) for (start, key), change in windows.items()),
    )


PAST = past_of(MARKS)
IN_OCTOBER = MARKS[:5]


def page(
    after: MerchantStatementPosition | None = None,
    limit: int = 100,
    read: int = 100,
    marks: list[Mark] | None = None,
    shop: str | None = None,
) -> MerchantStatementPage:
    """A page for which so many marks are read."""
    past = past_of(MARKS, first_quarter(START, after))
    shown = {key: each for key, each in past.opening.items() if shop in (None, key[0])}
    windows = tuple(each for each in past.windows if each.balance in shown)
    there = IN_OCTOBER if marks is None else marks
    following = [mark for mark in there if after is None or mark.order > after.order.text]
    wanted = WantedPage(END, limit, after)
    past = Past(past.start, shown, windows)
    return statement_page(past, wanted, following[:read], is_last=len(following) <= read)


def running(lines) -> list[tuple[str, int]]:
    return [(each.line.external_reference, each.running.adjusted) for each in lines]


ALL = [("order-1", 1_100), ("order-2", 1_120), ("order-3", -5), ("order-4", 1_127)]
ALL += [("order-5", 1_128)]


CLOSING = PAST.at(END)


def test_a_statement_has_its_balances_in_order():
    assert stated_balances(OPENING, CLOSING) == [
        StatedBalance(BS_1, figures(1_000, 9), figures(1_128, 13)),
        StatedBalance(BS_2, figures(0, 0), figures(-5, 1)),
    ]


def test_a_statement_leaves_out_balances_that_began_after_it():
    assert stated_balances(OPENING, OPENING) == [
        StatedBalance(BS_1, figures(1_000, 9), figures(1_000, 9))
    ]


def test_running_balances_lead_line_by_line_from_the_opening_to_the_closing():
    assert running(page().lines) == ALL
    assert page().ends_after is None
    assert page().unchecked is None


def test_running_figures_of_both_stages_change_with_an_operation_s_last_line_in_a_balance():
    lines = (
        line_of(1, 100, OperationType.CAPTURE, "bs-1"),
        line_of(1, 30, OperationType.CAPTURE, "bs-2"),
        line_of(1, -1, OperationType.PSP_FEE, "bs-1"),
    )
    effect = {BS_1: Joint(pending=99), BS_2: Joint(pending=30)}
    mark = mark_of(1, START, lines, effect, Stage.CONFIRMED)
    change = {
        BS_1: Figures(confirmed=99, pending=99, operations_count=2),
        BS_2: Figures(confirmed=30, pending=30, operations_count=1),
    }
    windows = tuple(Window(START, *each) for each in change.items())
    past = Past(START, dict.fromkeys(change, Figures()), windows)
    stated = statement_page(past, WantedPage(END, 100), [mark], is_last=True).lines
    assert [(each.running.confirmed, each.running.pending) for each in stated] == [
        (100, 0),
        (30, 30),
        (99, 99),
    ]


@pytest.mark.parametrize("read", range(1, 7))
@pytest.mark.parametrize("limit", range(1, 7))
def test_pages_of_any_size_say_the_same_running_balances_however_much_was_read(limit, read):
    lines, after, sizes = [], None, []
    while True:
        found, after, _ = page(after, limit, read)
        lines += running(found)
        sizes.append(len(found))
        if after is None:
            break
    assert lines == ALL
    assert max(sizes) <= min(limit, read)


def test_a_position_has_what_its_quarter_had_counted_until_then():
    assert page(limit=2).ends_after == MerchantStatementPosition(
        CountedOrder.parse(MARKS[1].order), {BS_1: figures(120, 2)}
    )
    ends_after = page(limit=4).ends_after
    assert ends_after is not None
    assert ends_after.counted == {BS_1: figures(7, 1)}


def test_a_page_begins_with_the_quarter_of_its_first_line():
    assert first_quarter(START, None) == START
    assert first_quarter(START, page(limit=4).ends_after) == START + QUARTER


def test_a_page_of_one_balance_shop_has_its_lines_alone():
    assert running(page(shop="bs-2").lines) == [("order-3", -5)]


def test_a_page_ends_with_the_operations_that_were_read():
    found = page(read=2, shop="bs-2")
    assert found.lines == []
    assert found.ends_after == MerchantStatementPosition(CountedOrder.parse(MARKS[1].order), {})


@pytest.mark.parametrize("missing", range(5))
def test_a_quarter_whose_lines_do_not_add_up_to_its_windows_has_no_statement(missing):
    marks = IN_OCTOBER[:missing] + IN_OCTOBER[missing + 1 :]
    with pytest.raises(TransientError, match="the index is not complete before"):
        page(marks=marks)


def test_a_full_page_too_must_have_its_last_quarter_complete_where_it_was_read():
    marks = [MARKS[0], *MARKS[2:5]]
    with pytest.raises(TransientError):
        page(limit=1, marks=marks)


def test_a_quarter_that_was_not_read_to_its_end_is_checked_by_the_page_that_ends_it():
    marks = [MARKS[0], *MARKS[2:5]]
    found = page(limit=1, read=1, marks=marks)
    assert (running(found.lines), found.unchecked) == (ALL[:1], START)
    with pytest.raises(TransientError):
        page(found.ends_after, marks=marks)


@pytest.mark.parametrize(("read", "unchecked"), [(2, START), (3, START), (4, None), (5, None)])
def test_a_page_says_which_quarter_it_could_not_check(read, unchecked):
    assert page(limit=2, read=read).unchecked == unchecked


def test_figures_that_the_page_before_did_not_count_are_found_at_the_quarter_s_end():
    found = page(limit=1)
    assert found.ends_after is not None
    forged = MerchantStatementPosition(found.ends_after.order, {BS_1: figures(200, 1)})
    with pytest.raises(TransientError):
        page(forged)
    assert running(page(forged, read=1).lines) == [("order-2", 1_220)], "why cursors are sealed"


def test_no_mark_is_taken_beyond_the_first_one_after_a_full_page_s_quarter():
    taken: list[Mark] = []

    def marks() -> Iterator[Mark]:
        for mark in IN_OCTOBER:
            taken.append(mark)
            yield mark

    found = statement_page(PAST, WantedPage(END, 3), marks(), is_last=True)
    assert found.ends_after is not None
    assert found.ends_after.order.text == MARKS[2].order
    assert taken == MARKS[:4]
