"""Every route of the API on the embedded AWS, for merchants with data of all four stages."""

import pytest

from tests.e2e import observed
from tests.e2e.api_world import (
    NAMES,
    OWN,
)
from tests.e2e.asking import Asker

ROUTES = range(15)
FRESH = {"as_of", "lag_seconds"}


def without(document, names):
    return {name: value for name, value in document.items() if name not in names}


def for_merchants(document):
    """Less the fingerprints in stories: they are made of other merchants' amounts too."""
    shown = without(document, FRESH)
    if "stages" in shown:
        shown["stages"] = [without(each, {"fingerprint"}) for each in shown["stages"]]
    return shown


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_answers_merchants_and_systems_alike(served, asker, route):
    assert len(served.routes(OWN)) == len(ROUTES)
    path = served.routes(OWN)[route]
    merchants, systems = asker.ask(path), asker.ask_signed(f"systems/{path}")
    assert (merchants.status, systems.status) == (200, 200), (merchants, systems)
    assert merchants.content_type == systems.content_type
    assert merchants.headers["cache-control"] == "no-store"
    assert merchants.headers["x-request-id"] != systems.headers["x-request-id"]
    if merchants.content_type == "text/csv":
        assert merchants.body == systems.body
        return
    assert merchants.content_type == "application/json"
    assert merchants.document["merchant_id"] == f"m-{OWN}"
    assert merchants.document["as_of"] is not None
    assert merchants.document["lag_seconds"] >= 0
    assert without(merchants.document, FRESH) == for_merchants(systems.document)


# Manners


def test_a_known_balance_is_answered_304_until_something_moves(served, asker):
    path = f"merchants/m-{OWN}/balances"
    known = asker.ask(path)
    tag = known.headers["etag"]
    for said in (tag, "*", f'"other", {tag}'):
        same = asker.ask(path, headers={"If-None-Match": said})
        assert (same.status, same.body, same.headers["etag"]) == (304, b"", tag)
    assert asker.ask(path, headers={"If-None-Match": '"other"'}).status == 200
    observed.pass_a_cut(served.target)
    moved = asker.ask(path, headers={"If-None-Match": tag})
    assert moved.status == 200
    assert moved.document["as_of"] > known.document["as_of"]


@pytest.mark.parametrize("route", ROUTES)
def test_head_is_get_without_a_body(served, asker, route):
    path = served.routes(OWN)[route]
    get, head = asker.ask(path), asker.ask(path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "cache-control", "etag", "link"):
        assert head.headers.get(name) == get.headers.get(name)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_reads_take_no_other_method_and_say_so(served, asker, method):
    for path in served.routes(OWN):
        answer = asker.ask(path, method)
        assert (answer.status, answer.content_type) == (405, "application/problem+json")
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("balances", 404),
        ("merchants", 404),
        ("merchants/m-api-d", 404),
        ("merchants/m-api-d/balance", 404),
        ("merchants/m-api-d/balances/bs-api-d/history/more", 404),
        ("merchants/m-api-d/blocks", 404),
        ("merchants/m-api-d/balances/bs-nothing", 404),
        ("merchants/m-api-d/operations/nothing", 404),
        ("merchants/m-api-d/operations/00000000-0000-5000-8000-000000000000", 404),
        ("merchants/m-api-d/statements/2026-13", 404),
        ("merchants/m-api-d/statements/now", 404),
        ("merchants/m-api-d/balances?shop=1", 422),
        ("merchants/m-api-d/balances?source=moon", 422),
        ("merchants/m-api-d/balances?source=log&source=table", 422),
        ("merchants/m-api-d/balances?at=yesterday", 422),
        ("merchants/m-api-d/balances?at=2026-11-01T00:07:00Z", 422),
        ("merchants/m-api-d/operations?limit=0", 422),
        ("merchants/m-api-d/operations?limit=201", 422),
        ("merchants/m-api-d/operations?cursor=AAAA", 422),
        ("merchants/m-api-d/operations?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", 422),
        ("merchants/m-api-d/turnover", 422),
        ("merchants/m-api-d/turnover?month=2026-00", 422),
        ("merchants/m-api-d/turnover?month=2026-03&time_zone=Asia/Tokyo", 422),
        ("merchants/m-api-d/unreconciled?older_than_days=-1", 422),
        # Encoded slashes are slashes to the gateway, which decodes the path first.
        ("merchants/m-api-d%2Fbalances%2Fmore%2Fand%2Fmore", 404),
        ("merchants/m-api-d/operations/%2e%2e%2f%2e%2e", 404),
        ("merchants/m-api-d/balances/%00", 404),
        ("merchants/m-api-d/balances/%F0%9F%92%B6", 404),
        ("merchants/m-api-d/balances/%ff", 404),
        (f"merchants/m-api-d/balances/{'x' * 8192}", 413),
        (f"merchants/{'x' * 8192}/balances", 413),
        (f"merchants/m-api-d/operations?cursor={'A' * 8192}", 413),
        (f"merchants/m-api-d/balances?{'x' * 8192}", 413),
    ],
)
def test_what_is_unknown_invalid_or_too_long_is_a_problem(asker, path, status):
    answer = asker.ask(path)
    assert (answer.status, answer.content_type) == (status, "application/problem+json"), answer
    assert answer.document["status"] == status
    assert answer.document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.body.decode()


def test_outside_of_its_routes_the_gateway_answers_in_its_own_shape(asker):
    answer = asker.ask("")
    assert (answer.status, answer.document) == (404, {"message": "Not Found"})


def test_values_of_8_kib_in_a_header_do_no_harm(asker):
    for name in ("If-None-Match", "X-Forwarded-For", "Accept-Language", "Cookie"):
        answer = asker.ask(f"merchants/m-{OWN}/balances", headers={name: "x" * 8192})
        assert answer.status < 500


def test_a_cursor_is_of_its_merchant_route_and_query(served, asker):
    other = NAMES[0]
    with Asker(served.target, served.tokens[other]) as another:
        theirs = another.ask(f"merchants/m-{other}/operations?limit=1").document["next_cursor"]
    own = asker.ask(f"merchants/m-{OWN}/operations?limit=1").document["next_cursor"]
    path = f"merchants/m-{OWN}/operations?limit=1"
    assert asker.ask(f"{path}&cursor={own}").status == 200
    for cursor in (theirs, own[:-1], f"{own}A", own[::-1], own.swapcase()):
        assert asker.ask(f"{path}&cursor={cursor}").status == 422
    assert asker.ask(f"{path}&stage=confirmed&cursor={own}").status == 422
    assert asker.ask(f"merchants/m-{OWN}/unreconciled?limit=1&cursor={own}").status == 422


# Freshness
