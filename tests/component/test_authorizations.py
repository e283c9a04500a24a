"""A refund authorization is the refund itself: blocked where it would debit, ended as one."""

from datetime import timedelta
from typing import Any

import pytest

from falcon_balances.domain.blocks import Block
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.storage import MemoryRefundClaims
from lambdas.expirer.handler import expire_blocks
from lambdas.systems_api import adapters, authorizing
from lambdas.systems_api.blocking import ATTEMPTS
from tests.builders import (
    Document,
    confirmed,
    context_of,
    fee_of,
    marketplace,
    operation_id_of,
    shop,
)
from tests.component.api_calls import Answer, get, post_as_system
from tests.component.ledger import Ledger, any_claim_of
from tests.component.test_sales import traced

CONTEXTS = (context_of("a"), context_of("b"), context_of("c"), context_of("market"))
PARTS = [("a", "20.00", "2.00"), ("b", "10.00", None)]
SOLD = marketplace([("a", "60.00", "6.00"), ("b", "40.00", None)], "100.00")
SALE = SaleKey("m-market", "payu-ro", "order-1")


def refund(parts: Any = PARTS, amount: str = "30.00", **changes: Any) -> Document:
    said = {"type": "refund", "external_reference": "r 1", "original_reference": "order-1"}
    return marketplace(parts, amount, **said | changes)


