"""What every answer of both APIs is, whatever is asked, and 503 where data cannot be had."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.contracts.problems import ProblemV1
from falcon_balances.domain.errors import IntegrityError, TransientError
from lambdas.balance_api import handler as balance_api
from lambdas.systems_api import handler as systems
from tests.builders import confirmed, reconciled
from tests.component.api_calls import (
    MERCHANT,
    REQUEST_ID,
    Answer,
    get,
    get_as_system,
    http_event,
    iam,
    send,
    token_of,
)
from tests.component.balance_api.asking import ID, METHODS, READS, is_well_mannered, quoted
from tests.component.lambda_events import lambda_context
from tests.component.ledger import Ledger
from tests.component.world import utc


@pytest.mark.parametrize("path", READS)
def test_every_answer_is_fresh_or_says_how_old_it_is_and_nobody_may_store_it(month, path):
    for asked in (get, get_as_system):
        answer = asked(path, READS[path])
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.body["merchant_id"] == MERCHANT
        assert (answer.body["as_of"], answer.body["lag_seconds"]) == ("2026-11-01T00:00:10Z", 60)
        assert is_well_mannered(answer)


def test_each_answer_bears_its_own_request_s_id(month):
    for n, path in enumerate(["balances", "nowhere", "balances/bs-none", "turnover"]):
        event = http_event("GET", f"/v1/merchants/{MERCHANT}/{path}", "", token_of())
        event["requestContext"]["requestId"] = f"request-{n}"
        answer = send(balance_api, event)
        assert answer.headers["X-Request-Id"] == f"request-{n}"
        assert answer.status == 200 or answer.body["request_id"] == f"request-{n}"


def test_what_a_gateway_leaves_out_is_not_needed(month):
    event = http_event("GET", f"/v1/merchants/{MERCHANT}/balances", "", token_of())
    del event["rawQueryString"], event["pathParameters"]
    assert send(balance_api, event).status == 200


@pytest.mark.parametrize(
    ("body", "content_type", "is_base64"),
    [
        ("{}", "application/json", False),
        ("{", "application/json", False),
        ("a=b", "application/x-www-form-urlencoded", False),
        ("--x", "multipart/form-data; boundary=x", False),
        ("=== no base64 ===", "multipart/form-data", True),
        ("\ud800", "\x00/\x00", False),
        ("x" * 100_000, "", False),
    ],
)
@pytest.mark.parametrize("path", READS)
def test_a_body_where_none_is_asked_for_is_not_looked_at(
    month, path, body, content_type, is_base64
):
    event = http_event("GET", f"/v1/merchants/{MERCHANT}{path}", READS[path], token_of())
    event |= {"body": body, "isBase64Encoded": is_base64}
    event["headers"]["content-type"] = content_type
    assert send(balance_api, event) == get(path, READS[path])


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("error", [TransientError("m-5553 timed out"), IntegrityError("m-5553")])
def test_whichever_read_fails_it_is_503_and_never_a_zero(month, path, error):
    points: list[str] = []
    month.store.interrupt = points.append
    assert get(path, READS[path]).status == 200
    assert any(point.startswith("before MemoryMerchantReads") for point in points)
    for position in range(len(points)):
        passed: list[str] = []

        def fail(point: str, position: int = position, passed: list[str] = passed) -> None:
            passed.append(point)
            if len(passed) == position + 1:
                raise error

        month.store.interrupt = fail
        for asked in (get, get_as_system):
            passed.clear()
            answer = asked(path, READS[path])
            assert (answer.status, answer.problem) == (503, "unavailable")
            assert answer.headers["Retry-After"] == "1"
            assert ProblemV1.model_validate(answer.body).request_id == REQUEST_ID
            assert "m-5553" not in answer.text
            assert "timed out" not in answer.text


def test_a_log_that_cannot_be_read_is_503(month):
    def fail(point: str) -> None:
        raise TransientError(point)

    month.log.interrupt = fail
    for path, query in (("/balances", {}), ("/turnover", {"month": "2026-10"})):
        assert get(path, {**query, "source": "log"}).problem == "unavailable"
        assert get(path, query).status == 200


def test_marks_that_make_no_sense_are_503_and_no_exception(month):
    for key in [key for key in month.store.marks if key.sk.startswith("OPERATION#")]:
        month.store.marks[key]["lines"] = "no,csv\n"
    for path in ("/operations", f"/operations/{ID}", "/statements/2026-10"):
        assert get(path, READS[path]).problem == "unavailable"


ANY_TEXT = st.text(st.characters(codec=None), max_size=40)
SEGMENTS = st.one_of(
    st.sampled_from(["v1", "merchants", "systems", MERCHANT, "balances", "bs-5553-eur", "history"]),
    st.sampled_from(["operations", ID, "turnover", "statements", "2026-10", "unreconciled"]),
    st.sampled_from(["blocks", "release", "refund-authorizations", "freshness", "", "..", "%2F"]),
    ANY_TEXT,
)
NAMES = st.one_of(
    st.sampled_from(["at", "from", "to", "source", "limit", "cursor", "month", "time_zone"]),
    st.sampled_from(["type", "stage", "order", "format", "older_than_days", "balance_shop_id"]),
    ANY_TEXT,
)
VALUES = st.one_of(
    st.sampled_from(["log", "table", "csv", "json", "1", "200", "2026-10", "confirmed", "capture"]),
    st.sampled_from(["2026-10-31T23:45:00Z", "2026-11-01T00:00:00+00:00", "Europe/Berlin"]),
    ANY_TEXT,
)
QUERIES = st.dictionaries(NAMES, VALUES, max_size=4)


@pytest.fixture(scope="module")
def shared_month() -> Any:
    """One for all examples: nothing is written by what is asked here."""
    with pytest.MonkeyPatch.context() as patch:
        ledger = Ledger(now=utc("2026-10-31T23:50:00"))
        ledger.serve(patch)
        ledger.count(confirmed(), reconciled())
        ledger.close()
        yield ledger


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(
    method=st.sampled_from([*METHODS, "get"]),
    start=st.sampled_from(
        [f"/v1/merchants/{MERCHANT}", f"/v1/systems/merchants/{MERCHANT}", "/v1/systems", ""]
    ),
    segments=st.lists(SEGMENTS, max_size=4),
    query=QUERIES,
    headers=st.dictionaries(
        st.sampled_from(["if-none-match", "idempotency-key", "content-type", "cookie"]), ANY_TEXT
    ),
    body=st.one_of(st.none(), ANY_TEXT),
)
def test_whatever_is_asked_an_answer_comes_and_never_a_5xx(
    shared_month, method, start, segments, query, headers, body
):
    path = "/".join([start, *segments])
    for handler, who in ((balance_api, token_of()), (systems, iam()), (systems, None)):
        event = http_event(method, path, "", who)
        event["rawQueryString"] = "&".join(
            f"{quoted(name)}={quoted(value)}" for name, value in query.items()
        )
        event["queryStringParameters"] = query
        event["headers"] |= headers
        if body is not None:
            event["body"] = body
        answer = handler.lambda_handler(event, lambda_context())
        json.dumps(answer)
        if method != "HEAD":
            said = Answer(answer["statusCode"], answer["headers"], answer["body"])
            assert is_well_mannered(said)
        assert answer["statusCode"] < 500
