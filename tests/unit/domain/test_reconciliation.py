"""Two lists of what moved: what is the same, and what is only one's, or otherwise."""

from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from falcon_balances.domain.bank_statement_lines import BankStatementLine, Period, spanning
from falcon_balances.domain.logged_operations import (
    LoggedOperation,
    OperationPart,
    logged_operations,
    operations_of,
)
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.reconciliation import Discrepancy, reconcile
from tests.strategies import few, journals

DAY = date(2026, 11, 20)


def ours(reference="a", minor=1000, currency="EUR", day=DAY, psp_id="psp-1"):
    return LoggedOperation(reference, psp_id, minor, currency, day, f"id-{reference}", STAGE)


STAGE = Stage.RECONCILED


def theirs(reference="a", minor=1000, currency="EUR", day=DAY, psp_id=None, place="f:2"):
    return BankStatementLine(place, (reference,), psp_id, minor, currency, day)


def said(found):
    return [(str(each.difference), each.reference) for each in found.open]


def after(days):
    return DAY + timedelta(days=days)


@pytest.mark.parametrize(
    ("line", "difference"),
    [
        (theirs(), None),
        (theirs(day=after(1)), None),
        (theirs(day=after(-3)), None),
        (theirs(day=after(4)), "different_date"),
        (theirs(minor=1001), "different_amount"),
        (theirs(minor=-1000), "different_sign"),
        (theirs(currency="USD"), "different_currency"),
        (theirs(psp_id="psp-1"), None),
    ],
)
def test_one_line_beside_one_operation(line, difference):
    found = reconcile([ours()], [line], Period(), days=3)
    assert said(found) == ([] if difference is None else [(difference, "a")])
    assert found.matched == (difference is None)


def test_what_only_one_side_has():
    found = reconcile([ours("a"), ours("b")], [theirs("b"), theirs("c")], Period(), days=3)
    assert said(found) == [("ours_only", "a"), ("theirs_only", "c")]
    assert [each.minor for each in found.open] == [1000, -1000]
    assert found.sums == {"EUR": 1000}


def test_another_psp_s_reference_is_another_reference():
    line = theirs(psp_id="psp-2")
    found = reconcile([ours()], [line], Period(), days=3)
    assert said(found) == [("ours_only", "a"), ("theirs_only", "a")]
    both = [ours(), ours(psp_id="psp-2", minor=7)]
    assert said(reconcile(both, [line], Period(), 3)) == [
        ("different_amount", "a"),
        ("ours_only", "a"),
    ]


def test_a_capture_and_its_refund_may_bear_one_reference():
    both = [ours(minor=1000), ours(minor=-400)]
    assert not reconcile(both, [theirs(minor=-400), theirs(minor=1000)], Period(), 3).open
    found = reconcile(both, [theirs(minor=999), theirs(minor=-400)], Period(), 3)
    assert said(found) == [("different_amount", "a")]


def test_money_that_did_not_move_needs_no_line():
    assert not reconcile([ours(minor=0)], [], Period(), 3).open
    assert not reconcile([ours(minor=0)], [theirs(minor=0)], Period(), 3).open
    assert said(reconcile([ours(minor=0)], [theirs()], Period(), 3)) == [("theirs_only", "a")]


def paid(merchant_id, minor):
    return ours("p-1", -minor, psp_id="")._replace(merchant_id=merchant_id, stage=Stage.PAYOUT)


def debit(minor, merchant_id=None):
    return theirs("p-1", -minor)._replace(merchant_id=merchant_id)


@pytest.mark.parametrize(
    ("lines", "differences"),
    [
        ([debit(300), debit(100)], []),
        ([debit(300, "m-2"), debit(100, "m-1")], []),
        ([debit(300, "m-2"), debit(100)], []),
        ([debit(300, "m-1"), debit(100, "m-2")], ["different_amount"] * 2),
        ([debit(100, "m-3"), debit(300)], ["ours_only", "theirs_only"]),
        ([debit(100), debit(200), debit(100)], []),
        ([debit(400)], ["different_amount", "ours_only"]),
    ],
)
def test_a_payout_id_of_two_merchants_is_told_by_merchant_or_else_by_amount(lines, differences):
    found = reconcile([paid("m-1", 100), paid("m-2", 300)], lines, Period(), 3)
    assert sorted(difference for difference, _ in said(found)) == differences


def test_a_merchant_says_nothing_of_an_operation_that_several_may_share():
    assert not reconcile([ours()], [theirs()._replace(merchant_id="m-1")], Period(), 3).open


def test_the_same_line_again_is_one_too_many():
    found = reconcile([ours()], [theirs(), theirs(place="f:3")], Period(), 3)
    assert said(found) == [("theirs_only", "a")]


@pytest.mark.parametrize("parts", [(400, 600), (1, 2, 997)])
def test_one_may_come_in_pieces_that_add_up(parts):
    lines = [theirs(minor=part, place=f"f:{n}") for n, part in enumerate(parts)]
    assert reconcile([ours()], lines, Period(), 3).matched == len(parts)
    assert not reconcile([ours(minor=part) for part in parts], [theirs()], Period(), 3).open


def test_pieces_of_other_signs_or_other_days_do_not_add_up():
    for last in (theirs(minor=-500), theirs(minor=500, day=after(9))):
        minor = 1500 if last.minor < 0 else 500
        assert reconcile([ours()], [theirs(minor=minor), last], Period(), 3).open


