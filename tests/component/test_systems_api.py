"""The systems' API: money is set aside once per key, and every refusal says why."""

import json
from base64 import b64encode
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import LogObject
from falcon_balances.adapters.refund_claims import DynamoAuthorizations
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose, block_writes, ending_writes
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE, LOG_BUCKET
from lambdas.balance_api import blocking, systems
from lambdas.persister.linking import links_of
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    data_of,
    operation_id_of,
    reconciled,
    record_of,
    records_of,
    shop,
)
from tests.component.api_calls import NOT_FOUND, PROBLEM, REQUEST_ID
from tests.component.world import event_file, lambda_context, utc

ROOT = "/v1/systems/merchants/m-5553"
BLOCKS, AUTHORIZATIONS = f"{ROOT}/blocks", f"{ROOT}/refund-authorizations"
FRESHNESS = "/v1/systems/freshness"
CALLER = "arn:aws:sts::123456789012:assumed-role/disputes/worker"
OTHER_CALLER = "arn:aws:iam::123456789012:user/ben"
NOW = utc("2026-11-20T10:20:00")
BALANCE = ItemKey("MERCHANT#m-5553", "BALANCE#bs-5553-eur#EUR")
MAX_EXPIRY_S = 30 * 24 * 3600

MANUAL = {
    "amount": "40.00",
    "currency": "EUR",
    "balance_shop_id": "bs-5553-eur",
    "reference": "dispute-1",
}
REFUND = confirmed(type="refund", external_reference="refund-1", amount="15.00")
AUTHORIZATION = {
    "psp_id": REFUND["psp_id"],
    "external_reference": "refund-1",
    **shop("5553"),
    "amount": "15.00",
    "currency": "EUR",
}


def request(
    method: str,
    path: str,
    body: object = None,
    *,
    caller: str | None = CALLER,
    key: str | None = None,
) -> dict[str, Any]:
    """The answer, with its body parsed. A body that is no text already is sent as JSON."""
    event = event_file("http_api.json")
    event["routeKey"] = "ANY /v1/systems/{proxy+}"
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["requestContext"]["authorizer"] = {"iam": {"userArn": caller, "accountId": "1"}}
    if caller is None:
        del event["requestContext"]["authorizer"]
    if key is not None:
        event["headers"]["idempotency-key"] = key
    if isinstance(body, bytes):
        event |= {"body": b64encode(body).decode(), "isBase64Encoded": True}
    elif body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    answer = systems.lambda_handler(event, lambda_context())
    assert answer["headers"]["Cache-Control"] == "no-store"
    assert answer["headers"]["X-Request-Id"] == REQUEST_ID
    return answer | {"body": json.loads(answer["body"] or "null")}


def block(key: str | None = "key-1", path: str = BLOCKS, **changes: Any) -> dict[str, Any]:
    return request("POST", path, changed(MANUAL, changes), key=key)


def authorize(path: str = AUTHORIZATIONS, **changes: Any) -> dict[str, Any]:
    return request("POST", path, changed(AUTHORIZATION, changes))


def pointers(answer: dict[str, Any]) -> list[str]:
    return [each["pointer"] for each in answer["body"]["errors"]]


