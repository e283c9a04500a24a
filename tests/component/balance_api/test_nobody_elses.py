"""Nobody else's money: a token reaches its own merchant, and of all others not even a trace."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from lambdas.api_routes.edge import Route
from lambdas.balance_api import handler as balance_api
from lambdas.systems_api import handler as systems
from tests.builders import (
    context_of,
)
from tests.component.api_calls import (
    NOT_FOUND,
    Answer,
    get,
    http_event,
    iam,
    send,
    token_of,
)
from tests.component.balance_api.crowd import (
    LOCALS,
    METHODS,
    TRADING,
    capture_of,
    path_of,
    query_of,
)
from tests.component.lambda_events import lambda_context


@pytest.fixture
def crowd(ledger):
    """Twenty-four merchants with money and a block, each with names of its own."""
    ledger.contexts = tuple(context_of(local) for local in TRADING)
    ledger.at("2026-10-31T23:50:00")
    ledger.count(*(capture_of(local) for local in TRADING))
    ledger.close()
    ledger.passed = []
    ledger.store.interrupt = ledger.log.interrupt = ledger.passed.append
    ledger.directory.interrupt = ledger.passed.append
    return ledger


class Asking:
    """One event, changed for every request: thirty times thirty times all of it adds up."""

    def __init__(self, handler: Any, merchant_id: str) -> None:
        self._handler = handler
        self._event = http_event("GET", "/", "", token_of(merchant_id))
        self._count = 0

    def __call__(self, method: str, path: str, query: dict[str, str] | None = None) -> Answer:
        self._count += 1
        request_id = f"request-{self._count}"
        self._event["requestContext"]["requestId"] = request_id
        self._event["requestContext"]["http"] |= {"method": method, "path": path}
        self._event["rawPath"] = path
        self._event["queryStringParameters"] = query or {}
        self._event["rawQueryString"] = "&".join(f"{n}={v}" for n, v in (query or {}).items())
        answer = self._handler.lambda_handler(self._event, lambda_context())
        assert answer["headers"].pop("X-Request-Id") == request_id
        said = answer["body"].replace(f'"request_id": "{request_id}"', '"request_id": ""')
        return Answer(answer["statusCode"], answer["headers"], said)


def every_request(routes: list[Route], merchant_id: str, local: str) -> Iterator[tuple[str, str]]:
    for route in routes:
        path = path_of(route, merchant_id, local)
        for method in METHODS:
            yield method, path


def test_thirty_tokens_at_thirty_merchants_reach_their_own_on_every_route_and_method(crowd):
    """And for every other merchant, there or not, all is answered as for one that nobody knows."""
    routes = balance_api.api.routes
    nobody = Asking(balance_api, "m-somebody")
    strange = [
        nobody(method, path, query_of(path))
        for method, path in every_request(routes, "m-nobody", LOCALS[0])
    ]
    assert {answer.status for answer in strange} == {404, 405, 204}
    answered = 0
    for principal in LOCALS:
        asks = Asking(balance_api, f"m-{principal}")
        for target in LOCALS:
            for n, (method, path) in enumerate(every_request(routes, f"m-{target}", target)):
                crowd.passed.clear()
                answer = asks(method, path, query_of(path))
                assert answer.status < 500
                if principal != target:
                    assert answer == strange[n], (principal, method, path)
                    assert not crowd.passed, (principal, method, path)
                elif answer.status == 200 and method == "GET":
                    answered += 1
                    assert answer.body["merchant_id"] == f"m-{principal}"
                    assert not any(other in answer.text for other in LOCALS if other != principal)
    assert answered == len(TRADING) * len(routes)


def test_under_its_own_path_the_names_of_others_things_are_unknown_names(crowd):
    """Their balance shops and operations, known to whoever asks."""
    named = [route for route in balance_api.api.routes if route.rule.count("<") > 1]
    named = [route for route in named if "<month>" not in route.rule]
    assert len(named) == 3
    for principal in TRADING[:5]:
        asks = Asking(balance_api, f"m-{principal}")
        for route in named:
            unknown = asks("GET", path_of(route, f"m-{principal}", "l99"))
            assert unknown.status == 404
            for target in set(TRADING) - {principal}:
                for method in METHODS:
                    path = path_of(route, f"m-{principal}", target)
                    as_unknown = asks(method, path_of(route, f"m-{principal}", "l99"))
                    assert asks(method, path) == as_unknown


def test_thirty_tokens_open_nothing_of_the_systems_api(crowd):
    """It knows IAM identities; a merchant's token is none, at its own merchant's neither."""
    routes = systems.api.routes
    nobody = Asking(systems, "m-somebody")
    strange = [
        nobody(method, path, query_of(path))
        for method, path in every_request(routes, "m-nobody", LOCALS[0])
    ]
    assert {answer.status for answer in strange} == {404, 405, 204}
    for principal in LOCALS:
        asks = Asking(systems, f"m-{principal}")
        for target in LOCALS:
            for n, (method, path) in enumerate(every_request(routes, f"m-{target}", target)):
                assert asks(method, path, query_of(path)) == strange[n], (principal, method, path)
    assert not crowd.passed
    assert crowd.store.blocks_of("m-l00") == []


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"iam": None},
        {"iam": {}},
        {"iam": {"userArn": None}},
        {"iam": {"userArn": ""}},
        {"iam": {"accountId": "123456789012", "userId": "AIDA"}},
        {"jwt": {"claims": {"userArn": "arn:aws:iam::1:user/x"}}},
        {"lambda": {"userArn": "arn:aws:iam::1:user/x"}},
    ],
    ids=str,
)
def test_without_an_iam_identity_systems_routes_are_not_there_and_nothing_is_read(
    crowd, authorizer
):
    for route in systems.api.routes:
        path = path_of(route, "m-l00", "l00")
        event = http_event(route.method, path, query_of(path), authorizer)
        event |= {"body": json.dumps({"amount": "1.00"})}
        event["headers"]["idempotency-key"] = "key-1"
        assert send(systems, event).body == NOT_FOUND
    assert not crowd.passed


CLAIMS: list[object] = [
    None,
    "",
    " ",
    "M-L00",
    "m-l0",
    "m-l00 ",
    " m-l00",
    "m-l00\n",
    "m-l00\x00",
    "m-l00,m-l01",
    "m-l00 m-l01",
    '["m-l00"]',
    "*",
    "m-*",
    "%6d-l00",
    ["m-l00"],
    {"m-l00": True},
    b"m-l00",
    0,
    1,
    True,
]


@pytest.mark.parametrize("claim", CLAIMS, ids=repr)
def test_a_claim_is_the_merchant_s_id_and_nothing_like_it(crowd, claim):
    for path in ("/balances", "/operations", "/statements/2026-10"):
        event = http_event("GET", f"/v1/merchants/m-l00{path}", "", token_of(claim))
        assert send(balance_api, event).body == NOT_FOUND
    assert not crowd.passed


@pytest.mark.parametrize(
    "authorizer",
    [
        None,
        {},
        {"jwt": None},
        {"jwt": {}},
        {"jwt": {"claims": None}},
        {"jwt": {"claims": {}}},
        {"jwt": {"claims": {"merchant_id": "m-l00", "custom:merchant": "m-l00"}}},
        {"jwt": {"claims": {"Custom:Merchant_Id": "m-l00"}}},
        {"lambda": {"custom:merchant_id": "m-l00"}},
        {"custom:merchant_id": "m-l00"},
        {"claims": {"custom:merchant_id": "m-l00"}},
        iam(),
    ],
    ids=str,
)
def test_no_other_part_of_a_request_says_who_asks(crowd, authorizer):
    event = http_event("GET", "/v1/merchants/m-l00/balances", "", authorizer)
    event["headers"] |= {
        "custom:merchant_id": "m-l00",
        "x-merchant-id": "m-l00",
        "x-amzn-oidc-data": "m-l00",
    }
    assert send(balance_api, event).body == NOT_FOUND
    assert not crowd.passed


def test_the_path_that_the_routes_are_found_by_is_the_one_that_is_checked(crowd):
    mine, theirs = ("/v1/merchants/m-l00/balances", "/v1/merchants/m-l01/balances")
    event = http_event("GET", theirs, "", token_of("m-l00"))
    event["requestContext"]["http"]["path"] = mine
    event["pathParameters"] = {"proxy": mine.removeprefix("/v1/"), "merchant_id": "m-l00"}
    event["headers"] |= {"x-original-url": mine, "x-forwarded-path": mine, "x-rewrite-url": mine}
    assert send(balance_api, event).body == NOT_FOUND
    assert not crowd.passed


def test_a_request_leaves_nothing_behind_for_the_next(crowd):
    """One process serves everybody, one after the other."""
    for local in TRADING:
        answers = [get(merchant_id=f"m-{local}") for _ in range(2)]
        assert {answer.body["merchant_id"] for answer in answers} == {f"m-{local}"}
        stranger = http_event("GET", f"/v1/merchants/m-{local}/balances", "", token_of("m-x"))
        assert send(balance_api, stranger).body == NOT_FOUND
        nobody = deepcopy(stranger)
        nobody["requestContext"].pop("authorizer")
        assert send(balance_api, nobody).body == NOT_FOUND
