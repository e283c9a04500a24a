"""Requests to the systems API, as its callers make them."""

import json
from base64 import b64encode
from typing import Any

from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from lambdas.systems_api import handler as systems
from tests.builders import (
    confirmed,
    shop,
)
from tests.component.api_calls import REQUEST_ID
from tests.component.lambda_events import event_file, lambda_context
from tests.component.world import utc

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


def give(store, amount: int) -> None:
    store.transact([AddCounters(BALANCE, {"available": amount})])


def money(world) -> tuple[int, int]:
    return world.balance().get("available", 0), world.balance().get("blocked", 0)


def at(monkeypatch, text: str) -> None:
    monkeypatch.setattr(systems.routes, "now", lambda: utc(text))


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