def changed(document: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A field changed to None is left out."""
    return {name: value for name, value in (document | changes).items() if value is not None}


@pytest.fixture
def store(aws, monkeypatch):
    """Merchant 5553 with 100.00 EUR available, at 10:20."""
    monkeypatch.setattr(systems, "utc_now", lambda: NOW)
    monkeypatch.setattr(systems.routes, "now", lambda: NOW)
    monkeypatch.setattr(blocking, "contention_delays", lambda: [0] * blocking.ATTEMPTS)
    aws.load(context_of(), context_of("other"))
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.transact([AddCounters(BALANCE, {"available": 10000, "operations_count": 1})])
    return store


@pytest.fixture
def world(aws, store):
    return aws


def give(store, amount: int) -> None:
    store.transact([AddCounters(BALANCE, {"available": amount})])


def money(world) -> tuple[int, int]:
    return world.balance().get("available", 0), world.balance().get("blocked", 0)


@pytest.fixture
def fake(world, monkeypatch):
    """A store that can be interrupted; the port's own suite keeps it honest."""
    fake = MemoryBalanceStore()
    fake.transact([AddCounters(BALANCE, {"available": 10000})])
    monkeypatch.setattr(systems, "_store", cache(lambda: fake))
    return fake


def at(monkeypatch, text: str) -> None:
    monkeypatch.setattr(systems, "utc_now", lambda: utc(text))


# Blocks by hand


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


INVALID = [
    ({"amount": "0"}, "E_AMOUNT", "amount"),
    ({"amount": "0.00"}, "E_AMOUNT", "amount"),
    ({"amount": "-1.00"}, "E_AMOUNT", "amount"),
    ({"amount": "1e3"}, "E_AMOUNT", "amount"),
    ({"amount": "1,00"}, "E_AMOUNT", "amount"),
    ({"amount": 40}, "E_AMOUNT", "amount"),
    ({"amount": 40.5}, "E_AMOUNT", "amount"),
    ({"amount": "1" * 16}, "E_AMOUNT", "amount"),
    ({"amount": "1.001"}, "E_SCALE", "amount"),
    ({"amount": None}, "E_SCHEMA", "amount"),
    ({"currency": "eur"}, "E_CURRENCY", "currency"),
    ({"currency": "XYZ"}, "E_CURRENCY", "currency"),
    ({"expires_in_seconds": 0}, "E_DATE", "expires_in_seconds"),
    ({"expires_in_seconds": -1}, "E_DATE", "expires_in_seconds"),
    ({"expires_in_seconds": MAX_EXPIRY_S + 1}, "E_DATE", "expires_in_seconds"),
    ({"expires_in_seconds": 31 * 24 * 3600}, "E_DATE", "expires_in_seconds"),
    ({"expires_in_seconds": 10**30}, "E_DATE", "expires_in_seconds"),
    ({"expires_in_seconds": "5"}, "E_SCHEMA", "expires_in_seconds"),
    ({"expires_in_seconds": 1.5}, "E_SCHEMA", "expires_in_seconds"),
    ({"expires_in_seconds": 60.0}, "E_SCHEMA", "expires_in_seconds"),
    ({"expires_in_seconds": True}, "E_SCHEMA", "expires_in_seconds"),
    ({"more": "x"}, "E_SCHEMA", "more"),
]


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


# Reading and releasing


def test_blocks_are_shown_and_listed_the_newest_first(world, monkeypatch):
    first = block("1", amount="1.00")["body"]
    at(monkeypatch, "2026-11-20T10:21:00")
    second = block("2", amount="2.00")["body"]
    block("3", amount="900.00")  # refused: listed too, for somebody may ask what became of it
    listed = request("GET", BLOCKS)
    assert listed["statusCode"] == 200
    assert [each["status"] for each in listed["body"]["blocks"]].count("refused") == 1
    active = [each for each in listed["body"]["blocks"] if each["status"] == "active"]
    assert active == [second, first]
    for each in (first, second):
        shown = request("GET", f"{BLOCKS}/{each['block_id']}")
        assert (shown["statusCode"], shown["body"]) == (200, each)


def test_a_merchant_without_blocks_has_an_empty_list(world):
    answer = request("GET", BLOCKS)
    assert (answer["statusCode"], answer["body"]) == (200, {"blocks": []})


def test_a_released_block_gives_back_once_and_says_who_did(world, monkeypatch):
    held = block()["body"]
    path = f"{BLOCKS}/{held['block_id']}/release"
    at(monkeypatch, "2026-11-20T11:00:00")
    first = request("POST", path, caller=OTHER_CALLER)
    at(monkeypatch, "2026-11-20T12:00:00")
    again = request("POST", path)
    ended = {"status": "released", "ended_at": "2026-11-20T11:00:00Z", "ended_by": OTHER_CALLER}
    for answer in (first, again):
        assert (answer["statusCode"], answer["body"]) == (200, held | ended)
    assert request("GET", f"{BLOCKS}/{held['block_id']}")["body"] == held | ended
    assert money(world) == (10000, 0)
    assert block()["body"]["status"] == "released", "its key is used up"


@pytest.mark.parametrize("status", [BlockStatus.SETTLED, BlockStatus.EXPIRED])
def test_what_has_ended_otherwise_is_not_released(world, store, status):
    held = block()["body"]
    [there] = store.blocks_of("m-5553")
    store.transact(ending_writes(there, status, NOW, "another"))
    answer = request("POST", f"{BLOCKS}/{held['block_id']}/release")
    assert (answer["statusCode"], answer["body"]["field"]) == (409, "status")
    assert answer["body"]["block"]["status"] == status
    assert answer["body"]["block"]["ended_by"] == "another"
    assert money(world) == (10000, 0)


def test_a_refused_block_has_nothing_to_release(world):
    refused = block(amount="500.00")["body"]["block"]
    answer = request("POST", f"{BLOCKS}/{refused['block_id']}/release")
    assert (answer["statusCode"], answer["body"]["block"]["status"]) == (409, "refused")
    assert money(world) == (10000, 0)


def test_a_payout_s_block_is_its_payout_s(world, store):
    payout = Block(
        block_id="a5b1c2d3-0000-5000-8000-000000000001",
        merchant_id="m-5553",
        balance_shop_id="bs-5553-eur",
        currency="EUR",
        amount=7000,
        purpose=Purpose.PAYOUT,
        reference="payout-1",
        requested_by="payouts",
        created_at=NOW,
    )
    assert not store.transact(block_writes(payout))
    answer = request("POST", f"{BLOCKS}/{payout.block_id}/release")
    assert (answer["statusCode"], answer["body"]["field"]) == (409, "purpose")
    assert money(world) == (3000, 7000)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "{blocks}/{block_id}"), ("POST", "{blocks}/{block_id}/release")],
)
def test_another_merchant_s_block_is_not_found(world, method, path):
    block_id = block()["body"]["block_id"]
    for blocks, wanted in [
        (BLOCKS.replace("m-5553", "m-other"), block_id),
        (BLOCKS, "no-such-block"),
        (BLOCKS, "x" * 900),
        (BLOCKS.replace("m-5553", "x" * 900), block_id),
    ]:
        answer = request(method, path.format(blocks=blocks, block_id=wanted))
        assert (answer["statusCode"], answer["body"]) == (404, NOT_FOUND)
    assert money(world) == (6000, 4000)


