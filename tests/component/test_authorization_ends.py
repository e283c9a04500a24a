"""An authorization ends as one: with its refund, by release or by time."""

from datetime import timedelta

import pytest

from lambdas.expirer.handler import expire_blocks
from tests.component.api_calls import post_as_system
from tests.component.authorizing import (
    CONTEXTS,
    HELD,
    TAKEN,
    UNTOUCHED,
    authorize,
    authorize_key,
    left,
    money,
    moneys,
    refund,
    sold,
    statuses,
)
from tests.component.ledger import Ledger, any_claim_of
from tests.component.test_sales import traced


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    return sold(monkeypatch)


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
