"""The merchant statement: opening, running and closing balances, worked out without AWS."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from falcon_balances.domain.available import Joint
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Figures, Mark, NotClosedError, Past, Window
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
    """Closed until the second quarter of November; what was counted earlier is the opening."""
    windows: dict[tuple[datetime, BalanceKey], Figures] = {}
    closing = dict(OPENING)
    for mark in marks:
        for line in mark.lines:
            key = BalanceKey(line.balance_shop_id, line.currency.code)
            change = figures(line.amount.minor, 1)
            closing[key] += change
            if mark.window >= since:
                windows[mark.window, key] = windows.get((mark.window, key), Figures()) + change
    return Past(
        since,
        END + QUARTER,
        closing,
        tuple(Window(start, key, change) for (start, key), change in windows.items()),
    )


PAST = past_of(MARKS)


def marks_from(start: datetime, end: datetime = END) -> list[Mark]:
    return [mark for mark in MARKS if start <= mark.window < end]


def page(after: str | None = None, limit: int = 100, **more: object) -> MerchantStatementPage:
    wanted = WantedPage(limit, 100, after, **more)  # type: ignore[arg-type]
    return statement_page(PAST, END, marks_from(first_quarter(PAST, after)), wanted)


def running(lines) -> list[tuple[str, int]]:
    return [(each.line.external_reference, each.running.adjusted) for each in lines]


ALL = [("order-1", 1_100), ("order-2", 1_120), ("order-3", -5), ("order-4", 1_127)]
ALL += [("order-5", 1_128)]


def test_statement_closing_is_its_opening_and_what_was_counted_in_the_period():
    assert stated_balances(PAST, START, END) == [
        StatedBalance(BS_1, figures(1_000, 9), figures(1_128, 13)),
        StatedBalance(BS_2, figures(0, 0), figures(-5, 1)),
    ]


def test_statement_closing_is_the_opening_of_the_next_statement():
    borders = [START, START + QUARTER, START + 2 * QUARTER, END, END + QUARTER]
    statements = [stated_balances(PAST, start, end) for start, end in pairwise(borders)]
    for earlier, later in pairwise(statements):
        assert [each.closing for each in earlier] == [each.opening for each in later]


def test_a_statement_leaves_out_balances_that_began_after_it_and_other_balance_shops():
    assert stated_balances(past_of([]), START, END) == [
        StatedBalance(BS_1, figures(1_000, 9), figures(1_000, 9))
    ]
    assert [each.balance for each in stated_balances(PAST, START, END, "bs-2")] == [BS_2]
    assert stated_balances(PAST, START, END, "bs-3") == []


def test_a_period_that_is_not_closed_has_no_statement():
    with pytest.raises(NotClosedError) as caught:
        stated_balances(PAST, START, END + 2 * QUARTER)
    assert caught.value.closed_until == END + QUARTER


def test_running_balances_lead_line_by_line_from_the_opening_to_the_closing():
    assert running(page().lines) == ALL
    assert page().ends_after is None


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
    past = Past(START, END, change, tuple(Window(START, *each) for each in change.items()))
    stated = statement_page(past, END, [mark], WantedPage(100, 100)).lines
    assert [(each.running.confirmed, each.running.pending) for each in stated] == [
        (100, 0),
        (30, 30),
        (99, 99),
    ]


@pytest.mark.parametrize("limit", range(1, 7))
def test_pages_of_any_size_say_the_same_running_balances(limit):
    lines, after, sizes = [], None, []
    while True:
        found, after = page(after, limit)
        lines += running(found)
        sizes.append(len(found))
        if after is None:
            break
    assert lines == ALL
    assert max(sizes) <= limit


def test_a_page_begins_with_the_quarter_of_its_first_line():
    assert first_quarter(PAST, None) == START
    assert first_quarter(PAST, MARKS[3].order) == START + QUARTER


def test_a_page_of_one_balance_shop_has_its_lines_alone():
    assert running(page(balance_shop_id="bs-2").lines) == [("order-3", -5)]


def test_a_page_ends_after_so_many_operations_looked_through():
    wanted = WantedPage(100, 2, balance_shop_id="bs-2")
    found = statement_page(PAST, END, marks_from(START), wanted)
    assert found == ([], MARKS[1].order)


@pytest.mark.parametrize("missing", range(5))
def test_a_quarter_whose_lines_do_not_add_up_to_its_windows_has_no_statement(missing):
    marks = marks_from(START)
    del marks[missing]
    with pytest.raises(TransientError, match="the index is not complete before"):
        statement_page(PAST, END, marks, WantedPage(100, 100))


def test_a_full_page_too_must_have_its_last_quarter_complete():
    marks = [MARKS[0], *MARKS[2:5]]
    with pytest.raises(TransientError):
        statement_page(PAST, END, marks, WantedPage(1, 100))


def test_no_mark_is_read_beyond_the_first_one_after_a_full_page_s_quarter():
    read: list[Mark] = []

    def marks() -> Iterator[Mark]:
        for mark in marks_from(START):
            read.append(mark)
            yield mark

    found = statement_page(PAST, END, marks(), WantedPage(3, 100))
    assert found.ends_after == MARKS[2].order
    assert read == MARKS[:4]
