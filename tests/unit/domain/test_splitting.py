from datetime import UTC, datetime

import pytest

from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.splitting import context_keys, split
from tests.unit.domain.events import context, directory, event, lines_of

REFUND_FEE = {"type": "psp_fee", "on": "refund", "percent": "0", "fixed": {"EUR": "0.30"}}


@pytest.mark.parametrize(
    ("event_type", "lines"),
    [
        ("capture", ["100.00 capture", "-1.00 psp_fee"]),
        ("refund", ["-100.00 refund"]),
        ("chargeback", ["-100.00 chargeback"]),
        ("chargeback_reversal", ["100.00 chargeback_reversal"]),
        ("cashback", ["100.00 cashback"]),
    ],
)
def test_an_event_of_one_merchant_is_its_amount_and_the_fees_on_its_type(event_type, lines):
    assert lines_of(event(event_type), context("1", "m", "1.00")) == {"m": lines}


@pytest.mark.parametrize(
    ("fees", "event_type", "lines"),
    [
        ([REFUND_FEE], "refund", ["-100.00 refund", "-0.30 psp_fee"]),
        ([REFUND_FEE], "capture", ["100.00 capture"]),
        ([REFUND_FEE] * 3, "refund", ["-100.00 refund", *["-0.30 psp_fee"] * 3]),
        (
            [REFUND_FEE | {"on": "chargeback"}],
            "chargeback",
            ["-100.00 chargeback", "-0.30 psp_fee"],
        ),
        ([REFUND_FEE | {"on": "cashback"}], "cashback", ["100.00 cashback", "-0.30 psp_fee"]),
        ([REFUND_FEE | {"fixed": {"EUR": "0"}}], "refund", ["-100.00 refund"]),
    ],
)
def test_fees_are_charged_on_the_types_that_the_context_says(fees, event_type, lines):
    assert lines_of(event(event_type), context("1", "m", fees=fees)) == {"m": lines}


@pytest.mark.parametrize(
    ("event_type", "market", "first", "second"),
    [
        (
            "capture",
            ["8.00 marketplace_fee", "2.00 marketplace_fee"],
            ["60.00 capture", "-0.60 psp_fee", "-8.00 marketplace_fee"],
            ["40.00 capture", "-2.00 marketplace_fee"],
        ),
        (
            "refund",
            ["-8.00 marketplace_fee", "-2.00 marketplace_fee"],
            ["-60.00 refund", "8.00 marketplace_fee"],
            ["-40.00 refund", "2.00 marketplace_fee"],
        ),
        (
            "chargeback",
            ["-8.00 marketplace_fee", "-2.00 marketplace_fee"],
            ["-60.00 chargeback", "8.00 marketplace_fee"],
            ["-40.00 chargeback", "2.00 marketplace_fee"],
        ),
        (
            "chargeback_reversal",
            ["8.00 marketplace_fee", "2.00 marketplace_fee"],
            ["60.00 chargeback_reversal", "-8.00 marketplace_fee"],
            ["40.00 chargeback_reversal", "-2.00 marketplace_fee"],
        ),
        (
            "cashback",
            ["8.00 marketplace_fee", "2.00 marketplace_fee"],
            ["60.00 cashback", "-8.00 marketplace_fee"],
            ["40.00 cashback", "-2.00 marketplace_fee"],
        ),
    ],
)
def test_splits_go_to_the_sellers_and_marketplace_fees_between_them_and_the_marketplace(
    event_type, market, first, second
):
    operation = event(event_type, "100.00", "9", ("1", "60.00", "8.00"), ("2", "40.00", "2.00"))
    contexts = (
        context("9", "market", "5.00"),
        context("1", "first", "1.00"),
        context("2", "second"),
    )
    assert lines_of(operation, *contexts) == {"market": market, "first": first, "second": second}


@pytest.mark.parametrize("fee", [("0.00",), ("0",), ()])
def test_a_marketplace_that_takes_nothing_has_no_line_and_no_segment(fee):
    operation = event("capture", "100.00", "9", ("1", "100.00", *fee))
    lines = lines_of(operation, context("9", "market"), context("1", "seller"))
    assert lines == {"seller": ["100.00 capture"]}


