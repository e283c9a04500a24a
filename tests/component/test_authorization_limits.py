"""What is authorized never exceeds the balances, nor what is left of the sale."""

import pytest

from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.storage import MemoryRefundClaims
from lambdas.systems_api import adapters
from tests.builders import (
    Document,
    confirmed,
    marketplace,
)
from tests.component.authorizing import HELD, LOSS, authorize, blocks, left, moneys, refund, sold
from tests.component.ledger import Ledger
from tests.component.test_sales import traced


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    return sold(monkeypatch)


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
