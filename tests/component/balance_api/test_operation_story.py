"""One operation's story as the API answers with it."""

from typing import Any

import pytest

from falcon_balances.contracts.direct_operations import parse_direct_document
from falcon_balances.domain.blocks import BlockStatus, block_writes, ending_writes
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.identity import payout_operation_id, payout_return_id
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import payout_block
from tests.builders import (
    Document,
    claim_of,
    confirmed,
    context_of,
    marketplace,
    reconciled,
)
from tests.component.api_calls import MERCHANT, Answer, get
from tests.component.balance_api.listing import CONTEXTS, listed
from tests.component.ledger import (
    Ledger,
    adjustment,
    any_claim_of,
    id_of,
    payout,
    payout_return,
)
from tests.component.paying import Paying
from tests.component.paying import request as payout_request


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
