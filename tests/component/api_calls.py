"""Requests as the gateway hands them to the two APIs, and what comes back."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from lambdas.balance_api import handler as balance_api
from lambdas.systems_api import handler as systems
from tests.component.lambda_events import event_file, lambda_context

MERCHANT: Final = "m-5553"
CALLER: Final = "arn:aws:sts::123456789012:assumed-role/disputes/worker"
REQUEST_ID: Final = "JKJaXmPLvHcESHA="
PROBLEM: Final = "urn:falcon:balances:problem:"
NOT_FOUND: Final = {
    "type": f"{PROBLEM}not-found",
    "title": "Not found",
    "status": 404,
    "request_id": REQUEST_ID,
}
Query = str | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def problem(self) -> str:
        """The slug of the problem document that this must be."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.body["status"] == self.status
        return str(self.body["type"]).removeprefix(PROBLEM)

    @property
    def named(self) -> list[str]:
        """The parameters and pointers that its errors name."""
        return [each.get("parameter") or each["pointer"] for each in self.body["errors"]]


@cache
def _template() -> dict[str, Any]:
    return event_file("http_api.json")


def http_event(
    method: str, path: str, query: Query, authorizer: Mapping[str, Any] | None
) -> dict[str, Any]:
    """A query string is taken as it is; values said twice are joined by commas, as AWS does."""
    event = deepcopy(_template())
    raw = query if isinstance(query, str) else urlencode(query)
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(raw, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    event |= {"rawPath": path, "rawQueryString": raw}
    if parameters:
        event["queryStringParameters"] = parameters
    context = event["requestContext"]
    context["http"] |= {"path": path, "method": method}
    context.pop("authorizer")
    if authorizer is not None:
        context["authorizer"] = dict(authorizer)
    return event


def token_of(merchant_id: object = MERCHANT, **claims: object) -> dict[str, Any]:
    """What the gateway's authorizer says of a verified token; a claim set to None is left out."""
    said = _template()["requestContext"]["authorizer"]["jwt"]["claims"]
    said = said | {"custom:merchant_id": merchant_id} | claims
    claimed = {name: value for name, value in said.items() if value is not None}
    return {"jwt": {"claims": claimed, "scopes": None}}


def iam(caller: str = CALLER) -> dict[str, Any]:
    return {"iam": {"userArn": caller, "accountId": "123456789012"}}


def send(handler: Any, event: dict[str, Any]) -> Answer:
    answer = handler.lambda_handler(event, lambda_context())
    return Answer(answer["statusCode"], dict(answer["headers"]), answer["body"])


def get(
    path: str = "/balances",
    query: Query = "",
    method: str = "GET",
    *,
    merchant_id: str = MERCHANT,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """A merchant asks for its own, by what follows `/v1/merchants/{merchant_id}`."""
    event = http_event(method, f"/v1/merchants/{merchant_id}{path}", query, token_of(merchant_id))
    event["headers"] |= headers or {}
    return send(balance_api, event)


def get_as_system(
    path: str = "/balances",
    query: Query = "",
    method: str = "GET",
    *,
    merchant_id: str = MERCHANT,
) -> Answer:
    event = http_event(method, f"/v1/systems/merchants/{merchant_id}{path}", query, iam())
    return send(systems, event)


def pages(path: str, query: Mapping[str, object], merchant_id: str = MERCHANT) -> list[Any]:
    """The documents of all pages, each found by the cursor of the one before."""
    found = [get(path, query, merchant_id=merchant_id)]
    while found[-1].body["next_cursor"] is not None:
        assert len(found) < 10_000
        cursor = found[-1].body["next_cursor"]
        found.append(get(path, {**query, "cursor": cursor}, merchant_id=merchant_id))
    assert {each.status for each in found} == {200}
    return [each.body for each in found]


def post_as_system(path: str, body: object = None, *, merchant_id: str = MERCHANT) -> Answer:
    event = http_event("POST", f"/v1/systems/merchants/{merchant_id}{path}", "", iam())
    if body is not None:
        event["body"] = json.dumps(body)
    return send(systems, event)
