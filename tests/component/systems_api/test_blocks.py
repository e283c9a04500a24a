"""Blocks by hand: money is set aside once per key, and every refusal says why."""

import json

import pytest

from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from tests.component.api_calls import PROBLEM, REQUEST_ID
from tests.component.systems_api.requests import (
    AUTHORIZATIONS,
    BALANCE,
    BLOCKS,
    CALLER,
    INVALID,
    MANUAL,
    MAX_EXPIRY_S,
    OTHER_CALLER,
    at,
    block,
    give,
    money,
    pointers,
    request,
)


def test_a_block_is_answered_as_it_stands(world):
    answer = block()
    assert answer["statusCode"] == 201
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["body"] == {
        "block_id": answer["body"]["block_id"],
        "merchant_id": "m-5553",
        "balance_shop_id": "bs-5553-eur",
        "amount": "40.00",
        "currency": "EUR",
        "purpose": "manual",
        "reference": "dispute-1",
        "status": "active",
        "created_at": "2026-11-20T10:20:00Z",
        "requested_by": CALLER,
        "expiry": None,
        "ended_at": None,
        "ended_by": None,
    }
    assert money(world) == (6000, 4000)


def test_the_same_request_again_finds_the_same_block_whoever_asks_and_when(world, monkeypatch):
    first = block(expires_in_seconds=60)
    at(monkeypatch, "2026-11-20T10:30:00")
    body = MANUAL | {"expires_in_seconds": 60, "purpose": "manual"}
    again = request("POST", BLOCKS, body, key="key-1", caller=OTHER_CALLER)
    assert (first["statusCode"], again["statusCode"]) == (201, 200)
    assert again["body"] == first["body"]
    assert money(world) == (6000, 4000)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": "40.01"}, "amount"),
        ({"currency": "JPY", "balance_shop_id": "bs-5553-jpy", "amount": "4000"}, None),
        ({"reference": "dispute-2"}, "reference"),
        ({"expires_in_seconds": 60}, "expires_in_seconds"),
    ],
)
def test_a_key_used_for_something_else_is_a_conflict_that_names_the_field(world, changes, field):
    first = block()["body"]
    answer = block(**changes)
    assert answer["statusCode"] == 409
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["body"]["title"] == "Conflict"
    assert answer["body"]["type"] == f"{PROBLEM}conflict"
    assert answer["body"]["request_id"] == REQUEST_ID
    assert answer["body"]["field"] == (field or "balance_shop_id")
    assert pointers(answer) == [f"/{field or 'balance_shop_id'}"]
    assert answer["body"]["block"] == first
    assert money(world) == (6000, 4000)


def test_the_same_amount_written_otherwise_is_the_same_request(world):
    first = block()
    assert block(amount="40.0")["body"] == block(amount="40")["body"] == first["body"]


def test_keys_of_different_merchants_do_not_meet(world, store):
    store.transact(
        [AddCounters(ItemKey("MERCHANT#m-other", "BALANCE#bs-other-eur#EUR"), {"available": 9000})]
    )
    other = block(path=BLOCKS.replace("m-5553", "m-other"), balance_shop_id="bs-other-eur")
    assert (block()["statusCode"], other["statusCode"]) == (201, 201)


def test_what_is_refused_stays_refused_even_after_money_arrives(world, store):
    for _ in range(2):
        answer = block(amount="100.01")
        assert answer["statusCode"] == 409
        body = answer["body"]
        assert (body["title"], body["field"]) == ("Insufficient balance", "amount")
        assert body["type"] == f"{PROBLEM}insufficient-balance"
        assert pointers(answer) == ["/amount"]
        assert (body["available"], body["currency"]) == ("100.00", "EUR")
        assert (body["block"]["status"], body["block"]["available"]) == ("refused", "100.00")
        give(store, 10**6)
    assert money(world)[1] == 0
    assert block("key-2", amount="100.01")["statusCode"] == 201


def test_money_that_is_blocked_cannot_be_blocked_again(world):
    assert block("1", amount="60.00")["statusCode"] == 201
    refused = block("2", amount="60.00")
    assert (refused["statusCode"], refused["body"]["available"]) == (409, "40.00")
    assert block("3", amount="40.00")["statusCode"] == 201
    assert money(world) == (0, 10000)