def test_a_marketplace_that_sells_itself_pays_its_fee_to_itself():
    operation = event("capture", "100.00", "9", ("9", "70.00", "7.00"), ("1", "30.00", "3.00"))
    assert lines_of(operation, context("9", "market", "1.00"), context("1", "seller")) == {
        "market": [
            "70.00 capture",
            "-0.70 psp_fee",
            "-7.00 marketplace_fee",
            "7.00 marketplace_fee",
            "3.00 marketplace_fee",
        ],
        "seller": ["30.00 capture", "-3.00 marketplace_fee"],
    }


def test_two_shops_of_a_seller_are_one_segment_with_the_lines_in_the_events_order():
    operation = event("capture", "100.00", "9", ("1", "60.00"), ("3", "10.00"), ("2", "30.00"))
    contexts = (
        context("9", "market"),
        context("1", "seller", balance_shops={"EUR": "bs-first"}),
        context("2", "seller", balance_shops={"EUR": "bs-second"}),
        context("3", "other"),
    )
    other, seller = split(operation, directory(*contexts)).segments
    assert [(line.balance_shop_id, str(line.amount), line.shop_id) for line in seller.lines] == [
        ("bs-first", "60.00", "s-1"),
        ("bs-second", "30.00", "s-2"),
    ]
    assert (other.part, other.parts, seller.part, seller.parts) == (1, 2, 2, 2)


def test_the_same_shop_twice_makes_two_lines_with_different_uuids():
    operation = event("capture", "100.00", "9", ("1", "50.00"), ("1", "50.00"))
    (segment,) = split(operation, directory(context("9", "market"), context("1", "m"))).segments
    assert [str(line.amount) for line in segment.lines] == ["50.00", "50.00"]
    assert len({line.uuid for line in segment.lines}) == 2


def test_merchants_are_numbered_in_the_order_of_their_ids():
    operation = event("capture", "100.00", "9", ("1", "60.00", "1.00"), ("2", "40.00", "1.00"))
    contexts = (context("9", "m-5"), context("1", "m-9"), context("2", "m-10"))
    segments = split(operation, directory(*contexts)).segments
    assert [(item.merchant_id, item.part, item.parts) for item in segments] == [
        ("m-10", 1, 3),
        ("m-5", 2, 3),
        ("m-9", 3, 3),
    ]


def test_a_reconciled_operation_has_the_same_lines_at_the_bank_date_and_other_uuids():
    contexts = directory(context("1", "m", "1.00"))
    (confirmed,) = split(event(), contexts).segments
    (reconciled,) = split(event(stage=Stage.RECONCILED), contexts).segments
    assert [str(line.amount) for line in reconciled.lines] == ["100.00", "-1.00"]
    assert reconciled.falcon_operation_id == confirmed.falcon_operation_id
    assert reconciled.booked_at == datetime(2026, 3, 7, 9, tzinfo=UTC)
    assert not {line.uuid for line in reconciled.lines} & {line.uuid for line in confirmed.lines}


def test_the_context_at_the_operation_date_counts_also_when_reconciled_later():
    old = context("1", "m", "1.00")
    new = context("1", "m", "2.00", effective_from="2026-03-06T00:00:00Z")
    at_midnight = event(operation_date="2026-03-06T00:00:00Z")
    assert lines_of(event(stage=Stage.RECONCILED), old, new)["m"][1] == "-1.00 psp_fee"
    assert lines_of(at_midnight, old, new)["m"][1] == "-2.00 psp_fee"
    # The last second of the old version, said in another offset.
    before = event(operation_date="2026-03-06T01:59:59.999999+02:00")
    assert lines_of(before, old, new)["m"][1] == "-1.00 psp_fee"


def test_of_a_refund_the_context_when_its_sale_was_made_counts():
    """A shop that moved since: the money is taken where it came from."""
    then, now = "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"
    moved = [
        context("1", "m-old", effective_from=then),
        context("1", "m-new", effective_from=now),
    ]
    refund = event("refund", original_reference="order-1")
    assert lines_of(refund, *moved) == {"m-new": ["-100.00 refund"]}
    refund = event("refund", original_reference="order-1", original_date=then)
    assert lines_of(refund, *moved) == {"m-old": ["-100.00 refund"]}