def test_the_nearest_of_several_equal_ones_is_meant():
    many = [ours(day=DAY), ours(day=after(40))]
    found = reconcile(many, [theirs(day=after(40))], Period(), 3)
    assert [(str(each.difference), each.since) for each in found.open] == [("ours_only", DAY)]


def test_any_of_a_line_s_references_may_be_the_one_that_we_know():
    line = BankStatementLine("f:2", ("end-to-end", "a"), None, 1000, "EUR", DAY)
    assert not reconcile([ours("a")], [line], Period(), 3).open


def test_only_what_the_statements_cover_is_expected_in_them():
    period = Period(DAY, after(1))
    around = [ours("before", day=after(-1)), ours("in"), ours("after", day=after(1))]
    assert said(reconcile(around, [], period, 3)) == [("ours_only", "in")]
    # What the other side dates on this side of midnight matches what lies beyond it.
    assert said(reconcile(around, [theirs("after")], period, 3)) == [("ours_only", "in")]
    assert period.widened(3) == Period(after(-3), after(4))
    assert Period(date.min, date.max).widened(3) == Period(date.min, date.max)


def test_a_period_is_as_long_as_all_say():
    assert spanning([]) == Period()
    assert spanning([Period(DAY, after(1)), Period(after(5), after(6))]) == Period(DAY, after(6))
    assert spanning([Period(DAY, after(1)), Period()]) == Period()


@pytest.mark.parametrize(("days_ago", "overdue"), [(0, False), (3, False), (4, True)])
def test_what_one_side_has_may_still_come_on_the_other(days_ago, overdue):
    one_sided, differing = reconcile(
        [ours("a", day=after(-days_ago)), ours("b", day=after(-days_ago))],
        [theirs("b", minor=1, day=after(-days_ago))],
        Period(),
        3,
    ).open
    assert one_sided.difference is Discrepancy.OURS_ONLY
    assert one_sided.is_overdue(DAY, 3) is overdue
    assert differing.is_overdue(DAY, 3)


sides = st.lists(
    st.builds(
        ours,
        reference=st.sampled_from("ab"),
        minor=st.sampled_from((-200, -100, 100, 200, 300)),
        currency=st.sampled_from(("EUR", "JPY")),
        day=st.integers(0, 8).map(after),
        psp_id=st.sampled_from(("psp-1", "psp-2")),
    ),
    max_size=7,
)
named = st.sampled_from((None, "psp-1", "psp-2"))
lines = st.lists(
    st.builds(
        theirs,
        reference=st.sampled_from("abc"),
        minor=st.sampled_from((-200, -100, 0, 100, 200, 300)),
        currency=st.sampled_from(("EUR", "JPY")),
        day=st.integers(0, 8).map(after),
        psp_id=named,
    ),
    max_size=7,
)


@given(sides, lines, st.randoms(use_true_random=False))
def test_every_cent_of_both_sides_is_matched_or_open_in_any_order(ours_all, theirs_all, random):
    found = reconcile(ours_all, theirs_all, Period(), 3)
    assert found.matched + sum(each.theirs is not None for each in found.open) == len(theirs_all)
    for code in ("EUR", "JPY"):
        open_theirs = sum(
            each.theirs.minor for each in found.open if each.theirs and each.theirs.currency == code
        )
        open_ours = sum(
            each.ours.minor for each in found.open if each.ours and each.ours.currency == code
        )
        matched = found.sums.get(code, 0)
        assert matched + open_theirs == sum(x.minor for x in theirs_all if x.currency == code)
        assert matched + open_ours == sum(x.minor for x in ours_all if x.currency == code)
    shuffled_ours, shuffled_theirs = list(ours_all), list(theirs_all)
    random.shuffle(shuffled_ours)
    random.shuffle(shuffled_theirs)
    again = reconcile(shuffled_ours, shuffled_theirs, Period(), 3)
    assert (again.matched, again.sums, said(again)) == (found.matched, found.sums, said(found))


@given(journals(), st.data())
@few
def test_a_statement_made_of_the_log_matches_and_one_that_was_changed_does_not(segments, data):
    logged = logged_operations(segments)
    statement = [
        theirs(each.reference, each.minor, each.currency, each.day, each.psp_id, place=str(n))
        for n, each in enumerate(logged)
    ]
    assert not reconcile(logged, statement, Period(), 0).open
    if not statement:
        return
    n = data.draw(st.integers(0, len(statement) - 1))
    line = statement[n]
    assume(line.minor)
    changed = [*statement[:n], line._replace(minor=line.minor + 1), *statement[n + 1 :]]
    assert reconcile(logged, changed, Period(), 0).open
    assert reconcile(logged, statement[:n] + statement[n + 1 :], Period(), 0).open
    assert reconcile(logged, [*statement, line._replace(place="again")], Period(), 0).open


def test_parts_in_any_order_give_one_operation_with_its_first_day():
    late = OperationPart(ours(minor=-3, day=after(9)), revision=2)
    first = [OperationPart(ours(minor=60)), OperationPart(ours(minor=40), part=2)]
    for parts in ([*first, late], [late, *first]):
        assert operations_of(parts) == [ours(minor=97)]
