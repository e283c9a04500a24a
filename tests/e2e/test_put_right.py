"""What a PSP can put right, and what it leaves behind in the log: by revisions, occurrences, the
date of the sale, and adjustments that say who and why. Worked out by hand.
"""

import csv

import pytest

from tests.e2e import observed
from tests.e2e.events import DATE, confirmed, context, direct, fee, part, reconciled, revised
from tests.e2e.rounds import Figures, after, figures, load, operation_id

PSP = "right-psp"
FEBRUARY = "2026-02-10T08:00:00Z"
MOVED = context(PSP, "right-moved", merchant_id="m-right-old")
MERCHANTS = [
    *(context(PSP, f"right-{name}") for name in ("owner", "other", "void", "failed", "dispute")),
    context(PSP, "right-short", **fee("1.00")),
    MOVED | {"balance_shops": {"EUR": "bs-right-old"}},
    MOVED
    | {
        "merchant_id": "m-right-new",
        "balance_shops": {"EUR": "bs-right-new"},
        "effective_from": "2026-03-01T00:00:00Z",
    },
    context(PSP, "right-audited"),
]

TRACED = confirmed(PSP, "traced", "right-owner", "100.00")
WRONGLY = reconciled({**TRACED, **part("right-other", "100.00")})
SHORT = confirmed(PSP, "short", "right-short", "100.00")
VOID = confirmed(PSP, "void", "right-void", "250.00")
SALE = confirmed(PSP, "sale", "right-failed", "100.00")
FAILED = confirmed(PSP, "failed", "right-failed", "40.00", type="refund", original_reference="sale")
SOLD = confirmed(PSP, "sold", "right-dispute", "100.00")
# The PSP dates everything about a dispute by the day it was opened, under the dispute's own id.
LOST = confirmed(
    PSP, "dispute", "right-dispute", "100.00", type="chargeback", original_reference="sold"
)
WON = {**LOST, "type": "chargeback_reversal"}
MOVED_SALE = confirmed(PSP, "moved", "right-moved", "100.00", operation_date=FEBRUARY)
OF_MOVED = {"original_reference": "moved", "original_date": FEBRUARY}
MOVED_REFUND = confirmed(PSP, "back", "right-moved", "40.00", type="refund", **OF_MOVED)
MOVED_CHARGEBACK = confirmed(PSP, "cb", "right-moved", "60.00", type="chargeback", **OF_MOVED)
AUDITED = confirmed(PSP, "audited", "right-audited", "100.00")

FIRST = {
    "confirmed": [TRACED, SHORT, VOID, SALE, FAILED, SOLD, LOST, WON, MOVED_SALE, AUDITED],
    "reconciled": [
        WRONGLY,
        reconciled(SHORT, amount="97.00"),
        *map(reconciled, (SALE, FAILED, SOLD, WON, MOVED_SALE, AUDITED)),
    ],
}
WHY = {
    "direction": "credit",
    "adjusted_at": DATE,
    "reason": "goodwill, ticket 4711",
    "reason_code": "goodwill",
    "requested_by": "anna",
    "corrects": operation_id(PSP, "capture", "audited"),
}
THEN = {
    "confirmed": [
        revised(SHORT, amount="97.00"),
        revised(VOID, amount="0.00"),
        revised(FAILED, amount="0.00"),
        {**LOST, "occurrence": 2},
        MOVED_REFUND,
        MOVED_CHARGEBACK,
    ],
    "reconciled": [
        revised(reconciled(TRACED)),
        revised(reconciled(FAILED), amount="0.00"),
    ],
    "adjustment": [direct("right-audited", "adjustment_id", "why-1", "1.00", **WHY)],
}


@pytest.fixture(scope="module")
def before(local_stack, tmp_path_factory):
    load(local_stack, tmp_path_factory.mktemp("right"), MERCHANTS)
    return after(local_stack, **FIRST)


@pytest.fixture(scope="module")
def put_right(local_stack, before):
    return after(local_stack, **THEN)


def test_money_traced_at_the_wrong_merchant_is_put_right(before, put_right):
    assert figures(before, "right-other") == Figures(reconciled="100.00", unapplied="100.00")
    assert figures(put_right, "right-other") == Figures()
    assert figures(put_right, "right-owner") == Figures(
        confirmed="100.00", reconciled="100.00", available="100.00"
    )


def test_a_sale_settled_short_is_pending_until_the_psp_says_less(before, put_right):
    # 97.00 less 1 % were traced; then the sale itself is said to be 97.00.
    short = Figures(confirmed="99.00", reconciled="96.03", pending="2.97", available="96.03")
    assert figures(before, "right-short") == short
    assert figures(put_right, "right-short") == Figures(
        confirmed="96.03", reconciled="96.03", available="96.03"
    )


def test_a_voided_sale_is_not_pending_for_ever(before, put_right):
    assert figures(before, "right-void") == Figures(confirmed="250.00", pending="250.00")
    assert figures(put_right, "right-void") == Figures()


def test_a_refund_that_fails_later_gives_the_money_back(before, put_right):
    # Sale of 100.00; the refund of 40.00 is taken back in both stages.
    assert figures(before, "right-failed") == Figures(
        confirmed="60.00", reconciled="60.00", available="60.00"
    )
    assert figures(put_right, "right-failed") == Figures(
        confirmed="100.00", reconciled="100.00", available="100.00"
    )


def test_a_dispute_lost_a_second_time_on_the_same_date_is_taken_again(before, put_right):
    # 100.00 sold, lost (not traced yet), won (traced): 100.00. Lost again: nothing.
    assert figures(put_right, "right-dispute") == Figures(
        reconciled="200.00", debits_untraced="200.00"
    )
    assert figures(before, "right-dispute") == Figures(
        confirmed="100.00", reconciled="200.00", debits_untraced="100.00", available="100.00"
    )


def test_a_shop_that_moved_owes_for_its_sales_where_it_made_them(put_right):
    # Sold 100.00 in February under the old merchant; 40.00 and 60.00 back after the move.
    assert figures(put_right, "right-old") == Figures(reconciled="100.00", debits_untraced="100.00")
    assert figures(put_right, "right-new") is None


def test_the_log_alone_says_who_corrected_what_and_why(local_stack, put_right):
    assert put_right
    target = local_stack.target
    objects = observed.log_objects(target, "adjustment/merchant_id=m-right-audited/")
    lines = [
        line
        for found in objects.values()
        for line in csv.DictReader(found.body.decode().splitlines())
    ]
    asked = ("external_reference", "amount", "original_reference", "reason_code", "requested_by")
    assert [[line.get(column) for column in asked] for line in lines] == [
        ["why-1", "1.00", WHY["corrects"], "goodwill", "anna"]
    ]
