"""Queries of the API: what is not known, comes twice or has the wrong form is 422 and named."""

import pytest

from lambdas.balance_api import handler as balance_api
from lambdas.systems_api import handler as systems
from tests.component.api_calls import (
    MERCHANT,
    NOT_FOUND,
    Answer,
    get,
    get_as_system,
    http_event,
    iam,
    send,
    token_of,
)
from tests.component.balance_api.asking import READS, is_well_mannered, quoted


@pytest.mark.parametrize("asked", [get, get_as_system])
@pytest.mark.parametrize("path", READS)
def test_a_name_that_an_address_does_not_know_is_422_and_named(month, path, asked):
    for name in ("no_such", "At", "start", "limit[]", "cursor ", "merchant_id", "x" * 41):
        answer = asked(path, {**READS[path], name: "1"})
        assert (answer.status, answer.problem) == (422, "invalid-request")
        harmless = name.replace("_", "").isalnum() and len(name) <= 41
        assert answer.named == [name if harmless else "(unknown name)"]
        assert answer.body["errors"][0]["in"] == "query"


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/balances", "at=2026-11-01T00:00:00Z&at=2026-11-01T00:00:00Z", "at"),
        ("/balances", "source=log&source=table", "source"),
        ("/balances", "source=log&sourc%65=log", "source"),
        ("/balances", "source=log,table", "source"),
        ("/balances", "source=log%2Ctable", "source"),
        ("/balances", "source=", "source"),
        ("/balances", "source", "source"),
        ("/operations", "limit=1,2", "limit"),
        ("/operations", "limit=1&limit=2", "limit"),
        ("/operations", "cursor=", "cursor"),
        ("/turnover", "month=2026-10,2026-11", "month"),
        ("/turnover", "month=2026-10&month=2026-11", "month"),
        ("/unreconciled", "older_than_days=1&older_than_days=1", "older_than_days"),
    ],
)
def test_a_value_that_comes_twice_with_a_comma_or_empty_is_422(month, path, query, named):
    for asked in (get, get_as_system):
        answer = asked(path, query)
        assert (answer.status, answer.problem) == (422, "invalid-request")
        assert answer.named == [named]


WRONG = [
    ("/balances", "at", ["now", "2026-10-31", "2026-10-31T23:45:00", "2026-10-32T00:00:00Z"]),
    (
        "/balances",
        "at",
        ["2026-10-31T24:00:00Z", "2026-10-31 23:45:00Z", "1e9", "\u0662"],
    ),
    ("/balances", "at", ["2026-02-29T00:00:00Z", "2026-10-31T23:45:60Z", "-2026-10-31T00:00:00Z"]),
    ("/balances", "at", ["2026-10-31T23:45:00+24:00", "2026-10-31T23:45:00.5Z", "\ud800", "\x00"]),
    ("/balances", "source", ["LOG", "s3", "log ", "\n"]),
    ("/balances/bs-5553-eur", "at", ["yesterday"]),
    (
        "/balances/bs-5553-eur/history",
        "from",
        ["2026-10-31T23:46:00Z", "x"],
    ),
    ("/balances/bs-5553-eur/history", "to", ["2026-10-31T25:00:00Z", "x", "2026-13-01T00:00:00Z"]),
    ("/operations", "from", ["2026-10-31T23:44:00Z", "x"]),
    ("/operations", "to", ["2026-00-31T23:45:00Z", "x"]),
    ("/operations", "type", ["Capture", "x", "psp_fee ", "capture\x00"]),
    ("/operations", "stage", ["CONFIRMED", "x"]),
    ("/operations", "order", ["latest", "x"]),
    ("/operations", "balance_shop_id", ["#", "x" * 65, "-x", "ä", "a b", "bs-5553-eur\n"]),
    ("/operations", "psp_id", ["#", "x" * 65, "%", "<script>"]),
    (
        "/operations",
        "limit",
        ["0", "-1", "201", "1.5", "1e1", "0x1", "x", "\u0663", "9" * 400, "null"],
    ),
    ("/operations", "cursor", ["x" * 601, "a b", "ä", "=", "a+b/c"]),
    ("/statements/2026-10", "format", ["CSV", "pdf", "xml"]),
    ("/statements/2026-10", "limit", ["0", "201", "all"]),
    ("/statements/2026-10", "balance_shop_id", ["#", "x" * 65]),
    ("/statements/2026-10", "cursor", ["x" * 601, "a b"]),
    ("/turnover", "month", ["2026-13", "2026-00", "0000-01", "2026-1", "26-10", "2026-10-01", "x"]),
    (
        "/turnover",
        "month",
        ["9999-12", "\uff12026-10", "2026-10\n", "-2026-10", "20261-10"],
    ),
    ("/turnover", "time_zone", ["../../etc/passwd", "Europe/Nowhere", "x" * 65, "\x00", "+01:00"]),
    ("/turnover", "source", ["both", "LOG"]),
    ("/unreconciled", "older_than_days", ["-1", "3651", "1.5", "x", "9" * 400]),
    ("/unreconciled", "limit", ["0", "201"]),
    ("/unreconciled", "cursor", ["x" * 601, "a b"]),
]


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [(path, name, value) for path, name, values in WRONG for value in values],
)
def test_a_value_of_the_wrong_form_is_422_names_the_parameter_and_is_not_said_back(
    month, path, name, value
):
    for asked in (get, get_as_system):
        query = {**READS[path], "source": "log"} if name == "time_zone" else READS[path]
        answer = with_value(asked, path, {**query, name: value})
        assert (answer.status, answer.problem) == (422, "invalid-request")
        assert answer.named == [name]
        assert len(value) < 3 or value not in answer.body["detail"]
        assert is_well_mannered(answer)


