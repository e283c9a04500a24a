"""A refund is asked for as it will be confirmed: set aside at everybody whom it debits, once."""

import pytest

from tests.e2e.events import confirmed, context, part, reconciled
from tests.e2e.rounds import Figures, after, authorize, figures, load, now

PSP = "asked-psp"
FEBRUARY = "2026-02-10T08:00:00Z"
MOVED = context(PSP, "asked-moved", merchant_id="m-asked-old")
MERCHANTS = [
    *(context(PSP, f"asked-{name}") for name in ("market", "seller", "bank")),
    MOVED | {"balance_shops": {"EUR": "bs-asked-old"}},
    MOVED
    | {
        "merchant_id": "m-asked-new",
        "balance_shops": {"EUR": "bs-asked-new"},
        "effective_from": "2026-03-01T00:00:00Z",
    },
]
SPLITS = [part("asked-seller", "50.00", marketplace_fee="5.00")]
BASKET = confirmed(PSP, "basket", "asked-market", "50.00", splits=SPLITS)
OWN = confirmed(PSP, "own", "asked-market", "100.00")
BASKET_BACK = {
    **BASKET, "external_reference": "basket-back", "type": "refund", "original_reference": "basket"
}  # fmt: skip
BANK = confirmed(PSP, "bank", "asked-bank", "100.00")
SEEN = confirmed(PSP, "seen", "asked-bank", "60.00", type="refund")
MOVED_SALE = confirmed(PSP, "moved", "asked-moved", "100.00", operation_date=FEBRUARY)
MOVED_BACK = confirmed(
    PSP, "moved-back", "asked-moved", "30.00",
    type="refund", original_reference="moved", original_date=FEBRUARY,
)  # fmt: skip
SALES = [BASKET, OWN, BANK, MOVED_SALE]


@pytest.fixture(scope="module")
def answers(local_stack, tmp_path_factory):
    """What the systems' API said, each refund asked for once; and how that left the balances."""
    load(local_stack, tmp_path_factory.mktemp("asked"), MERCHANTS)
    after(local_stack, confirmed=SALES, reconciled=[*map(reconciled, SALES), reconciled(SEEN)])
    said = {
        "market": authorize(local_stack, "asked-market", BASKET_BACK),
        "bank": authorize(local_stack, "asked-bank", SEEN),
        "moved": authorize(local_stack, "asked-old", MOVED_BACK),
    }
    return said, now(local_stack)


@pytest.fixture(scope="module")
def set_aside(answers):
    return answers[1]


@pytest.fixture(scope="module")
def refunded(local_stack, answers):
    assert answers
    return after(local_stack, confirmed=[BASKET_BACK, MOVED_BACK])


def test_a_marketplaces_refund_is_set_aside_at_the_seller_and_at_the_marketplace(
    answers, set_aside
):
    # 50.00 less the 5.00 that the marketplace gives back: 45.00 from the seller.
    answer = answers[0]["market"]
    assert (answer.status, answer.document.get("authorized")) == (201, True)
    both = {"confirmed": "105.00", "reconciled": "105.00"}
    assert figures(set_aside, "asked-market") == Figures(**both, blocked="5.00", available="100.00")
    assert figures(set_aside, "asked-seller") == Figures(
        confirmed="45.00", reconciled="45.00", blocked="45.00"
    )


def test_its_confirmation_ends_what_was_set_aside_at_both(refunded):
    assert figures(refunded, "asked-market") == Figures(
        confirmed="100.00", reconciled="105.00", debits_untraced="5.00", available="100.00"
    )
    assert figures(refunded, "asked-seller") == Figures(reconciled="45.00", debits_untraced="45.00")


def test_a_refund_that_the_bank_has_paid_already_is_not_authorized_again(answers, set_aside):
    answer = answers[0]["bank"]
    assert (answer.status, answer.document.get("authorized")) == (409, None)
    assert figures(set_aside, "asked-bank") == Figures(
        confirmed="100.00", reconciled="40.00", debits_unconfirmed="60.00", available="40.00"
    )


def test_the_refund_of_a_shop_that_moved_is_set_aside_where_it_sold(answers, set_aside, refunded):
    assert answers[0]["moved"].status == 201
    assert figures(set_aside, "asked-old") == Figures(
        confirmed="100.00", reconciled="100.00", blocked="30.00", available="70.00"
    )
    assert figures(refunded, "asked-old") == Figures(
        confirmed="70.00", reconciled="100.00", debits_untraced="30.00", available="70.00"
    )
    assert figures(refunded, "asked-new") is None