def asking(event: Document, **more: Any) -> Document:
    """The request that the refund's own fields make."""
    left_out = {"schema_version", "type", "operation_date"}
    return {name: value for name, value in event.items() if name not in left_out} | more


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A sale of 100.00 in both stages: a has 54.00, b 40.00, the marketplace 6.00."""
    ledger = Ledger(CONTEXTS)
    ledger.directory.contexts |= {context.key: [context] for context in CONTEXTS}
    ledger.directory.named |= merchants_of(CONTEXTS)
    ledger.serve(monkeypatch)
    monkeypatch.setattr(authorizing, "contention_delays", lambda: [0] * ATTEMPTS)
    ledger.count(SOLD, traced(SOLD))
    return ledger


def authorize(event: Document | None = None, **more: Any) -> Answer:
    asked = asking(refund() if event is None else event, **more)
    return post_as_system("/refund-authorizations", asked, merchant_id="m-market")


def money(merchant_id: str) -> tuple[str, str]:
    """Available and blocked."""
    [balance] = get("/balances", merchant_id=merchant_id).body["balances"]
    return balance["available"], balance["blocked"]


def moneys() -> list[tuple[str, str]]:
    return [money(each) for each in ("m-a", "m-b", "m-market")]


def left(ledger: Ledger) -> tuple[int, int]:
    """Of the sale: what could still be refunded, and what is set aside."""
    figures = Sale.from_attributes(SALE.item, ledger.store.item(SALE.item)).currencies["EUR"]
    return figures.left, figures.set_aside


LOSS = confirmed(type="chargeback", amount="35.00", **shop("b"))
UNTOUCHED = [("54.00", "0.00"), ("40.00", "0.00"), ("6.00", "0.00")]
HELD = [("36.00", "18.00"), ("30.00", "10.00"), ("4.00", "2.00")]
TAKEN = [("36.00", "0.00"), ("30.00", "0.00"), ("4.00", "0.00")]


def blocks(ledger: Ledger) -> list[Block]:
    return [each for m in ("m-a", "m-b", "m-c", "m-market") for each in ledger.store.blocks_of(m)]


def statuses(ledger: Ledger) -> set[str]:
    return {each.status.value for each in blocks(ledger)}


def test_every_balance_that_the_refund_will_lower_is_blocked_by_that_much(ledger):
    answer = authorize()
    assert answer.status == 201
    body = answer.body
    assert [(b["merchant_id"], b["amount"], b["status"]) for b in body.pop("blocks")] == [
        ("m-a", "18.00", "active"),
        ("m-b", "10.00", "active"),
        ("m-market", "2.00", "active"),
    ]
    assert body == {
        "authorized": True,
        "falcon_operation_id": operation_id_of(refund()),
        "attempt": 1,
        "status": "active",
        "reason": None,
        "available": None,
        "short": [],
        "sale": {
            "original_reference": "order-1",
            "falcon_operation_id": operation_id_of(SOLD),
            "is_known": True,
        },
        "expiry": "2026-11-27T10:15:00Z",
    }
    assert moneys() == HELD
    assert left(ledger) == (7000, 3000)


def test_the_same_attempt_again_is_the_same_however_it_is_written(ledger):
    first = authorize()
    again = authorize(refund(amount="30"), attempt=1)
    assert (again.status, again.body) == (200, first.body)
    assert moneys() == HELD


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"splits": None, "amount": "30.00"}, "splits"),
        ({"original_reference": "order-2"}, "original_reference"),
        ({"original_date": "2026-11-20T10:00:00Z"}, "original_date"),
        ({"expires_in_seconds": 60}, "expires_in_seconds"),
    ],
)
def test_the_same_attempt_asked_otherwise_is_a_conflict(ledger, changes, field):
    authorize()
    answer = authorize({k: v for k, v in (refund() | changes).items() if v is not None})
    assert (answer.status, answer.named) == (409, [f"/{field}"])
    assert answer.body["authorization"]["status"] == "active"
    assert moneys() == HELD


@pytest.mark.parametrize("first", [refund(), traced(refund())], ids=["confirmed", "reconciled"])
def test_whichever_stage_comes_first_ends_all_of_it_and_available_does_not_move(ledger, first):
    authorize()
    before = [available for available, _ in moneys()]
    ledger.count(first)
    assert moneys() == TAKEN
    assert [available for available, _ in moneys()] == before
    assert statuses(ledger) == {"settled"}
    assert left(ledger) == (7000, 0)
    other = refund() if first == traced(refund()) else traced(refund())
    ledger.count(other)
    assert moneys() == TAKEN
    answer = authorize()
    assert (answer.status, answer.body["authorization"]["status"]) == (409, "settled")


def test_what_was_blocked_above_the_debit_is_free_at_once(ledger):
    authorize()
    ledger.count(refund([("a", "5.00", None), ("b", "5.00", None)], "10.00"))
    assert moneys() == [("49.00", "0.00"), ("35.00", "0.00"), ("6.00", "0.00")]
    assert left(ledger) == (9000, 0)


@pytest.mark.parametrize("stage", [lambda each: each, traced], ids=["confirmed", "reconciled"])
def test_a_refund_that_debits_others_ends_the_blocks_that_no_segment_of_it_ends(ledger, stage):
    authorize()
    ledger.count(stage(refund([("a", "20.00", None)], "20.00")))
    assert moneys() == [("34.00", "0.00"), ("40.00", "0.00"), ("6.00", "0.00")]
    assert statuses(ledger) == {"settled"}


def test_a_block_that_a_claimed_stage_will_end_is_left_to_it(ledger):
    authorize()
    narrow, wide = refund([("a", "30.00", None)], "30.00"), traced(refund())
    claims = [any_claim_of(each, *CONTEXTS) for each in (narrow, wide)]
    for claim in claims:
        ledger.claims.claim(claim)
    ledger.reduce(*ledger.linked(claims[0]))
    assert money("m-b") == ("30.00", "10.00")
    ledger.reduce(*ledger.linked(claims[1]))
    assert money("m-b") == ("30.00", "0.00")


def test_segments_end_their_own_blocks_in_whatever_order_they_are_counted(ledger):
    authorize()
    claim = any_claim_of(refund(), *CONTEXTS)
    ledger.claims.claim(claim)
    for record in reversed(ledger.linked(claim)):
        ledger.reduce(record)
    assert moneys() == TAKEN
    assert statuses(ledger) == {"settled"}
    assert left(ledger) == (7000, 0)


def test_what_is_published_again_after_the_first_part_still_ends_its_blocks(ledger):
    authorize()
    claim = any_claim_of(refund(), *CONTEXTS)
    ledger.claims.claim(claim)
    first, *_ = ledger.linked(claim)
    ledger.reduce(first)
    _, *others = ledger.linked(claim)  # the persister again, after a crash of the publisher
    ledger.reduce(*others)
    assert moneys() == TAKEN


@pytest.mark.parametrize("stage", [lambda each: each, traced], ids=["confirmed", "reconciled"])
@pytest.mark.parametrize("is_counted", [False, True])
def test_a_refund_that_is_claimed_in_any_stage_anywhere_is_not_authorized(
    ledger, stage, is_counted
):
    event = stage(refund([("c", "30.00", None)], "30.00"))
    if is_counted:
        ledger.count(event)
    else:
        ledger.claims.claim(any_claim_of(event, *CONTEXTS))
    before = moneys()
    answer = authorize()
    assert (answer.status, answer.named) == (409, ["/external_reference"])
    assert moneys() == before
    assert blocks(ledger) == []


def test_a_claim_that_comes_between_reading_and_writing_is_seen(ledger):
    ledger.store.interrupt = lambda point: (
        ledger.claims.claim(any_claim_of(refund(), *CONTEXTS)) if point.endswith("items") else None
    )
    answer = authorize()
    assert (answer.status, answer.named) == (409, ["/external_reference"])
    assert blocks(ledger) == []


def test_where_one_balance_has_too_little_nothing_is_blocked_and_it_is_said_which(ledger):
    ledger.count(
        confirmed(type="chargeback", amount="35.00", local_merchant_id="b", shop_id="shop-b")
    )
    answer = authorize()
    assert answer.status == 200
    body = answer.body
    assert (body["authorized"], body["status"], body["reason"]) == (
        False,
        "refused",
        "insufficient_balance",
    )
    assert body["short"] == [
        {
            "merchant_id": "m-b",
            "balance_shop_id": "bs-b-eur",
            "currency": "EUR",
            "amount": "10.00",
            "available": "5.00",
        }
    ]
    assert (body["available"], body["blocks"], body["expiry"]) == ("5.00", [], None)
    assert blocks(ledger) == []
    assert left(ledger) == (10000, 0)


def test_what_is_refused_stays_so_under_its_attempt_and_the_next_is_decided_anew(ledger):
    ledger.count(LOSS)
    refused = authorize()
    won = LOSS | {"type": "chargeback_reversal"}
    ledger.count(won, traced(won))
    assert authorize().body == refused.body
    answer = authorize(attempt=2)
    assert (answer.status, answer.body["authorized"], answer.body["attempt"]) == (201, True, 2)
    assert authorize().body == refused.body
    third = authorize(attempt=3)
    assert (third.status, third.named) == (409, ["/attempt"])
    assert third.body["detail"] == "attempt: attempt 2 is still active"
    assert moneys() == HELD


@pytest.mark.parametrize(("amount", "is_granted"), [("70.00", True), ("70.01", False)])
def test_no_more_is_authorized_than_is_left_of_the_sale(ledger, amount, is_granted):
    authorize(refund(external_reference="r 0"))
    asked = refund([("c", amount, None)], amount)
    ledger.store.transact(
        [AddCounters(ItemKey("MERCHANT#m-c", "BALANCE#bs-c-eur#EUR"), {"available": 100000})]
    )
    answer = authorize(asked)
    assert answer.body["authorized"] is is_granted
    if not is_granted:
        assert (answer.body["reason"], answer.body["sale"]["left"]) == ("above_sale", "70.00")
    assert left(ledger)[0] == (0 if is_granted else 7000)


@pytest.mark.parametrize(
    ("taken", "rest"),
    [
        ({"type": "refund"}, "60.00"),
        ({"type": "chargeback"}, "60.00"),
        (
            {"type": "refund", "reconciled_date": "2026-11-20T10:18:00Z", "bank_reference": "b"},
            "60.00",
        ),
        ({"type": "chargeback_reversal"}, "100.00"),  # one side's word
    ],
)
def test_what_either_stage_took_of_the_sale_is_not_left(ledger, taken, rest):
    ledger.count(refund([("a", "40.00", None)], "40.00", external_reference="t", **taken))
    answer = authorize(refund([("a", "1000.00", None)], "1000.00"))
    assert answer.body["sale"]["left"] == rest


def test_another_currency_than_the_sale_s_has_nothing_left(ledger):
    answer = authorize(refund([("a", "1", None)], "1", currency="JPY"))
    assert (answer.body["reason"], answer.body["sale"]["left"]) == ("above_sale", "0")


def test_an_unknown_sale_is_said_and_no_refusal(ledger):
    answer = authorize(refund(original_reference="unknown"))
    assert answer.status == 201
    assert answer.body["sale"]["is_known"] is False
    ledger.count(marketplace([("a", "25.00", None)], "25.00", external_reference="unknown"))
    late = authorize(refund(external_reference="r 2", original_reference="unknown"))
    assert (late.body["reason"], late.body["sale"]["left"]) == ("above_sale", "-5.00")


def test_two_at_once_never_take_more_than_is_left(ledger):
    """The second reads before the first is written, and is decided after it."""
    many = [refund([("a", "60.00", None)], "60.00", external_reference=f"r {n}") for n in (1, 2)]
    ledger.store.transact(
        [AddCounters(ItemKey("MERCHANT#m-a", "BALANCE#bs-a-eur#EUR"), {"available": 100000})]
    )
    others: list[Document] = [many[1]]

    def interrupt(point: str) -> None:
        if point == "before MemoryRefundClaims.authorize" and others:
            authorize(others.pop())

    refunds = adapters.refund_claims()
    assert isinstance(refunds, MemoryRefundClaims)
    refunds.interrupt = interrupt
    answers = [authorize(many[0]), authorize(many[1])]
    assert sorted(each.body["authorized"] for each in answers) == [False, True]
    assert left(ledger) == (4000, 6000)


def test_an_authorization_expires_as_one_and_the_next_attempt_is_decided_anew(ledger):
    authorize(expires_in_seconds=60)
    now = ledger.now + timedelta(seconds=60)
    assert expire_blocks(now - timedelta(seconds=1), ledger.store) == 0
    assert moneys() == HELD
    assert expire_blocks(now, ledger.store) == 1
    assert moneys() == UNTOUCHED
    assert statuses(ledger) == {"expired"}
    assert left(ledger) == (10000, 0)
    answer = authorize(expires_in_seconds=60)
    assert (answer.status, answer.body["authorization"]["status"]) == (409, "expired")
    assert authorize(attempt=2).status == 201
    ledger.count(refund())
    assert moneys() == TAKEN


def test_one_that_cannot_be_ended_does_not_stop_the_others(ledger):
    for n, amount in enumerate(("1.00", "2.00", "3.00")):
        event = refund([("a", amount, None)], amount, external_reference=f"r {n}")
        assert authorize(event, expires_in_seconds=60).status == 201
    busy = authorize_key(ledger)
    ledger.store.conflicts = lambda writes: [n for n, each in enumerate(writes) if each.key == busy]
    assert expire_blocks(ledger.now + timedelta(hours=1), ledger.store) == 2
    ledger.store.conflicts = lambda _writes: ()
    assert expire_blocks(ledger.now + timedelta(hours=1), ledger.store) == 1
    assert moneys() == UNTOUCHED


def authorize_key(ledger: Ledger) -> ItemKey:
    return next(key for key in sorted(ledger.store.marks) if key.sk.startswith("ATTEMPT#"))


@pytest.mark.parametrize("n", [0, 1, 2])
def test_releasing_one_block_of_it_releases_all(ledger, n):
    made = authorize().body["blocks"][n]
    path = f"/blocks/{made['block_id']}/release"
    for _ in range(2):
        answer = post_as_system(path, merchant_id=made["merchant_id"])
        assert (answer.status, answer.body["status"]) == (200, "released")
    assert moneys() == UNTOUCHED
    assert statuses(ledger) == {"released"}
    assert left(ledger) == (10000, 0)
    assert authorize(attempt=2).status == 201


def test_a_refund_of_another_sale_than_was_said_gives_back_what_was_set_aside(ledger):
    authorize()
    ledger.count(refund(original_reference=None))
    assert moneys() == TAKEN
    assert left(ledger) == (10000, 0)


def test_a_later_attempt_is_not_ended_by_the_end_of_an_earlier_one(ledger):
    authorize(expires_in_seconds=60)
    due = ledger.store.due_authorizations
    found = [
        each for n in range(8) for each in due(f"AUTHORIZATIONS#{n}", ledger.now.replace(year=2027))
    ]
    expire_blocks(ledger.now + timedelta(minutes=2), ledger.store)
    authorize(attempt=2)
    ledger.store.due_authorizations = lambda partition, _now: (
        found if partition == "AUTHORIZATIONS#0" else []
    )
    assert expire_blocks(ledger.now + timedelta(minutes=3), ledger.store) == 0
    assert moneys() == HELD


def test_the_contexts_of_the_sale_s_date_say_whom_the_refund_debits(ledger):
    later = context_of(
        "b",
        merchant_id="m-c",
        balance_shops={"EUR": "bs-c-eur"},
        effective_from="2026-11-20T10:00:00Z",
    )
    ledger.directory.contexts[later.key] = [*ledger.directory.contexts[later.key], later]
    now = authorize()
    assert now.body["short"][0]["merchant_id"] == "m-c"
    dated = authorize(refund(original_date="2026-11-19T10:00:00Z"), attempt=2)
    assert [b["merchant_id"] for b in dated.body["blocks"]] == ["m-a", "m-b", "m-market"]


def test_only_the_merchant_that_the_refund_names_can_be_asked_for(ledger):
    answer = post_as_system("/refund-authorizations", asking(refund()), merchant_id="m-a")
    assert (answer.status, answer.body["code"]) == (422, "E_UNKNOWN_MERCHANT")


@pytest.mark.parametrize(
    ("more", "code", "field"),
    [
        ({"attempt": 0}, "E_SCHEMA", "attempt"),
        ({"attempt": 100}, "E_SCHEMA", "attempt"),
        ({"attempt": "1"}, "E_SCHEMA", "attempt"),
        ({"occurrence": 1}, "E_SCHEMA", "occurrence"),
        ({"amount": "29.00"}, "E_SPLIT_SUM", "splits"),
        ({"amount": "30.001"}, "E_SCALE", "amount"),
        ({"original_date": "2027-01-01T00:00:00Z"}, "E_DATE", "original_date"),
        ({"external_reference": " r"}, "E_ID", "external_reference"),
        ({"operation_date": "2026-11-20T10:00:00Z"}, "E_SCHEMA", "operation_date"),
        ({"splits": []}, "E_SCHEMA", "splits"),
    ],
)
def test_what_is_no_refund_is_refused_with_code_and_field(ledger, more, code, field):
    answer = authorize(**more)
    assert (answer.status, answer.body["code"]) == (422, code)
    assert answer.body["field"] == field


def test_the_story_of_a_refund_shows_the_merchant_s_own_blocks(ledger):
    authorize()
    ledger.count(refund())
    path = f"/operations/{operation_id_of(refund())}"
    for merchant_id, amount in (("m-a", "18.00"), ("m-b", "10.00"), ("m-market", "2.00")):
        [block] = get(path, merchant_id=merchant_id).body["blocks"]
        assert (block["amount"], block["status"]) == (amount, "settled")


FULL = marketplace([("a", "100.00", None)], "100.00")


@pytest.mark.parametrize(("fee", "held"), [(None, "10.00"), (fee_of(on="refund"), "10.10")])
def test_fees_on_refunds_are_set_aside_too(monkeypatch, fee, held):
    contexts = (context_of(fees=[] if fee is None else [fee]),)
    ledger = Ledger(contexts)
    ledger.directory.contexts[contexts[0].key] = [contexts[0]]
    ledger.directory.named |= merchants_of(contexts)
    ledger.serve(monkeypatch)
    ledger.count(confirmed(), traced(confirmed()))
    event = confirmed(type="refund", external_reference="r", amount="10.00")
    answer = post_as_system("/refund-authorizations", asking(event))
    assert [each["amount"] for each in answer.body["blocks"]] == [held]
    assert answer.body["sale"] is None
    ledger.count(event)
    assert money("m-5553")[1] == "0.00"
