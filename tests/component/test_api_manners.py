"""The manners of both APIs: whatever is asked, an answer that says what was wrong and no more."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.contracts.problems import ProblemV1
from falcon_balances.domain.errors import IntegrityError, TransientError
from lambdas.balance_api import handler as balance_api
from lambdas.balance_api import systems
from lambdas.balance_api.cursors import Cursors
from lambdas.balance_api.edge import Route
from tests.builders import confirmed, context_of, reconciled, shop
from tests.component.api_calls import (
    MERCHANT,
    NOT_FOUND,
    REQUEST_ID,
    Answer,
    Query,
    get,
    get_as_system,
    http_event,
    iam,
    send,
    token_of,
)
from tests.component.ledger import MINUTE, Ledger, id_of
from tests.component.spying import asked_of_aws
from tests.component.world import lambda_context, utc

ID = id_of(confirmed())
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"]
# Every read of a merchant, with a query that it answers with 200.
READS: dict[str, dict[str, object]] = {
    "/balances": {},
    "/balances/bs-5553-eur": {},
    "/balances/bs-5553-eur/history": {},
    "/operations": {},
    f"/operations/{ID}": {},
    "/turnover": {"month": "2026-10"},
    "/statements/2026-10": {},
    "/unreconciled": {},
}
IN_OCTOBER = {"operation_date": "2026-10-31T23:40:00Z"}
HANDLERS = [balance_api, systems]
API_OF = {balance_api: balance_api.api, systems: systems.api}


@pytest.fixture
def month(ledger):
    """Something was counted in October, and October is closed."""
    ledger.at("2026-10-31T23:50:00").count(
        confirmed(external_reference="other", **IN_OCTOBER),
        confirmed(**IN_OCTOBER),
        reconciled(**IN_OCTOBER, reconciled_date="2026-10-31T23:45:00Z"),
    )
    ledger.at("2026-11-01T00:00:10").cut()
    ledger.now += MINUTE
    return ledger


def path_of(route: Route, merchant_id: str = MERCHANT) -> str:
    names = {"<merchant_id>": merchant_id, "<balance_shop_id>": "bs-5553-eur", "<month>": "2026-10"}
    names |= {"<falcon_operation_id>": ID, "<block_id>": ID}
    path = route.rule
    for name, value in names.items():
        path = path.replace(name, value)
    return path


def ask(handler: Any, method: str, path: str, query: Query = "", **headers: str) -> Answer:
    who = token_of() if handler is balance_api else iam()
    event = http_event(method, path, query, who)
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return send(handler, event)


# Of a regular expression, or of pydantic's own words: a problem says what is expected.
PATTERN_SHOWN = re.compile(r"[\\^$]|\[[A-Za-z0-9]|Input should|String should")


def is_well_mannered(answer: Answer) -> bool:
    """What every answer is, whatever was asked."""
    assert answer.headers["X-Request-Id"] == REQUEST_ID
    assert answer.status < 500
    if answer.status in {204, 304}:
        assert answer.text == ""
    elif answer.status >= 400:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.problem
        problem = ProblemV1.model_validate(answer.body)
        assert problem.request_id == REQUEST_ID
        assert "Traceback" not in answer.text
        assert not PATTERN_SHOWN.search(f"{problem.detail} {problem.errors}")
    else:
        assert answer.headers["Cache-Control"] == "no-store"
    return True


# Addresses and methods


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("method", METHODS)
def test_each_address_knows_its_methods_and_names_them_for_all_others(month, handler, method):
    routes = API_OF[handler].routes
    assert len(routes) >= len(READS)
    for path in {path_of(route) for route in routes}:
        known = {route.method for route in routes if route.path.fullmatch(path)}
        known |= {"OPTIONS"} | ({"HEAD"} if "GET" in known else set())
        answer = ask(handler, method, path)
        if method in known:
            assert answer.status != 405, path
            continue
        assert answer.status == 405, path
        assert answer.headers["Allow"] == ", ".join(sorted(known))
        assert method == "HEAD" or answer.problem == "method-not-allowed"


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("query", ["", "anything=at+all"])
def test_options_says_which_methods_there_are_and_nothing_else(month, handler, query):
    for route in API_OF[handler].routes:
        answer = ask(handler, "OPTIONS", path_of(route), query)
        assert (answer.status, answer.text) == (204, "")
        assert route.method in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("asked", [get, get_as_system])
def test_head_is_get_without_the_body(month, path, asked: Callable[..., Answer]):
    for query in (READS[path], {"no_such": "name"}):
        whole, head = asked(path, query), asked(path, query, "HEAD")
        assert (head.status, head.headers) == (whole.status, whole.headers)
        assert (head.text, bool(whole.text)) == ("", True)
    assert asked("/nowhere", method="HEAD").status == 404


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v1",
        "/v1/",
        "/v1/merchants",
        "/v1/merchants/",
        f"/v1/merchants/{MERCHANT}",
        f"/v1/merchants/{MERCHANT}/",
        f"/v1/merchants/{MERCHANT}/balances/",
        f"/v1/merchants/{MERCHANT}/balances//",
        f"/v1/merchants//{MERCHANT}/balances",
        f"//v1/merchants/{MERCHANT}/balances",
        f"/V1/merchants/{MERCHANT}/balances",
        f"/v1/Merchants/{MERCHANT}/balances",
        f"/v1/merchants/{MERCHANT}/balances\n",
        f"/v1/merchants/{MERCHANT}/balances%2F",
        f"/v1/merchants/{MERCHANT}%2Fbalances",
        f"/v1/merchants%2F{MERCHANT}%2Fbalances",
        f"/v1/merchants/{MERCHANT}/balances/bs-5553-eur/history/",
        f"/v1/merchants/{MERCHANT}/../{MERCHANT}/balances",
        f"/v1/merchants/{MERCHANT}/blocks",
        f"/v1/systems/merchants/{MERCHANT}/balances",
        f"/v2/merchants/{MERCHANT}/balances",
        "/favicon.ico",
        "*",
    ],
)
def test_an_address_that_is_none_is_not_found_whatever_the_method(month, path, method):
    answer = ask(balance_api, method, path)
    assert (answer.status, answer.body if method != "HEAD" else NOT_FOUND) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    "segment",
    [
        "%2F",
        "%2f..%2fm-other",
        "..",
        "%2e%2e",
        ".",
        f"{MERCHANT};x=1",
        f"{MERCHANT}%00",
        f"{MERCHANT}\x00",
        f"{MERCHANT}%20",
        f"{MERCHANT} ",
        f" {MERCHANT}",
        f"{MERCHANT}\t",
        f"{MERCHANT}\n",
        "bs-5553-eur\n",
        "\uff2d-5553",
        "m-\u0665\u0665\u0665\u0663",
        "m\u20105553",
        "m-5553\u200b",
        "m-5553\u0301",
        "\ufeffm-5553",
        "\ud800",
        "m-5553\udfff",
        "\U0001d518" * 200,
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "${jndi:ldap://x}",
        "#",
        "?",
        "m-5553#",
        "MERCHANT#m-5553",
        "'\"`\\",
    ],
)
def test_odd_names_in_an_address_are_not_found_and_never_said_back(month, segment):
    for path in (
        f"/v1/merchants/{segment}/balances",
        f"/v1/merchants/{segment}/operations/{ID}",
        f"/v1/merchants/{MERCHANT}/balances/{segment}",
        f"/v1/merchants/{MERCHANT}/balances/{segment}/history",
        f"/v1/merchants/{MERCHANT}/operations/{segment}",
        f"/v1/merchants/{MERCHANT}/statements/{segment}",
        f"/v1/merchants/{MERCHANT}/{segment}",
    ):
        answer = ask(balance_api, "GET", path)
        assert (answer.status, answer.body) == (404, NOT_FOUND), path
    for path in (
        f"/v1/systems/merchants/{segment}/balances",
        f"/v1/systems/merchants/{segment}/blocks",
        f"/v1/systems/merchants/{MERCHANT}/blocks/{segment}",
        f"/v1/systems/merchants/{MERCHANT}/balances/{segment}",
        f"/v1/systems/{segment}",
    ):
        answer = ask(systems, "GET", path)
        assert (answer.status, answer.body) == (404, NOT_FOUND), path


@pytest.mark.parametrize("character", ["x", "\xfc", "\U0001d518"])
def test_no_name_in_an_address_makes_a_key_that_dynamodb_would_refuse(aws, character):
    """2,048 bytes in a partition key, 1,024 in a sort key; moto looks only when it writes."""
    name = character * 950
    with asked_of_aws() as asked:
        for path in (f"/merchants/{name}/balances", f"/merchants/{MERCHANT}/blocks/{name}"):
            assert ask(systems, "GET", f"/v1/systems{path}").status == 404
    for key in asked.keys:
        for name, values in key.values.items():
            longest = max(len(value.encode()) for value in values)
            assert longest <= (1_024 if name == "sk" else 2_048)


def test_what_is_beyond_all_measure_is_413_whoever_asks(month):
    for path, query in [
        (f"/v1/merchants/{'x' * 8192}/balances", ""),
        (f"/v1/merchants/{MERCHANT}/balances", "at=" + "x" * 8192),
        (f"/v1/merchants/{MERCHANT}/balances", "x" * 8192),
        (f"/v1/merchants/{MERCHANT}/operations", "&".join(f"a{n}=1" for n in range(2_000))),
        (f"/v1/merchants/{MERCHANT}/operations", "cursor=" + "%41" * 2_000),
        ("/" + "/" * 8192, ""),
    ]:
        for method in ("GET", "POST", "OPTIONS"):
            answer = ask(balance_api, method, path, query)
            assert (answer.status, answer.problem) == (413, "too-large")
            assert send(balance_api, http_event(method, path, query, None)) == answer


@pytest.mark.parametrize("method", ["get", "Get", "hEAD", "options"])
def test_methods_are_read_in_any_case(month, method):
    assert ask(balance_api, method, f"/v1/merchants/{MERCHANT}/balances").status in {200, 204}


# Queries


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
    event["rawQueryString"] = "&".join(f"{name}={_quoted(str(v))}" for name, v in query.items())
    return send(systems if is_system else balance_api, event)


def _quoted(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in value.encode("utf-8", "surrogatepass"))


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


# Cursors


def cursor_of(path: str, query: dict[str, object] | None = None) -> str:
    """A real one, from a page of one."""
    cursor = get(path, {**(query or {}), "limit": 1}).body["next_cursor"]
    assert isinstance(cursor, str)
    return cursor


PAGED = ["/operations", "/statements/2026-10", "/unreconciled"]


@pytest.fixture
def paged(month):
    """Enough that every list has a second page, of another merchant too."""
    month.at("2026-11-01T00:01:00").contexts = (context_of(), context_of("other"))
    for n in range(3):
        for local in ("5553", "other"):
            said = {"external_reference": f"{local}-{n}", **IN_OCTOBER}
            month.count(confirmed(**shop(local) | said))
    return month


def refused(
    path: str,
    cursor: str,
    query: Mapping[str, object] | None = None,
    merchant_id: str = MERCHANT,
) -> bool:
    answer = get(path, {**(query or {}), "cursor": cursor}, merchant_id=merchant_id)
    assert is_well_mannered(answer)
    if answer.status != 422:
        return False
    assert (answer.problem, answer.named) == ("invalid-request", ["cursor"])
    return True


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_that_was_cut_or_lengthened_is_422(paged, path):
    cursor = cursor_of(path)
    assert not refused(path, cursor)
    assert all(refused(path, cursor[:length]) for length in range(1, len(cursor)))
    assert all(refused(path, cursor + more) for more in ("A", "AA", "AAAA", cursor))
    assert all(refused(path, cursor[start:]) for start in (1, 4, 16, len(cursor) - 1))


@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_of_which_any_character_was_altered_is_422(paged, path):
    cursor = cursor_of(path)
    for n, character in enumerate(cursor):
        for other in {"A", "z", "-", "_", "0"} - {character}:
            assert refused(path, cursor[:n] + other + cursor[n + 1 :])


def test_a_cursor_of_another_route_month_merchant_or_query_is_422(paged):
    cursors = {path: cursor_of(path) for path in PAGED}
    for path in PAGED:
        for other, cursor in cursors.items():
            assert refused(path, cursor) is (other != path)
    assert refused("/statements/2026-09", cursors["/statements/2026-10"])
    for path in ("/operations", "/unreconciled"):
        theirs = get(path, "limit=1", merchant_id="m-other").body["next_cursor"]
        assert not refused(path, theirs, merchant_id="m-other")
        assert refused(path, theirs)
    assert refused("/operations", cursors["/operations"], {"order": "oldest_first"})
    assert refused("/operations", cursors["/operations"], {"stage": "confirmed"})
    assert refused("/operations", cursors["/operations"], {"to": "2026-12-01T00:00:00Z"})
    assert refused("/unreconciled", cursors["/unreconciled"], {"older_than_days": 1})
    assert refused("/statements/2026-10", cursors["/statements/2026-10"], {"format": "csv"})
    narrower = {"balance_shop_id": "bs-5553-eur"}
    assert refused("/statements/2026-10", cursors["/statements/2026-10"], narrower)


def test_what_a_query_says_by_default_may_be_said_or_left_out(paged):
    cursor = cursor_of("/operations")
    assert not refused("/operations", cursor, {"order": "newest_first"})
    assert not refused("/operations", cursor, {"limit": 200})


def test_a_cursor_is_no_base64_of_something_else(paged):
    for path in PAGED:
        cursor = cursor_of(path)
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        for other in (b"", text[:16], b"\xff" * 40, text[16:], text + b"\x00", b"\x00" + text):
            made = urlsafe_b64encode(other).decode().rstrip("=")
            assert not made or refused(path, made)


HOSTILE = [
    "x",
    "#",
    "###",
    "####",
    "\x00",
    "ä",
    "\U0001d518" * 50,
    "9" * 400,
    "2026-10-31T23:45:00Z",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#confirmed#more",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#CONFIRMED",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#nosuchstage",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{'-' * 36}#confirmed",
    f"2026-10-31T23:45:00Z#9999-99-99T99:99:99Z#{ID}#confirmed",
    f"2026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#confirmed\n",
    f"2026-10-31T23:46:11Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-31T99:99:99Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-31T::::::::Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-32T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-10-00T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-99-31T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"0000-00-00T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"9999-99-99T99:99:99Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-09-01T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"2026-12-01T00:00:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
    f"\u0662026-10-31T23:45:00Z#2026-11-20T10:15:30Z#{ID}#confirmed",
]


@pytest.mark.parametrize("position", HOSTILE)
@pytest.mark.parametrize("path", PAGED)
def test_a_cursor_that_somebody_made_up_may_hold_anything(paged, path, position):
    """Its digest is no secret; it reaches no further than the merchant's own."""
    for query, bound in BOUND[path]:
        made = Cursors(path[1:], MERCHANT, bound)
        answer = get(path, {**query, "cursor": made.write(position)})
        assert is_well_mannered(answer)
        assert answer.status in {200, 422}
        assert "m-other" not in answer.text


