"""A refund authorization is the refund itself: blocked where it would debit, ended as one."""

import pytest

from falcon_balances.domain.merchant_context import merchants_of
from tests.builders import (
    confirmed,
    context_of,
    fee_of,
    marketplace,
    operation_id_of,
)
from tests.component.api_calls import get, post_as_system
from tests.component.authorizing import (
    CONTEXTS,
    HELD,
    SOLD,
    asking,
    authorize,
    blocks,
    left,
    money,
    moneys,
    refund,
    sold,
)
from tests.component.ledger import Ledger, any_claim_of
from tests.component.test_sales import traced


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    return sold(monkeypatch)


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
