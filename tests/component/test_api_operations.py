"""Operations: listed in the order of counting, each with its whole story, and what is awaited."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count, islice
from random import Random
from typing import Any

import pytest

from falcon_balances.contracts.direct_operations import parse_direct_document
from falcon_balances.domain.blocks import BlockStatus, block_writes, ending_writes
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.identity import payout_operation_id, payout_return_id
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import payout_block
from lambdas.balance_api.reading import MARKS_A_PAGE_MAX
from tests.builders import (
    Document,
    claim_of,
    confirmed,
    context_of,
    fee_of,
    marketplace,
    reconciled,
    shop,
)
from tests.component.api_calls import MERCHANT, Answer, get, pages
from tests.component.ledger import (
    MINUTE,
    SECOND,
    Ledger,
    adjustment,
    any_claim_of,
    id_of,
    payout,
    payout_return,
)
from tests.component.paying import Paying
from tests.component.paying import request as payout_request
from tests.component.world import utc

CONTEXTS = (
    context_of(fees=[fee_of("1.00")]),
    context_of("5554", merchant_id=MERCHANT, psp_id="other-psp", balance_shops={"EUR": "bs-two"}),
    context_of("market"),
)
Seen = tuple[str, str]


def seen(body: dict[str, Any]) -> list[Seen]:
    return [(each["falcon_operation_id"], each["stage"]) for each in body["operations"]]


def listed(**query: object) -> list[Seen]:
    return [each for body in pages("/operations", query) for each in seen(body)]


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


# Pages


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


def test_where_a_filter_lets_little_through_a_page_ends_and_goes_on_with_its_cursor(ledger):
    wanted = adjustment(adjusted_at="2026-11-20T10:00:00Z")
    ledger.count(wanted)
    ledger.now += 15 * MINUTE
    captures = [confirmed(external_reference=f"o-{n}") for n in range(MARKS_A_PAGE_MAX)]
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


# One operation's story


def story(document: Document, merchant_id: str = MERCHANT) -> Answer:
    operation_id = any_claim_of(document, *CONTEXTS).falcon_operation_id
    return get(f"/operations/{operation_id}", merchant_id=merchant_id)


def test_a_story_has_both_stages_with_lines_log_keys_and_when_they_were_counted(ledger):
    ledger.contexts = CONTEXTS
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    ledger.at("2026-11-20T10:20:00").count(reconciled())
    ledger.cut()
    body = story(confirmed()).body
    assert (body["as_of"], body["lag_seconds"]) == ("2026-11-20T10:20:00Z", 0)
    assert (body["type"], body["psp_id"]) == ("capture", "payu-ro")
    assert body["external_reference"] == "order-1"
    assert [(each["stage"], each["counted_in"]) for each in body["stages"]] == [
        ("confirmed", "2026-11-20T10:00:00Z"),
        ("reconciled", "2026-11-20T10:15:00Z"),
    ]
    for stage, document in zip(body["stages"], (confirmed(), reconciled()), strict=True):
        claim = claim_of(document, *CONTEXTS)
        [segment] = claim.segments
        assert stage["log_key"] == segment.log_key
        assert stage["received_at"] == "2026-11-20T10:20:00Z"
        assert stage["context_version"] == "2026-01-01T00:00:00Z"
        amounts = [(line["type"], line["amount"]) for line in stage["lines"]]
        assert amounts == [("capture", "100.00"), ("psp_fee", "-1.00")]
    assert (body["blocks"], body["returns"]) == ([], None)
    assert body["corrected_by"] == body["returned_by"] == []


def test_what_is_claimed_but_not_counted_yet_says_so(ledger):
    ledger.claims.claim(claim_of(confirmed()))
    [stage] = story(confirmed()).body["stages"]
    assert stage["counted_in"] is None


def test_of_a_marketplace_s_operation_each_merchant_is_told_its_own_part(ledger):
    sale = marketplace([("5553", "60.00", "3.00"), ("5554", "40.00", None)], "100.00")
    ledger.contexts = (
        context_of(),
        context_of("5554", merchant_id="m-5554"),
        context_of("market"),
    )
    ledger.count(sale)
    operation_id = id_of(sale, *ledger.contexts)
    told = {
        merchant_id: get(f"/operations/{operation_id}", merchant_id=merchant_id).body
        for merchant_id in (MERCHANT, "m-5554", "m-market")
    }
    amounts = {
        merchant_id: [(line["type"], line["amount"]) for line in body["stages"][0]["lines"]]
        for merchant_id, body in told.items()
    }
    assert amounts == {
        MERCHANT: [("capture", "60.00"), ("marketplace_fee", "-3.00")],
        "m-5554": [("capture", "40.00")],
        "m-market": [("marketplace_fee", "3.00")],
    }
    for merchant_id, body in told.items():
        others = {MERCHANT, "m-5554", "m-market"} - {merchant_id}
        assert not any(other in str(body) for other in others)
    assert get(f"/operations/{operation_id}", merchant_id="m-nobody").problem == "not-found"


@pytest.mark.parametrize(
    "operation_id",
    [
        "673d679f-05b5-5e9f-acf0-6e2e1c604769",
        id_of(confirmed()).upper(),
        id_of(confirmed())[:-1],
        f"{id_of(confirmed())}0",
        f"{{{id_of(confirmed())}}}",
        id_of(confirmed()).replace("-", ""),
        "order-1",
        "%2e%2e",
    ],
)
def test_an_operation_that_is_not_there_is_not_found(ledger, operation_id):
    ledger.count(confirmed())
    answer = get(f"/operations/{operation_id}")
    assert (answer.status, answer.problem) == (404, "not-found")


def set_aside(ledger: Ledger, document: Document) -> Any:
    asked = parse_direct_document(document, Stage.PAYOUT)
    assert isinstance(asked, PayoutRequest)
    block = payout_block(asked, asked.amount.minor, ledger.now)
    assert not ledger.store.apply(block_writes(block))
    return block


def test_a_payout_s_story_has_its_block_and_its_return(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed(), reconciled())
    set_aside(ledger, payout())
    claim = any_claim_of(payout()).model_copy(update={"state": PayoutState.DECIDED.value})
    ledger.claims.claim(claim)
    body = story(payout()).body
    [stage] = body["stages"]
    assert (stage["stage"], stage["state"], stage["counted_in"]) == ("payout", "decided", None)
    assert body["blocks"] == [
        {
            "block_id": payout_operation_id(MERCHANT, "payout-1"),
            "amount": "40.00",
            "currency": "EUR",
            "purpose": "payout",
            "status": "active",
            "created_at": "2026-11-20T10:05:00Z",
            "expiry": None,
            "ended_at": None,
        }
    ]
    assert (body["returned_by"], body["returns"]) == ([], None)
    ledger.claims.claims.clear()
    ledger.at("2026-11-20T10:20:00").count(payout())
    ledger.at("2026-11-20T11:01:00").count(payout_return())
    body = story(payout()).body
    [stage] = body["stages"]
    assert (stage["state"], stage["counted_in"]) == ("paid", "2026-11-20T10:15:00Z")
    assert [line["amount"] for line in stage["lines"]] == ["-40.00"]
    assert (body["blocks"][0]["status"], body["blocks"][0]["ended_at"]) == (
        "settled",
        "2026-11-20T10:20:00Z",
    )
    assert body["returned_by"] == [payout_return_id(MERCHANT, "payout-1")]
    back = get(f"/operations/{body['returned_by'][0]}").body
    assert (back["type"], back["returns"]) == ("withdrawal_reversal", id_of(payout()))
    assert (back["returned_by"], back["blocks"]) == ([], [])
    assert [line["amount"] for line in back["stages"][0]["lines"]] == ["40.00"]


def test_a_payout_that_was_given_up_has_its_block_released_and_was_never_counted(ledger):
    ledger.count(confirmed(), reconciled())
    block = set_aside(ledger, payout())
    state = {"state": PayoutState.GIVEN_UP.value}
    ledger.claims.claim(any_claim_of(payout()).model_copy(update=state))
    ledger.store.apply(ending_writes(block, BlockStatus.RELEASED, ledger.now, "anna"))
    body = story(payout()).body
    [stage] = body["stages"]
    assert (stage["state"], stage["counted_in"]) == ("given_up", None)
    assert body["blocks"][0]["status"] == "released"
    assert "anna" not in str(body)
    assert listed(stage="payout") == []


def test_a_payout_that_was_refused_has_no_lines_and_so_no_story(monkeypatch):
    """It names no segment, so nothing proves whose it is; its outcome was announced."""
    paying = Paying()
    paying.run(payout_request(amount="100.01"))
    assert paying.state() == "refused"
    ledger = Ledger()
    ledger.store, ledger.claims.claims = paying.store, paying.claims.claims
    ledger.serve(monkeypatch)
    answer = get(f"/operations/{payout_operation_id('m-1', 'payout-1')}", merchant_id="m-1")
    assert (answer.status, answer.problem) == (404, "not-found")


def test_a_correction_and_what_it_corrects_name_each_other(ledger):
    first = adjustment(corrects=id_of(confirmed()))
    second = adjustment(adjustment_id="adjustment-2", corrects=id_of(confirmed()))
    ledger.count(confirmed(), first, second, adjustment(adjustment_id="adjustment-3"))
    assert story(confirmed()).body["corrected_by"] == sorted([id_of(first), id_of(second)])
    [stage] = story(first).body["stages"]
    assert stage["corrects"] == id_of(confirmed())
    [stage] = story(adjustment(adjustment_id="adjustment-3")).body["stages"]
    assert "corrects" not in stage
    in_list = {
        each["falcon_operation_id"]: each.get("corrects")
        for each in get("/operations", "stage=adjustment").body["operations"]
    }
    assert in_list[id_of(first)] == in_list[id_of(second)] == id_of(confirmed())
    assert list(in_list.values()).count(None) == 1


# What awaits reconciliation


def unreconciled(**query: object) -> dict[str, Any]:
    answer = get("/unreconciled", query)
    assert answer.status == 200
    body: dict[str, Any] = answer.body
    return body


def told(body: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (each["external_reference"], each["standing"], each["age_days"])
        for each in body["operations"]
    ]


@pytest.fixture
def awaited(ledger):
    """Confirmed alone, reconciled alone, a pair that differs and one that agrees; in two PSPs."""
    ledger.contexts = CONTEXTS
    ledger.at("2026-11-20T10:20:00").count(
        confirmed(external_reference="alone", operation_date="2026-11-10T10:20:00Z"),
        reconciled(external_reference="traced", reconciled_date="2026-11-15T10:20:01Z"),
        confirmed(external_reference="differs", operation_date="2026-11-18T00:00:00Z"),
        reconciled(external_reference="differs", amount="90.00"),
        confirmed(external_reference="agrees"),
        reconciled(external_reference="agrees"),
        confirmed(
            external_reference="second",
            psp_id="other-psp",
            operation_date="2026-11-20T10:20:00Z",
            **shop("5554"),
        ),
        payout(),
        adjustment(),
    )
    return ledger


def test_what_awaits_its_other_stage_or_differs_from_it_is_told_the_oldest_first(awaited):
    body = unreconciled()
    assert told(body) == [
        ("alone", "confirmed_only", 10),
        ("traced", "reconciled_only", 4),
        ("differs", "different", 2),
        ("second", "confirmed_only", 0),
    ]
    differs = body["operations"][2]
    assert [(each["type"], each["amount"]) for each in differs["confirmed"]] == [
        ("capture", "100.00"),
        ("psp_fee", "-1.00"),
    ]
    assert [each["amount"] for each in differs["reconciled"]] == ["90.00", "-0.90"]
    assert {each["balance_shop_id"] for each in differs["reconciled"]} == {"bs-5553-eur"}
    alone = body["operations"][0]
    assert (alone["type"], alone["reconciled"]) == ("capture", [])
    assert alone["falcon_operation_id"] == id_of(confirmed(external_reference="alone"), *CONTEXTS)


def test_sums_are_by_psp_currency_and_standing_over_all_of_it(awaited):
    body = unreconciled(limit=1)
    assert len(body["operations"]) == 1
    assert body["sums"] == [
        {
            "psp_id": psp_id,
            "currency": "EUR",
            "standing": standing,
            "operations_count": 1,
            "confirmed": confirmed_sum,
            "reconciled": reconciled_sum,
            "pending": pending,
            "unapplied": unapplied,
            "debits_unconfirmed": "0.00",
            "debits_untraced": "0.00",
        }
        for psp_id, standing, confirmed_sum, reconciled_sum, pending, unapplied in [
            ("other-psp", "confirmed_only", "100.00", "0.00", "100.00", "0.00"),
            ("payu-ro", "confirmed_only", "99.00", "0.00", "99.00", "0.00"),
            ("payu-ro", "different", "99.00", "89.10", "9.90", "0.00"),
            ("payu-ro", "reconciled_only", "0.00", "99.00", "0.00", "99.00"),
        ]
    ]


def test_an_open_refund_says_who_has_not_confirmed_what_was_taken(ledger):
    ledger.count(reconciled(type="refund", amount="40.00"))
    body = unreconciled()
    [operation] = body["operations"]
    assert operation["figures"] == [
        {
            "balance_shop_id": "bs-5553-eur",
            "currency": "EUR",
            "pending": "0.00",
            "unapplied": "0.00",
            "debits_unconfirmed": "40.00",
            "debits_untraced": "0.00",
        }
    ]
    [total] = body["sums"]
    assert (total["debits_unconfirmed"], total["reconciled"]) == ("40.00", "-40.00")


@pytest.mark.parametrize(
    ("days", "references"),
    [
        (0, ["alone", "traced", "differs", "second"]),
        (1, ["alone", "traced", "differs"]),
        (2, ["alone", "traced", "differs"]),
        (3, ["alone", "traced"]),
        (10, ["alone"]),
        (11, []),
        (3650, []),
    ],
)
def test_only_what_is_old_enough_is_told_and_summed(awaited, days, references):
    body = unreconciled(older_than_days=days)
    assert [reference for reference, _, _ in told(body)] == references
    assert sum(each["operations_count"] for each in body["sums"]) == len(references)
    assert body["older_than_days"] == days


def test_when_the_other_stage_comes_and_agrees_nothing_is_awaited_any_more(awaited):
    awaited.count(
        reconciled(external_reference="alone", operation_date="2026-11-10T10:20:00Z"),
        confirmed(external_reference="traced", operation_date="2026-11-14T10:20:00Z"),
    )
    assert [reference for reference, _, _ in told(unreconciled())] == ["differs", "second"]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_pages_of_what_is_awaited_make_the_same_list(awaited, limit):
    found = pages("/unreconciled", {"limit": limit})
    assert [each for body in found for each in told(body)] == told(unreconciled())
    assert len({str(body["sums"]) for body in found}) == 1


def test_a_date_a_little_ahead_is_awaited_too(ledger):
    """A PSP's clock may be up to fifteen minutes ahead of ours (design §4)."""
    ledger.count(confirmed(operation_date=rfc3339(ledger.now + 10 * MINUTE)))
    assert told(unreconciled()) == [("order-1", "confirmed_only", 0)]


def test_where_nothing_is_awaited_the_list_is_empty_and_of_nobody_not_found(ledger):
    ledger.count(confirmed(), reconciled())
    body = unreconciled()
    assert (body["operations"], body["sums"], body["next_cursor"]) == ([], [], None)
    assert get("/unreconciled", merchant_id="m-nobody").problem == "not-found"


def test_too_many_that_are_awaited_are_422_and_name_the_auditor_s_command(awaited, monkeypatch):
    monkeypatch.setattr("lambdas.balance_api.merchant_routes.OPEN_MAX", 3)
    answer = get("/unreconciled")
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert "falcon audit reconcile" in answer.body["detail"]