# Queries, and what a cursor is bound to by each.
BOUND: dict[str, list[tuple[dict[str, object], dict[str, object]]]] = {
    "/operations": [
        ({}, {"order": "newest_first"}),
        ({"order": "oldest_first"}, {"order": "oldest_first"}),
        ({"stage": "confirmed"}, {"order": "newest_first", "stage": "confirmed"}),
    ],
    "/statements/2026-10": [({}, {"format": "json"}), ({"format": "csv"}, {"format": "csv"})],
    "/unreconciled": [({}, {"older_than_days": 0})],
}


def test_the_made_up_cursors_of_these_tests_are_those_that_the_api_makes(paged):
    for path, bounds in BOUND.items():
        cursor, made = cursor_of(path), Cursors(path[1:], MERCHANT, bounds[0][1])
        position = made.read(cursor)
        assert position is not None
        assert made.write(position) == cursor


# ETag


@pytest.mark.parametrize("path", ["/balances", "/balances/bs-5553-eur"])
def test_who_has_the_same_balances_already_is_told_so(month, path):
    first = get(path)
    tag = first.headers["ETag"]
    month.now += MINUTE
    for known in (tag, f'"other", {tag}', f'{tag},"other"', "*"):
        for method in ("GET", "HEAD"):
            answer = get(path, "", method, headers={"if-none-match": known})
            assert (answer.status, answer.text) == (304, "")
            assert (answer.headers["ETag"], answer.headers["Cache-Control"]) == (tag, "no-store")
    for unknown in ('"other"', "", 'W/""', tag[:-2] + '"', tag.lower()):
        answer = get(path, headers={"if-none-match": unknown})
        assert (answer.status, answer.headers["ETag"]) == (200, tag)


