"""Nobody can spend what only one side has said: what hurt before, sent through SNS, asked of the
balances. Worked out by hand: money in counts when both stages say so, money out as soon as either
does.
"""

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.domain.instants import rfc3339
from tests.e2e.events import confirmed, context, direct, part, reconciled
from tests.e2e.rounds import Figures, after, figures, load

PSP = "side-psp"
DISPUTE_FEE = {"type": "psp_fee", "on": "chargeback", "percent": "0", "fixed": {"EUR": "15.00"}}
MERCHANTS = [
    context(PSP, "side-yen", "JPY"),
    context(PSP, "side-right"),
    context(PSP, "side-wrong"),
    context(PSP, "side-dispute", fees=[DISPUTE_FEE]),
    context(PSP, "side-market"),
    context(PSP, "side-seller"),
    context(PSP, "side-bank"),
]

YEN = confirmed(PSP, "yen", "side-yen", "1980", currency="JPY")
TRACED = confirmed(PSP, "traced", "side-right", "100.00")
SOLD = confirmed(PSP, "sold", "side-dispute", "115.00")
DISPUTED = confirmed(PSP, "disputed", "side-dispute", "100.00", type="chargeback")
SPLITS = [part("side-seller", "100.00", marketplace_fee="10.00")]
BASKET = confirmed(PSP, "basket", "side-market", "100.00", splits=SPLITS)
GIVEN_BACK = {**BASKET, "external_reference": "given-back", "type": "refund"}
KNOWN = confirmed(PSP, "known", "side-bank", "100.00")
SEEN = confirmed(PSP, "seen", "side-bank", "100.00", type="refund")

CONFIRMED = [YEN, TRACED, SOLD, DISPUTED, BASKET, GIVEN_BACK, KNOWN]
RECONCILED = [
    reconciled(YEN, amount="198000"),
    reconciled({**TRACED, **part("side-wrong", "100.00")}),
    *map(reconciled, (SOLD, BASKET, KNOWN, SEEN)),
]
# Everything that each of them had available before the rule: paid out then, too much each time.
ASKED = {
    "side-yen": "198000",
    "side-wrong": "100.00",
    "side-dispute": "15.00",
    "side-market": "10.00",
    "side-bank": "100.00",
}


def payout(name, amount):
    currency = "JPY" if name == "side-yen" else "EUR"
    more = {"currency": currency, "requested_at": rfc3339(utc_now())}
    return direct(name, "payout_id", f"all-of-{name}", amount, **more)


@pytest.fixture(scope="module")
def asked(local_stack, tmp_path_factory):
    """Every balance, when all was counted and then each merchant's payout was decided."""
    load(local_stack, tmp_path_factory.mktemp("side"), MERCHANTS)
    after(local_stack, confirmed=CONFIRMED, reconciled=RECONCILED)
    return after(local_stack, payout=[payout(*each) for each in ASKED.items()])


def test_a_yen_amount_traced_a_hundredfold_pays_out_nothing_of_the_excess(asked):
    # 198000 traced, of which 1980 are confirmed: 196020 wait for a person.
    assert figures(asked, "side-yen") == Figures(
        confirmed="1980", reconciled="198000", unapplied="196020", available="1980"
    )


def test_money_traced_at_the_wrong_merchant_can_be_spent_by_nobody(asked):
    assert figures(asked, "side-right") == Figures(confirmed="100.00", pending="100.00")
    assert figures(asked, "side-wrong") == Figures(reconciled="100.00", unapplied="100.00")


def test_the_fee_of_a_dispute_is_taken_before_it_is_traced(asked):
    # A sale of 115.00, traced; a chargeback of 100.00 with a fee of 15.00, not traced yet.
    assert figures(asked, "side-dispute") == Figures(reconciled="115.00", debits_untraced="115.00")


def test_commission_to_be_given_back_cannot_be_withdrawn_before(asked):
    # The sale brought 10.00 and 90.00, traced; its refund, confirmed only, takes both back.
    assert figures(asked, "side-market") == Figures(reconciled="10.00", debits_untraced="10.00")
    assert figures(asked, "side-seller") == Figures(reconciled="90.00", debits_untraced="90.00")


def test_a_refund_seen_only_at_the_bank_is_gone_from_what_is_available(asked):
    assert figures(asked, "side-bank") == Figures(confirmed="100.00", debits_unconfirmed="100.00")