@pytest.mark.parametrize(
    "path", [f"{BLOCKS}/{'x' * 2000}", BLOCKS.replace("m-5553", "x" * 3000), "/" + "x" * 8192]
)
def test_a_path_beyond_all_measure_is_413(world, path):
    answer = request("GET", path)
    assert (answer["statusCode"], answer["body"]["type"]) == (413, f"{PROBLEM}too-large")


# Refund authorizations


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


# Merchants of high risk: the log is asked too


def high_risk(world, store, *operations) -> None:
    """100.00 in the table; in the log, what these operations say."""
    world.load(context_of("other"), context_of(risk="high"))
    for operation in operations:
        record = record_of(operation)
        log = S3TransactionLog(client("s3"), LOG_BUCKET)
        log.append(record.log_key, LogObject(record.body.encode(), {}))
    systems._directory.cache_clear()


@pytest.mark.parametrize("ask", [block, authorize])
def test_where_the_risk_is_high_the_log_must_have_the_money_too(world, store, ask):
    high_risk(world, store)
    answer = ask(amount="0.01")
    assert answer["body"]["available"] == "0.00"
    assert money(world) == (10000, 0)


def test_what_is_blocked_counts_against_what_the_log_has(world, store):
    high_risk(
        world,
        store,
        confirmed(amount="30.00"),
        reconciled(amount="30.00"),
        confirmed(type="refund", amount="5.00"),
    )
    logged = 2500
    assert block("1", amount="20.00")["statusCode"] == 201
    answer = block("2", amount="5.01")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "5.00")
    assert block("3", amount="5.00")["statusCode"] == 201
    assert money(world) == (10000 - logged, logged)


def test_the_table_s_own_figure_counts_where_the_log_has_more(world, store):
    high_risk(world, store, confirmed(amount="900.00"), reconciled(amount="900.00"))
    answer = block(amount="100.01")
    assert (answer["statusCode"], answer["body"]["available"]) == (409, "100.00")


def test_a_log_read_before_something_was_counted_is_read_again(fake, world, store):
    """Between the two a payout is logged, counted and its block ended: the old fold knew more."""
    high_risk(world, store, confirmed(), reconciled())
    fake.transact([AddCounters(BALANCE, {"operations_count": 2})])
    folds = []

    def counted_meanwhile(point: str) -> None:
        if point == "before MemoryBalanceStore.balances":
            folds.append(point)
        if point == "before MemoryBalanceStore.transact" and len(folds) == 1:
            fake.counters[BALANCE]["operations_count"] += 1

    fake.interrupt = counted_meanwhile
    assert block(amount="99.00")["statusCode"] == 201
    assert len(folds) == 2


# Balances