def test_tags_are_compared_weakly(month):
    """RFC 9110, 13.1.2: with or without `W/` it is the same, as some proxies make it."""
    tag = get().headers["ETag"]
    assert tag.startswith('W/"')
    assert get(headers={"if-none-match": tag.removeprefix("W/")}).status == 304


def test_a_tag_changes_with_what_it_is_of_and_not_with_the_lag(month):
    tags = [get().headers["ETag"]]
    month.now += MINUTE
    assert [get().headers["ETag"]] == tags
    month.cut()
    tags.append(get().headers["ETag"])
    month.count(confirmed(external_reference="new"))
    tags.append(get().headers["ETag"])
    tags.append(get("/balances", "source=log").headers["ETag"])
    assert len(set(tags)) == 4


def test_a_tag_opens_nothing_of_another_merchant_s(month):
    tag = get().headers["ETag"]
    for known in (tag, "*"):
        event = http_event("GET", "/v1/merchants/m-other/balances", "", token_of())
        event["headers"]["if-none-match"] = known
        assert send(balance_api, event).body == NOT_FOUND


@pytest.mark.parametrize("path", sorted(READS.keys() - {"/balances", "/balances/bs-5553-eur"}))
def test_only_balances_have_a_tag(month, path):
    answer = get(path, READS[path], headers={"if-none-match": "*"})
    assert (answer.status, "ETag" in answer.headers) == (200, False)


# What every answer says


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


# When data cannot be had


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


# Whatever comes


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
            f"{_quoted(name)}={_quoted(value)}" for name, value in query.items()
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
