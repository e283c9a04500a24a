"""Pages of operations as the API answers with them: in the order of counting."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count, islice
from random import Random
from typing import Any

import pytest

from falcon_balances.adapters import operation_pages
from falcon_balances.adapters.operation_pages import LOOK_AT
from falcon_balances.domain.instants import rfc3339
from tests.builders import (
    Document,
    claim_of,
    confirmed,
    reconciled,
    shop,
)
from tests.component.api_calls import get, pages
from tests.component.balance_api.listing import CONTEXTS, Seen, listed, seen
from tests.component.ledger import (
    MINUTE,
    SECOND,
    adjustment,
    id_of,
)
from tests.component.world import utc


def many(references: Iterator[int], how_many: int, random: Random) -> list[Document]:
    """Of all kinds, booked on any day, so that they land anywhere within their quarter."""
    found = []
    for n in islice(references, how_many):
        booked = utc("2026-11-20T10:00:00") - timedelta(seconds=random.randint(0, 30 * 86400))
        said = {"external_reference": f"order-{n}", "operation_date": rfc3339(booked)}
        found.append(
            random.choice(
                [
                    confirmed(**said),
                    confirmed(type="refund", amount="1.00", **said),
                    reconciled(**said),
                    confirmed(psp_id="other-psp", **said | shop("5554")),
                    adjustment(adjustment_id=f"adjustment-{n}", adjusted_at=rfc3339(booked)),
                ]
            )
        )
    return found


FILTERS: list[dict[str, object]] = [
    {},
    {"type": "psp_fee"},
    {"type": "refund", "stage": "confirmed"},
    {"stage": "reconciled"},
    {"balance_shop_id": "bs-two"},
    {"psp_id": "payu-ro"},
    {"from": "2026-11-20T10:15:00Z", "to": "2026-11-20T10:45:00Z"},
    {"from": "2026-11-20T10:30:00Z", "stage": "adjustment"},
]


def lets_through(operation: dict[str, Any], asked: dict[str, object]) -> bool:
    lines = operation["lines"]
    return (
        operation["stage"] == asked.get("stage", operation["stage"])
        and asked.get("type") in {None, *(line["type"] for line in lines)}
        and asked.get("balance_shop_id") in {None, *(line["balance_shop_id"] for line in lines)}
        and asked.get("psp_id") in {None, operation["psp_id"]}
        and str(asked.get("from", "")) <= operation["counted_in"] < str(asked.get("to", "9"))
    )


@pytest.fixture
def traded(ledger):
    """300 operations in four quarters."""
    random, references = Random(4), count()
    ledger.contexts = CONTEXTS
    for quarter in range(4):
        ledger.now = utc("2026-11-20T10:05:00") + quarter * 15 * MINUTE
        ledger.count(*many(references, 75, random))
    return ledger


def test_operations_are_listed_in_the_order_they_were_counted_the_newest_first(ledger):
    late = {"operation_date": "2026-11-20T09:00:00Z"}
    ledger.at("2026-11-20T10:05:00").count(confirmed(external_reference="b"))
    ledger.at("2026-11-20T10:20:00").count(
        confirmed(external_reference="d"), confirmed(external_reference="c", **late)
    )
    ledger.at("2026-11-20T10:35:00").count(reconciled(external_reference="b"))
    body = get("/operations").body
    told = [
        (each["counted_in"][11:16], each["external_reference"], each["stage"])
        for each in body["operations"]
    ]
    assert told == [
        ("10:30", "b", "reconciled"),
        ("10:15", "d", "confirmed"),
        ("10:15", "c", "confirmed"),
        ("10:00", "b", "confirmed"),
    ]
    assert seen(get("/operations", "order=oldest_first").body) == seen(body)[::-1]
    assert body["next_cursor"] is None


def test_an_operation_is_told_with_its_lines_and_where_it_lies_in_the_log(ledger):
    ledger.contexts = CONTEXTS
    document = confirmed()
    ledger.count(document)
    [operation] = get("/operations").body["operations"]
    [segment] = claim_of(document, *CONTEXTS).segments
    fee, capture = sorted(operation.pop("lines"), key=lambda line: str(line["type"]), reverse=True)
    assert operation == {
        "falcon_operation_id": id_of(document),
        "stage": "confirmed",
        "type": "capture",
        "psp_id": "payu-ro",
        "external_reference": "order-1",
        "operation_date": "2026-11-20T10:15:30Z",
        "counted_in": "2026-11-20T10:15:00Z",
        "log_key": segment.log_key,
    }
    assert (capture["amount"], capture["currency"]) == ("100.00", "EUR")
    assert (capture["local_merchant_id"], capture["shop_id"]) == ("5553", "shop-5553")
    assert (fee["type"], fee["amount"]) == ("psp_fee", "-1.00")
    assert (
        f"{capture['uuid']},order-1,100.00,EUR,capture"
        in ledger.log.objects[segment.log_key].body.decode()
    )


@pytest.mark.parametrize("limit", [1, 7, 74, 75, 76, 200])
@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_pages_of_any_size_make_the_same_list(traded, order, limit):
    asked: dict[str, object] = {"order": order, "from": "2026-11-20T10:45:00Z"}
    whole = listed(limit=200, **asked)
    assert len(whole) == len(set(whole)) == 75
    found = pages("/operations", asked | {"limit": limit})
    assert [each for body in found for each in seen(body)] == whole
    assert all(len(body["operations"]) == limit for body in found[:-1])


@pytest.mark.parametrize("asked", FILTERS, ids=str)
@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_a_filter_lets_through_what_it_says_and_all_of_it(traded, asked, order):
    every = [
        each
        for body in pages("/operations", {"order": order, "limit": 200})
        for each in body["operations"]
    ]
    expected = [each for each in every if lets_through(each, asked)]
    assert 10 < len(expected) <= 300
    for limit in (9, 200):
        found = pages("/operations", asked | {"order": order, "limit": limit})
        assert [each for body in found for each in body["operations"]] == expected


def test_an_operation_is_found_by_any_of_its_lines(ledger):
    ledger.contexts = CONTEXTS
    ledger.count(confirmed(), confirmed(type="refund", external_reference="back", amount="1.00"))
    assert listed(type="psp_fee") == [(id_of(confirmed()), "confirmed")]
    assert listed(type="psp_fee") == listed(type="capture")
    assert listed(type="chargeback") == []


def test_where_a_filter_lets_little_through_a_page_ends_and_goes_on_with_its_cursor(
    ledger, monkeypatch
):
    monkeypatch.setattr(operation_pages, "LOOK_AT", LOOK_AT // 100)
    wanted = adjustment(adjusted_at="2026-11-20T10:00:00Z")
    ledger.count(wanted)
    ledger.now += 15 * MINUTE
    captures = [confirmed(external_reference=f"o-{n}") for n in range(LOOK_AT // 100)]
    ledger.count(*captures)
    first = get("/operations", {"stage": "adjustment"})
    assert (first.status, first.body["operations"]) == (200, [])
    assert first.body["next_cursor"] is not None
    query = {"stage": "adjustment", "cursor": first.body["next_cursor"]}
    second = get("/operations", query)
    assert seen(second.body) == [(id_of(wanted), "adjustment")]
    assert second.body["next_cursor"] is None


@pytest.mark.parametrize(
    ("asked", "limit"), [({}, 40), ({"stage": "confirmed"}, 25), ({"type": "refund"}, 9)], ids=str
)
@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
def test_while_a_thousand_more_arrive_each_that_was_there_is_seen_exactly_once(
    traded, order, asked, limit
):
    """Into the quarter that is being read and into later ones, booked before and after."""
    random, references = Random(5), count(10_000)
    query: dict[str, object] = {"order": order, "limit": limit, **asked}
    before = set(listed(**asked))
    found, arrived, answer = list[Seen](), 0, get("/operations", query)
    while True:
        found += seen(answer.body)
        if arrived < 1_000:
            traded.count(*many(references, 200, random))
            arrived += 200
            traded.now += random.choice([SECOND, 20 * MINUTE])
        if answer.body["next_cursor"] is None:
            break
        answer = get("/operations", query | {"cursor": answer.body["next_cursor"]})
    assert (arrived, len(listed(limit=200))) == (1_000, 1_300)
    assert len(found) == len(set(found))
    assert before <= set(found)
    if order == "oldest_first":
        assert len(found) > len(before), "what arrives later comes later"


def test_the_link_leads_to_the_next_page_with_the_same_query(traded):
    answer = get("/operations", "from=2026-11-20T12%3A15%3A00%2B02%3A00&stage=confirmed&limit=5")
    target, _, relation = answer.headers["Link"].partition("; ")
    assert relation == 'rel="next"'
    assert (target[:2], target[-1]) == ("<?", ">")
    following = get("/operations", target[2:-1])
    assert following.status == 200
    again = {
        "from": "2026-11-20T12:15:00+02:00",
        "stage": "confirmed",
        "limit": 5,
        "cursor": answer.body["next_cursor"],
    }
    assert following == get("/operations", again)
    assert not {*seen(following.body)} & {*seen(answer.body)}
    assert "Link" not in get("/operations", "limit=200&stage=reconciled").headers


def test_a_page_may_be_longer_than_the_one_before(traded):
    """The limit is no part of what a cursor is bound to."""
    whole = listed(limit=200)
    first = get("/operations", {"limit": 3}).body
    rest = pages("/operations", {"limit": 100, "cursor": first["next_cursor"]})
    first_of_rest = rest[0]
    assert seen(first) + seen(first_of_rest) == whole[: 3 + len(seen(first_of_rest))]


def test_a_merchant_without_operations_has_an_empty_list_and_nobody_none(ledger):
    ledger.count(confirmed())
    answer = get("/operations", {"to": "2026-11-20T10:15:00Z"})
    assert (answer.status, answer.body["operations"]) == (200, [])
    assert answer.body["next_cursor"] is None
    assert get("/operations", merchant_id="m-nobody").problem == "not-found"


def test_as_of_of_the_list_is_what_its_index_had_time_to_follow(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    ledger.at("2026-11-20T10:06:00").cut()
    ledger.at("2026-11-20T10:07:00").cut()
    for seconds, as_of in ((9, "2026-11-20T10:06:00Z"), (10, "2026-11-20T10:07:00Z")):
        ledger.now = utc("2026-11-20T10:07:00") + seconds * SECOND
        assert get("/operations").body["as_of"] == as_of
        assert get("/balances").body["as_of"] == "2026-11-20T10:07:00Z"
