"""Addresses and methods of both APIs: HEAD, OPTIONS, 404, 405 and 413."""

from collections.abc import Callable

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
    send,
)
from tests.component.balance_api.asking import API_OF, HANDLERS, ID, METHODS, READS, ask, path_of
from tests.component.spying import asked_of_aws


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
        (f"/v1/merchants/{MERCHANT}/operations", "cursor=" + "%41" * 3_000),
        ("/" + "/" * 8192, ""),
    ]:
        for method in ("GET", "POST", "OPTIONS"):
            answer = ask(balance_api, method, path, query)
            assert (answer.status, answer.problem) == (413, "too-large")
            assert send(balance_api, http_event(method, path, query, None)) == answer


@pytest.mark.parametrize("method", ["get", "Get", "hEAD", "options"])
def test_methods_are_read_in_any_case(month, method):
    assert ask(balance_api, method, f"/v1/merchants/{MERCHANT}/balances").status in {200, 204}