def test_a_balance_that_never_had_anything_has_zero_available(world):
    answer = block(currency="JPY", balance_shop_id="bs-5553-jpy", amount="1")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "0")
    assert world.items("BALANCE").keys() == {BALANCE.sk}


def test_a_negative_balance_is_said(world, store):
    give(store, -10500)
    assert block(amount="0.01")["body"]["available"] == "-5.00"


@pytest.mark.parametrize(
    ("seconds", "expiry"), [(1, "2026-11-20T10:20:01Z"), (MAX_EXPIRY_S, "2026-12-20T10:20:00Z")]
)
def test_a_block_expires_when_it_was_asked_to(world, seconds, expiry):
    assert block(expires_in_seconds=seconds)["body"]["expiry"] == expiry


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        *INVALID,
        ({"reference": "a#b"}, "E_ID", "reference"),
        ({"reference": "a" * 65}, "E_ID", "reference"),
        ({"reference": None}, "E_SCHEMA", "reference"),
        ({"purpose": "payout"}, "E_SCHEMA", "purpose"),
        ({"purpose": "refund"}, "E_SCHEMA", "purpose"),
        ({"balance_shop_id": "bs-5553-jpy"}, "E_NO_BALANCE_SHOP", "balance_shop_id, currency"),
        ({"currency": "RON"}, "E_NO_BALANCE_SHOP", "balance_shop_id, currency"),
        ({"balance_shop_id": "bs-other-eur"}, "E_NO_BALANCE_SHOP", "balance_shop_id, currency"),
    ],
)
def test_an_invalid_block_is_422_with_code_and_field(world, changes, code, field):
    answer = block(**changes)
    assert (answer["statusCode"], answer["body"]["code"]) == (422, code)
    assert answer["body"]["type"] == f"{PROBLEM}invalid-request"
    assert answer["body"]["field"] == field
    assert answer["body"]["detail"].startswith(f"{field}: ")
    assert pointers(answer) == [f"/{each}" for each in field.split(", ")]
    assert money(world) == (10000, 0)
    assert world.items("BLOCK") == {}


def test_a_null_is_not_the_same_as_nothing(world):
    body = MANUAL | {"expires_in_seconds": None}
    assert request("POST", BLOCKS, body, key="key-1")["statusCode"] == 422


@pytest.mark.parametrize("key", [None, "", "a b", "a#b", "-a", "a" * 65, "ä", "a,b"])
def test_without_an_idempotency_key_of_an_id_s_form_nothing_is_blocked(world, key):
    answer = block(key)
    assert (answer["statusCode"], answer["body"]["code"]) == (422, "E_ID")
    assert answer["body"]["field"] == "Idempotency-Key"
    [error] = answer["body"]["errors"]
    assert (error["parameter"], error["in"]) == ("Idempotency-Key", "header")
    assert world.items("BLOCK") == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "E_JSON"),
        ("", "E_JSON"),
        ("no json", "E_JSON"),
        ("[]", "E_JSON"),
        ('"text"', "E_JSON"),
        ('{"amount": NaN}', "E_JSON"),
        ('{"amount": ' + "1" * 5000 + "}", "E_JSON"),
        ('{"amount": "\\ud800"}', "E_JSON"),
        (b'{"amount": "\xff"}', "E_JSON"),
        ('{"amount": "1.00", "amount": "2.00"}', "E_DUP_KEY"),
        ('{"amount": "' + "1" * 70_000 + '"}', "E_SIZE"),
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [BLOCKS, AUTHORIZATIONS])
def test_what_is_no_json_object_is_400(world, path, body, code):
    answer = request("POST", path, body, key="key-1")
    assert (answer["statusCode"], answer["body"]["code"]) == (400, code)
    assert answer["body"]["type"] == f"{PROBLEM}malformed-request"
    assert answer["body"]["request_id"] == REQUEST_ID
    assert world.items("BLOCK") == {}


def test_a_body_in_base64_is_read(world):
    answer = request("POST", BLOCKS, json.dumps(MANUAL).encode(), key="key-1")
    assert answer["statusCode"] == 201


def test_what_a_sender_wrote_is_never_said_back(world):
    answer = block(**{"<script>": "4111111111111111", "reference": "4111 1111 1111 1111"})
    assert "script" not in json.dumps(answer["body"])
    assert "4111" not in json.dumps(answer["body"])
