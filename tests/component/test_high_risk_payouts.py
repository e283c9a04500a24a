"""Payouts of merchants of high risk while the log is ahead of the balance: nothing counts twice."""

from datetime import timedelta

import pytest

from falcon_balances.adapters.logged_money import logged_money
from falcon_balances.adapters.ports import LogObject
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose, block_writes, ending_writes
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.merchant_context import ContextKey, Merchant
from tests.builders import Document, confirmed, context_of
from tests.component.ledger import any_claim_of
from tests.component.paying import BALANCE, NOW, Paying, request


@pytest.fixture
def paying() -> Paying:
    """100.00 in the balance and in the log, and the log is read as it is."""
    paying = Paying()
    risky = frozenset({ContextKey("payu-ro", "1", "shop-1")})
    paying.directory.named = {"m-1": Merchant(frozenset({("bs-1", "EUR")}), risky)}
    paying.read_log = lambda block: logged_money(block, paying.store, paying.log)
    log(paying, adjustment("100.00"))
    paying.store.counters[BALANCE]["operations_count"] = 1
    return paying


def adjustment(amount: str) -> Document:
    return request(
        payout_id=None,
        requested_at=None,
        adjustment_id=f"a-{amount}",
        direction="credit",
        amount=amount,
        adjusted_at="2026-11-20T10:00:00Z",
        reason_code="start",
        reason="start",
        requested_by="anna",
    )


def log(paying: Paying, document: Document) -> str:
    """In the log and not counted; its falcon_operation_id."""
    claim = any_claim_of(document, context_of(merchant_id="m-1", balance_shops={"EUR": "bs-1"}))
    for segment in claim.segments:
        logged = LogObject(claim.body_of(segment).encode(), claim.log_metadata(segment))
        paying.log.append(segment.log_key, logged)
    return claim.falcon_operation_id


def test_a_second_payout_finds_what_the_first_left_while_that_is_not_counted(paying):
    [first] = paying.run(request(amount="50.00"))
    [second] = paying.run(request(amount="50.00", payout_id="payout-2"))
    [third] = paying.run(request(amount="0.01", payout_id="payout-3"))
    assert (first.outcome, second.outcome) == ("accepted", "accepted")
    assert (third.outcome, third.available) == ("refused", "0.00")
    assert paying.count() == {"available": 0, "blocked": 0, "withdrawn": 10000}


def test_a_payout_that_is_decided_and_not_logged_is_taken_off_once(paying):
    paying.decide(request(amount="50.00"))
    [second] = paying.run(request(amount="50.01", payout_id="payout-2"))
    assert (second.outcome, second.available) == ("refused", "50.00")
    assert paying.run(request(amount="50.00", payout_id="payout-3"))[0].outcome == "accepted"


def test_what_the_log_lacks_is_refused_beside_a_payout_that_is_not_counted_yet(paying):
    paying.give(5000)
    paying.run(request(amount="50.00"))
    [second] = paying.run(request(amount="50.01", payout_id="payout-2"))
    assert (second.outcome, second.available) == ("refused", "50.00")


def test_beside_a_refund_that_is_logged_and_not_counted_nothing_is_refused_for_good(paying):
    """Its block may be released before it is counted, so what is left is asked again."""
    refund = confirmed(type="refund", external_reference="r-1", amount="50.00")
    block = Block(
        block_id=log(paying, refund),
        merchant_id="m-1",
        balance_shop_id="bs-1",
        currency="EUR",
        amount=5000,
        purpose=Purpose.REFUND,
        reference="r-1",
        requested_by="anna",
        created_at=NOW,
        expiry=NOW + timedelta(hours=1),
    )
    assert not paying.store.apply(block_writes(block))
    with pytest.raises(TransientError):
        paying.run(request(amount="50.00"))
    assert paying.state() is None
    paying.store.apply(ending_writes(block, BlockStatus.RELEASED, NOW, "anna"))
    [outcome] = paying.run(request(amount="60.00", payout_id="payout-2"))
    assert (outcome.outcome, outcome.available) == ("refused", "50.00")
    assert paying.run(request(amount="50.00"))[0].outcome == "accepted"