def test_balances_are_answered_as_the_merchant_s_own_api_does(world):
    block()
    whole = request("GET", f"{ROOT}/balances")
    one = request("GET", f"{ROOT}/balances/bs-5553-eur")
    assert whole["statusCode"] == 200
    assert whole["body"] == one["body"]
    [balance] = whole["body"]["balances"]
    assert (balance["available"], balance["blocked"]) == ("60.00", "40.00")


# Freshness


def test_freshness_says_how_far_the_balances_are_and_what_waits_before_them(world, store):
    store.advance_as_of(utc("2026-11-20T10:19:20"))
    sqs = client("sqs")
    for queue, messages in (("confirmed", 3), ("confirmed-dead", 1), ("payout", 2)):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        for n in range(messages):
            sqs.send_message(QueueUrl=url, MessageBody=f"message-{n}")
    taken = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="payout")["QueueUrl"])
    assert len(taken["Messages"]) == 1, "still counted: nobody has done it yet"
    for queue, seconds in (("confirmed", [40, 95]), ("payout", [7]), ("confirmed-dead", [9999])):
        for n, value in enumerate(seconds):
            client("cloudwatch").put_metric_data(
                Namespace="AWS/SQS",
                MetricData=[
                    {
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": queue}],
                        "Timestamp": NOW - timedelta(minutes=3 - n),
                        "Value": value,
                    }
                ],
            )
    answer = request("GET", FRESHNESS)
    assert answer["statusCode"] == 200
    assert answer["body"] == {
        "as_of": "2026-11-20T10:19:20Z",
        "lag_seconds": 40,
        "oldest_message_seconds": 95,
        "queues": [
            {
                "stage": "confirmed",
                "messages": 3,
                "dead_letters": 1,
                "oldest_message_seconds": 95,
            },
            {"stage": "payout", "messages": 2, "dead_letters": 0, "oldest_message_seconds": 7},
        ],
    }


def test_where_nothing_waits_there_is_no_age_and_before_the_first_cut_no_as_of(world):
    answer = request("GET", FRESHNESS)
    assert (answer["statusCode"], answer["body"]["as_of"]) == (200, None)
    assert answer["body"]["lag_seconds"] is None
    assert answer["body"]["oldest_message_seconds"] is None
    assert {each["messages"] for each in answer["body"]["queues"]} == {0}


def test_queues_that_cannot_be_looked_at_are_503_and_not_empty(world):
    sqs = client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="payout-dead")["QueueUrl"])
    assert request("GET", FRESHNESS)["statusCode"] == 503


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/systems/merchants/m-none/balances", None),
        ("GET", "/v1/systems/merchants/m-none/balances/bs-5553-eur", None),
        ("GET", f"{ROOT}/balances/bs-none", None),
        ("GET", "/v1/systems/merchants/m-none/blocks", None),
        ("POST", "/v1/systems/merchants/m-none/blocks", MANUAL),
        ("GET", "/v1/systems/merchants", None),
        ("DELETE", "/v1/systems/merchants/m-5553", None),
        ("GET", "/v1/merchants/m-5553/balances", None),
    ],
)
def test_what_is_unknown_is_not_found(world, method, path, body):
    answer = request(method, path, body, key="key-1")
    assert (answer["statusCode"], answer["body"]) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", BLOCKS, "GET, HEAD, OPTIONS, POST"),
        ("PUT", f"{BLOCKS}/key-1", "GET, HEAD, OPTIONS"),
        ("GET", f"{BLOCKS}/key-1/release", "OPTIONS, POST"),
        ("HEAD", AUTHORIZATIONS, "OPTIONS, POST"),
        ("POST", f"{ROOT}/balances", "GET, HEAD, OPTIONS"),
        ("POST", FRESHNESS, "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_an_address_does_not_know_is_405_and_names_those_it_does(
    world, method, path, allowed
):
    block()
    for caller in (CALLER, None):
        answer = request(method, path, MANUAL, key="key-2", caller=caller)
        assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allowed)
    assert money(world) == (6000, 4000)


def test_a_refund_of_an_unknown_merchant_is_not_authorized(world):
    answer = authorize(AUTHORIZATIONS.replace("m-5553", "m-none"))
    assert (answer["statusCode"], answer["body"]["code"]) == (422, "E_UNKNOWN_MERCHANT")


