"""Refund authorizations as the systems API answers with them."""

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.refund_claims import DynamoAuthorizations
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from lambdas.persister.linking import links_of
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    data_of,
    operation_id_of,
    record_of,
    records_of,
    shop,
)
from tests.component.systems_api.requests import (
    AUTHORIZATIONS,
    BLOCKS,
    CALLER,
    INVALID,
    REFUND,
    authorize,
    give,
    money,
    pointers,
    request,
)


def test_a_refund_that_is_covered_is_authorized_with_a_block_for_a_week(world):
    answer = authorize()
    [held] = answer["body"]["blocks"]
    assert answer["statusCode"] == 201
    assert answer["body"] == {
        "authorized": True,
        "falcon_operation_id": operation_id_of(REFUND),
        "attempt": 1,
        "status": "active",
        "reason": None,
        "available": None,
        "short": [],
        "sale": None,
        "expiry": "2026-11-27T10:20:00Z",
        "blocks": [
            {
                "block_id": held["block_id"],
                "merchant_id": "m-5553",
                "balance_shop_id": "bs-5553-eur",
                "amount": "15.00",
                "currency": "EUR",
                "purpose": "refund",
                "reference": "refund-1",
                "status": "active",
                "created_at": "2026-11-20T10:20:00Z",
                "requested_by": CALLER,
                "expiry": "2026-11-27T10:20:00Z",
                "ended_at": None,
                "ended_by": None,
            }
        ],
    }
    again = authorize()
    assert (again["statusCode"], again["body"]) == (200, answer["body"])
    assert money(world) == (8500, 1500)


def test_a_refund_that_is_not_covered_is_refused_for_good(world, store):
    for _ in range(2):
        answer = authorize(amount="100.01")
        assert answer["statusCode"] == 200
        assert (answer["body"]["authorized"], answer["body"]["blocks"]) == (False, [])
        assert answer["body"]["reason"] == "insufficient_balance"
        assert answer["body"]["available"] == "100.00"
        give(store, 10**6)
    assert money(world)[1] == 0


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"amount": "15.01"}, "amount"), ({"expires_in_seconds": 60}, "expires_in_seconds")],
)
def test_the_same_refund_asked_otherwise_is_a_conflict(world, changes, field):
    authorize()
    answer = authorize(**changes)
    assert (answer["statusCode"], answer["body"]["field"]) == (409, field)
    assert money(world) == (8500, 1500)


def count_refund(world) -> None:
    """Claimed, linked with its authorization, and counted."""
    claims = DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE)
    claim = claim_of(REFUND)
    claims.claim(claim)
    authorizations = DynamoAuthorizations(client("dynamodb"), BALANCES_TABLE)
    world.reduce(*map(data_of, records_of(claim, links_of(claim, claims, authorizations))))


def test_a_refund_that_is_claimed_already_is_not_authorized(world):
    count_refund(world)
    answer = authorize()
    assert (answer["statusCode"], answer["body"]["field"]) == (409, "external_reference")
    assert "authorization" not in answer["body"]
    assert money(world) == (8500, 0)


def test_an_authorization_that_was_used_is_not_given_again(world):
    [held] = authorize(amount="20.00")["body"]["blocks"]
    count_refund(world)
    answer = authorize(amount="20.00")
    assert (answer["statusCode"], answer["body"]["field"]) == (409, "attempt")
    assert answer["body"]["authorization"]["status"] == "settled"
    released = request("POST", f"{BLOCKS}/{held['block_id']}/release")
    assert (released["statusCode"], released["body"]["block"]["status"]) == (409, "settled")
    assert money(world) == (8500, 0)


def test_an_authorization_that_was_given_back_is_not_given_again(world):
    [held] = authorize()["body"]["blocks"]
    assert request("POST", f"{BLOCKS}/{held['block_id']}/release")["statusCode"] == 200
    answer = authorize()
    assert (answer["statusCode"], answer["body"]["authorization"]["status"]) == (409, "released")
    assert money(world) == (10000, 0)
    assert authorize(attempt=2)["statusCode"] == 201


def test_in_dynamodb_too_no_more_is_authorized_than_is_left_of_the_sale(world):
    sale = record_of(confirmed(amount="40.00"), context_of())
    world.reduce(data_of(sale))
    granted = authorize(original_reference="order-1", external_reference="r-1", amount="30.00")
    assert (granted["statusCode"], granted["body"]["sale"]["is_known"]) == (201, True)
    refused = authorize(original_reference="order-1", external_reference="r-2", amount="10.01")
    assert (refused["body"]["reason"], refused["body"]["sale"]["left"]) == ("above_sale", "10.00")
    unknown = authorize(original_reference="order-2", external_reference="r-3", amount="10.00")
    assert unknown["body"]["sale"]["is_known"] is False
    world.reduce(data_of(record_of(confirmed(external_reference="order-2"), context_of())))
    more = authorize(original_reference="order-2", external_reference="r-4", amount="1.00")
    assert more["body"]["sale"]["is_known"] is True
    again = authorize(
        original_reference="order-1", external_reference="r-2", amount="10.00", attempt=2
    )
    assert again["statusCode"] == 201


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        *INVALID,
        ({"psp_id": None}, "E_SCHEMA", "psp_id"),
        ({"external_reference": "a|b"}, "E_ID", "external_reference"),
        ({"local_merchant_id": "no"}, "E_UNKNOWN_MERCHANT", "local_merchant_id, shop_id"),
        ({"shop_id": "no"}, "E_UNKNOWN_MERCHANT", "local_merchant_id, shop_id"),
        ({"psp_id": "no"}, "E_UNKNOWN_MERCHANT", "local_merchant_id, shop_id"),
        (shop("other"), "E_UNKNOWN_MERCHANT", "local_merchant_id, shop_id"),
        ({"currency": "RON"}, "E_NO_BALANCE_SHOP", "currency"),
    ],
)
def test_an_invalid_authorization_is_422_with_code_and_field(world, changes, code, field):
    answer = authorize(**changes)
    assert (answer["statusCode"], answer["body"]["code"]) == (422, code)
    assert answer["body"]["field"] == field
    assert pointers(answer) == [f"/{each}" for each in field.split(", ")]
    assert world.items("BLOCK") == {}


def test_the_context_in_force_now_says_which_balance(world):
    world.load(
        context_of(),
        context_of(effective_from="2026-11-20T10:20:00Z", balance_shops={"EUR": "bs-new"}),
    )
    answer = authorize()
    assert (answer["body"]["authorized"], answer["body"]["available"]) == (False, "0.00")
    assert [each["balance_shop_id"] for each in answer["body"]["short"]] == ["bs-new"]


def test_a_refund_of_an_unknown_merchant_is_not_authorized(world):
    answer = authorize(AUTHORIZATIONS.replace("m-5553", "m-none"))
    assert (answer["statusCode"], answer["body"]["code"]) == (422, "E_UNKNOWN_MERCHANT")