def with_value(asked: object, path: str, query: dict[str, object]) -> Answer:
    """As `asked` does, with values that no query string can say, as a gateway might read them."""
    is_system = asked is get_as_system
    root, who = ("/v1/systems", iam()) if is_system else ("/v1", token_of())
    event = http_event("GET", f"{root}/merchants/{MERCHANT}{path}", "", who)
    event["queryStringParameters"] = {name: str(value) for name, value in query.items()}
    event["rawQueryString"] = "&".join(f"{name}={quoted(str(v))}" for name, v in query.items())
    return send(systems if is_system else balance_api, event)


def test_a_month_must_be_named(month):
    answer = get("/turnover")
    assert (answer.status, answer.named) == (422, ["month"])


@pytest.mark.parametrize(
    "said",
    [
        "2026-13",
        "2026-00",
        "0000-01",
        "9999-12",
        "2026-1",
        "2026",
        "2026-10-01",
        "\uff12\uff10\uff12\uff16-10",
        "x",
    ],
)
def test_a_statement_of_a_month_that_does_not_exist_is_not_found(month, said):
    for asked in (get, get_as_system):
        answer = asked(f"/statements/{said}")
        assert (answer.status, answer.body) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        ("/operations", "2026-10-31T23:45:00Z", "2026-10-31T23:45:00Z"),
        ("/operations", "2026-10-31T23:45:00Z", "2026-10-01T00:00:00Z"),
        ("/operations", "2026-10-31T23:45:00Z", "2026-11-01T00:45:00+01:00"),
        ("/balances/bs-5553-eur/history", "2026-10-31T23:45:00Z", "2026-10-01T00:00:00Z"),
    ],
)
def test_a_range_upside_down_is_422(month, path, start, end):
    answer = get(path, {"from": start, "to": end})
    assert (answer.status, answer.named) == (422, ["to"])


@pytest.mark.parametrize(
    "query",
    [
        {"from": "0001-01-01T00:00:00Z"},
        {"to": "9999-12-31T23:45:00Z"},
        {"from": "9999-12-31T23:45:00Z"},
        {"to": "0001-01-01T00:00:00Z"},
    ],
)
def test_the_ends_of_the_calendar_are_times_like_any_other(month, query):
    for path in ("/operations", "/balances/bs-5553-eur/history"):
        assert is_well_mannered(get(path, query))
    assert get("/operations", query).status == 200