ROUTES = [
    ("GET", FRESHNESS, None),
    ("GET", f"{ROOT}/balances", None),
    ("GET", f"{ROOT}/balances/bs-5553-eur", None),
    ("GET", f"{ROOT}/operations", None),
    ("GET", f"{ROOT}/operations/{operation_id_of(REFUND)}", None),
    ("GET", f"{ROOT}/unreconciled", None),
    ("POST", BLOCKS, MANUAL),
    ("GET", BLOCKS, None),
    ("GET", f"{BLOCKS}/BLOCK_ID", None),
    ("POST", f"{BLOCKS}/BLOCK_ID/release", None),
    ("POST", AUTHORIZATIONS, AUTHORIZATION),
]


@pytest.mark.parametrize("caller", [None, ""])
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_an_iam_identity_there_is_nothing_here(world, caller, method, path, body):
    held = block("held", amount="1.00")["body"]["block_id"]
    path = path.replace("BLOCK_ID", held)
    for said in (body, "no json") if body else (None,):
        answer = request(method, path, said, key="key-1", caller=caller)
        assert (answer["statusCode"], answer["body"]) == (404, NOT_FOUND)
    assert money(world) == (9900, 100)


def test_a_token_of_a_merchant_opens_nothing_here(world):
    event = event_file("http_api.json")
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"{ROOT}/balances"
    answer = systems.lambda_handler(event, lambda_context())
    assert answer["statusCode"] == 404


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_what_cannot_be_decided_now_is_503(world, method, path, body):
    held = block("held", amount="1.00")["body"]["block_id"]
    client("dynamodb").delete_table(TableName=BALANCES_TABLE)
    answer = request(method, path.replace("BLOCK_ID", held), body, key="key-1")
    assert answer["statusCode"] == 503
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["body"]["type"] == f"{PROBLEM}unavailable"
    assert "ResourceNotFound" not in json.dumps(answer["body"])


# Others at the same time


def test_conflicts_are_tried_again_and_without_end_are_503(fake):
    asked: list[int] = []

    def conflicts(writes: Any) -> list[int]:
        asked.append(len(writes))
        return [1] if len(asked) < blocking.ATTEMPTS else []

    fake.conflicts = conflicts
    assert block()["statusCode"] == 201
    fake.conflicts = lambda _writes: [1]
    assert block("other")["statusCode"] == 503
    fake.conflicts = lambda _writes: [0]
    path = f"{BLOCKS}/{fake.blocks_of('m-5553')[0].block_id}/release"
    assert request("POST", path)["statusCode"] == 503
    fake.conflicts = lambda _writes: []
    assert request("POST", path)["statusCode"] == 200
    assert fake.counters[BALANCE] == {"available": 10000, "blocked": 0}


def test_a_refusal_that_another_request_overtakes_is_answered_as_that_one(fake):
    """Both saw too little; between seeing and saying so, money came and the other was granted."""
    calls: list[str] = []

    def another_first(point: str) -> None:
        if point != "before MemoryBalanceStore.transact":
            return
        calls.append(point)
        if len(calls) == 2:
            fake.interrupt = lambda _point: None
            fake.apply([AddCounters(BALANCE, {"available": 10**6})])
            assert block(amount="100.01")["statusCode"] == 201

    fake.interrupt = another_first
    answer = block(amount="100.01")
    assert (answer["statusCode"], answer["body"]["status"]) == (200, "active")
    assert fake.counters[BALANCE]["blocked"] == 10001


def test_a_lost_answer_is_503_and_asking_again_finds_the_block(fake):
    def lose_the_answer(point: str) -> None:
        if point == "after MemoryBalanceStore.transact":
            fake.interrupt = lambda _point: None
            raise TransientError("lost")

    fake.interrupt = lose_the_answer
    assert block()["statusCode"] == 503
    assert block()["statusCode"] == 200
    assert fake.counters[BALANCE] == {"available": 6000, "blocked": 4000}


@pytest.mark.parametrize(
    ("status", "code"), [(BlockStatus.SETTLED, 409), (BlockStatus.RELEASED, 200)]
)
def test_a_block_that_ends_while_it_is_released_ends_once(fake, status, code):
    path = f"{BLOCKS}/{block()['body']['block_id']}/release"
    [there] = fake.blocks_of("m-5553")

    def ended_first(point: str) -> None:
        if point == "before MemoryBalanceStore.transact":
            fake.interrupt = lambda _point: None
            assert not fake.apply(ending_writes(there, status, NOW, "another"))

    fake.interrupt = ended_first
    answer = request("POST", path)
    assert answer["statusCode"] == code
    document = answer["body"] if code == 200 else answer["body"]["block"]
    assert (document["status"], document["ended_by"]) == (status, "another")
    assert fake.counters[BALANCE] == {"available": 10000, "blocked": 0}