def test_context_versions_say_which_contexts_were_in_force():
    operation = event("capture", "100.00", "9", ("1", "60.00"), ("2", "40.00"))
    later = "2026-02-01T00:00:00Z"
    contexts = (context("9", "market"), context("1", "m"), context("2", "m", effective_from=later))
    claimed = split(operation, directory(*contexts))
    hashes = [each.content_hash for each in contexts]
    assert claimed.context_versions == (
        f"psp-1|9|s-9@2026-01-01T00:00:00Z#{hashes[0]}",
        f"psp-1|1|s-1@2026-01-01T00:00:00Z#{hashes[1]}",
        f"psp-1|2|s-2@2026-02-01T00:00:00Z#{hashes[2]}",
    )
    assert claimed.segments[0].context_version == (
        f"2026-01-01T00:00:00Z#{hashes[1][:16]},2026-02-01T00:00:00Z#{hashes[2][:16]}"
    )


def test_a_claim_names_the_form_of_a_version_that_it_rests_on():
    first, wider = (
        context("1", "m", balance_shops=shops)
        for shops in ({"EUR": "bs"}, {"EUR": "bs", "USD": "bs-usd"})
    )
    before, after = (split(event(), directory(*forms)) for forms in ([first], [first, wider]))
    assert before.context_versions == (first.claimed_as,)
    assert after.context_versions == (wider.claimed_as,)
    assert [each.lines for each in before.segments] == [each.lines for each in after.segments]


def test_named_merchants_are_listed_once_the_top_level_one_first():
    operation = event("capture", "4.00", "9", *[(local, "1.00") for local in "1291"])
    assert [key.local_merchant_id for key in context_keys(operation)] == ["9", "1", "2"]


GOOD = context("1", "good")
INACTIVE = context("2", "inactive", status="inactive")
NO_EURO = context("3", "no-euro", balance_shops={"USD": "bs"})
INACTIVE_NO_EURO = context("4", "both", status="inactive", balance_shops={"USD": "bs"})
# And local merchant 5 is nobody.


@pytest.mark.parametrize(
    ("event_type", "local", "sellers", "code"),
    [
        ("capture", "5", "", "E_UNKNOWN_MERCHANT"),
        ("capture", "2", "", "E_MERCHANT_INACTIVE"),
        ("cashback", "2", "", "E_MERCHANT_INACTIVE"),
        ("refund", "2", "", None),
        ("chargeback", "2", "", None),
        ("chargeback_reversal", "2", "", None),
        ("capture", "3", "", "E_NO_BALANCE_SHOP"),
        ("refund", "3", "", "E_NO_BALANCE_SHOP"),
        ("capture", "4", "", "E_MERCHANT_INACTIVE"),
        ("refund", "4", "", "E_NO_BALANCE_SHOP"),
        ("capture", "1", "15", "E_UNKNOWN_MERCHANT"),
        ("capture", "5", "11", "E_UNKNOWN_MERCHANT"),
        ("capture", "1", "12", "E_MERCHANT_INACTIVE"),
        ("capture", "2", "11", "E_MERCHANT_INACTIVE"),  # the marketplace is inactive
        ("capture", "3", "11", "E_NO_BALANCE_SHOP"),  # the marketplace has no euro
        ("capture", "2", "35", "E_UNKNOWN_MERCHANT"),  # the first code wins over all merchants
        ("capture", "3", "25", "E_UNKNOWN_MERCHANT"),
        ("capture", "3", "12", "E_MERCHANT_INACTIVE"),
        ("capture", "1", "32", "E_MERCHANT_INACTIVE"),
        ("refund", "1", "32", "E_NO_BALANCE_SHOP"),
        ("refund", "1", "12", None),
    ],
)
def test_an_event_is_rejected_whole_with_the_first_code_over_all_its_merchants(
    event_type, local, sellers, code
):
    splits = [(seller, f"{100 // len(sellers)}.00") for seller in sellers]
    operation = event(event_type, "100.00", local, *splits)
    histories = directory(GOOD, INACTIVE, NO_EURO, INACTIVE_NO_EURO)
    if code is None:
        assert split(operation, histories).segments
        return
    with pytest.raises(RejectedOperation) as caught:
        split(operation, histories)
    assert caught.value.code == code


def test_before_its_first_version_a_merchant_is_unknown():
    operation = event(operation_date="2025-12-31T23:59:59Z")
    with pytest.raises(RejectedOperation, match=r"^E_UNKNOWN_MERCHANT: "):
        split(operation, directory(GOOD))
