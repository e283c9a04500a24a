"""Payouts' claims, in memory and in DynamoDB: claim, block and balance at once or not at all."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import ConditionFailed, TryAgain
from falcon_balances.domain.blocks import Block, BlockStatus, block_writes
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import giving_up
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from tests.builders import claim_of
from tests.component.ports.claimed_payouts import (
    BALANCE,
    BLOCK,
    CLAIM,
    GAVE,
    GIVING_UP,
    HAD,
    ID,
    NOW,
    STEPS,
    back,
    decided,
    failed,
    give,
    requested,
)


def test_claim_block_and_balance_are_written_together(paying, store):
    assert paying.find(ID, Stage.PAYOUT) == CLAIM
    assert store.port.blocks([BLOCK.key]) == {BLOCK.key: BLOCK}
    assert store.read(BALANCE) == GAVE


@pytest.mark.parametrize("available", [4000, 4001])
def test_exactly_what_there_is_can_be_decided(payouts, store, available):
    give(store, available=available)
    assert payouts.decide(CLAIM, block_writes(BLOCK)) is None
    assert store.read(BALANCE) == {"available": available - 4000, "blocked": 4000}


def test_the_claim_that_is_there_wins_and_is_answered_as_it_is_now(paying, store):
    other, block = decided(requested(amount="1.00"))
    assert paying.decide(other, block_writes(block)) == CLAIM
    paying.move(ID, PayoutState.DECIDED, PayoutState.LOGGING)
    now = CLAIM.model_copy(update={"state": "logging"})
    assert paying.decide(CLAIM, block_writes(BLOCK)) == now
    assert paying.find(ID, Stage.PAYOUT) == now
    assert store.port.blocks([BLOCK.key]) == {BLOCK.key: BLOCK}
    assert store.read(BALANCE) == GAVE


def test_a_refusal_that_is_there_wins_however_much_there_is_now(payouts, store):
    refused = CLAIM.model_copy(update={"state": "refused", "segments": (), "available": "39.99"})
    assert payouts.claim(refused) is None
    give(store)
    assert payouts.decide(CLAIM, block_writes(BLOCK)) == refused
    assert payouts.find(ID, Stage.PAYOUT) == refused
    assert store.read(BLOCK.key) is None
    assert store.read(BALANCE) == HAD


@pytest.mark.parametrize("available", [3999, 0, -1])
def test_not_enough_is_answered_with_what_there_is_and_nothing_is_written(
    payouts, store, available
):
    there = {"available": available, "blocked": 700, "operations_count": 3}
    give(store, **there)
    outcomes = payouts.decide(CLAIM, block_writes(BLOCK))
    assert failed(outcomes) == [False, True]
    assert {name: outcomes[1].attributes[name] for name in there} == there
    assert payouts.find(ID, Stage.PAYOUT) is None
    assert store.read(BLOCK.key) is None
    assert store.read(BALANCE) == there


def test_where_nothing_was_ever_counted_nothing_is_decided(payouts, store):
    outcomes = payouts.decide(CLAIM, block_writes(BLOCK))
    assert failed(outcomes) == [False, True]
    assert "available" not in outcomes[1].attributes
    assert payouts.find(ID, Stage.PAYOUT) is None
    assert store.read(BLOCK.key) is store.read(BALANCE) is None


def test_a_block_without_a_claim_is_answered_and_neither_taken_nor_claimed(payouts, store):
    give(store)
    store.port.transact(block_writes(BLOCK))
    outcomes = payouts.decide(CLAIM, block_writes(BLOCK))
    assert failed(outcomes) == [True, False]
    assert Block.from_attributes(BLOCK.key, outcomes[0].attributes) == BLOCK
    assert payouts.find(ID, Stage.PAYOUT) is None
    assert store.read(BALANCE) == GAVE


def test_payouts_of_one_balance_take_one_after_the_other_what_is_left(payouts, store):
    give(store)
    answers = []
    for n in range(4):
        claim, block = decided(requested(f"payout-{n}"))
        answers.append(payouts.decide(claim, block_writes(block)))
    assert answers[:2] == [None, None]
    assert [failed(outcomes) for outcomes in answers[2:]] == [[False, True]] * 2
    assert store.read(BALANCE) == {"available": 2000, "confirmed": 10000, "blocked": 8000}


def test_claims_of_other_stages_lie_beside_those_of_payouts(paying, claims):
    of_psp = claim_of()
    assert paying.claim(of_psp) is None
    assert claims.find(of_psp.falcon_operation_id, of_psp.stage) == of_psp
    assert claims.find(ID, Stage.PAYOUT) == CLAIM


def test_a_payout_moves_on_from_state_to_state_and_stays_what_it_is(paying, store):
    for source, target in STEPS:
        assert not paying.move(ID, source, target)
        assert paying.find(ID, Stage.PAYOUT) == CLAIM.model_copy(update={"state": target})
    assert store.read(BALANCE) == GAVE


@pytest.mark.parametrize("source", ["logging", "paid", "given_up", "refused"])
def test_from_another_state_it_does_not_move_and_its_state_is_named(paying, source):
    assert list(paying.move(ID, source, "paid")) == [ConditionFailed({"state": "decided"})]
    assert paying.find(ID, Stage.PAYOUT) == CLAIM


def test_a_step_that_was_made_already_is_answered_with_where_the_payout_is(paying):
    for source, target in STEPS:
        paying.move(ID, source, target)
    for source, target in STEPS:
        assert list(paying.move(ID, source, target)) == [ConditionFailed({"state": "paid"})]
    assert paying.find(ID, Stage.PAYOUT).state == "paid"


def test_giving_up_moves_the_state_and_gives_the_money_back_together(paying, store):
    assert not paying.move(ID, "decided", "given_up", GIVING_UP)
    assert paying.find(ID, Stage.PAYOUT).state == "given_up"
    assert store.port.blocks([BLOCK.key])[BLOCK.key].status is BlockStatus.RELEASED
    assert store.read(BALANCE) == HAD | {"blocked": 0}


@pytest.mark.parametrize("state", ["logging", "paid"])
def test_from_another_state_nothing_is_given_back(paying, store, state):
    for source, target in STEPS[: 1 if state == "logging" else 2]:
        paying.move(ID, source, target)
    outcomes = paying.move(ID, "decided", "given_up", GIVING_UP)
    assert list(outcomes) == [ConditionFailed({"state": state}), None, None]
    assert paying.find(ID, Stage.PAYOUT).state == state
    assert store.port.blocks([BLOCK.key]) == {BLOCK.key: BLOCK}
    assert store.read(BALANCE) == GAVE


def test_where_its_writes_fail_the_state_stays(paying, store):
    store.port.transact(giving_up(BLOCK, NOW, "ben"))
    released = store.read(BLOCK.key)
    outcomes = paying.move(ID, "decided", "given_up", GIVING_UP)
    assert failed(outcomes) == [False, True, False]
    assert outcomes[1].attributes["ended_by"] == "ben"
    assert paying.find(ID, Stage.PAYOUT) == CLAIM
    assert store.read(BLOCK.key) == released
    assert store.read(BALANCE) == HAD | {"blocked": 0}


def test_what_was_never_claimed_cannot_move_and_has_no_state(payouts, store):
    give(store)
    gain = AddCounters(BALANCE, {"available": 1})
    outcomes = payouts.move(ID, "decided", "logging", [gain])
    assert list(outcomes) == [ConditionFailed({}), None]
    assert payouts.find(ID, Stage.PAYOUT) is None
    assert store.read(BALANCE) == HAD


def test_a_claim_that_has_no_state_cannot_move(payouts):
    stateless = CLAIM.model_copy(update={"state": None})
    payouts.claim(stateless)
    assert list(payouts.move(ID, "decided", "logging")) == [ConditionFailed({})]
    assert payouts.find(ID, Stage.PAYOUT) == stateless


CALLS: dict[str, Callable[[DynamoPayoutClaims], Any]] = {
    "decide": lambda claims: claims.decide(CLAIM, block_writes(BLOCK)),
    "move": lambda claims: claims.move(ID, "decided", "given_up", GIVING_UP),
    "claim_return": lambda claims: back(claims, 1),
}


def with_answer(name: str, code: str, *reasons: str) -> Any:
    """What a call answers to a DynamoDB that refuses the transaction."""
    aws = client("dynamodb")
    with Stubber(aws) as stubber:
        said = {"CancellationReasons": [{"Code": reason} for reason in reasons]}
        stubber.add_client_error(
            "transact_write_items", code, "secret", modeled_fields=said if reasons else None
        )
        return CALLS[name](DynamoPayoutClaims(aws, CLAIMS_TABLE, BALANCES_TABLE))


@pytest.mark.parametrize(
    "reason", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_who_meets_others_is_told_where_to_try_again(reason):
    cancelled = "TransactionCanceledException"
    assert with_answer("decide", cancelled, reason, "None", "None") == [None, None]
    assert with_answer("decide", cancelled, "None", "None", reason) == [None, TryAgain()]
    assert with_answer("move", cancelled, reason, "None", "None") == [TryAgain(), None, None]
    assert with_answer("move", cancelled, "None", reason, "None") == [None, TryAgain(), None]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("TransactionCanceledException", ["None", "None", "ValidationError"]),
        ("ProvisionedThroughputExceededException", []),
        ("AccessDeniedException", []),
    ],
)
def test_whatever_else_dynamodb_refuses_is_transient(name, code, reasons):
    with pytest.raises(TransientError) as raised:
        with_answer(name, code, *reasons)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_that_never_came_is_transient(name):
    def never_answer(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="https://secret")

    aws = client("dynamodb")
    aws.meta.events.register("before-call.*.TransactWriteItems", never_answer)
    try:
        with pytest.raises(
            TransientError, match=r"^payout [0-9a-f-]{36}: ReadTimeoutError"
        ) as raised:
            CALLS[name](DynamoPayoutClaims(aws, CLAIMS_TABLE, BALANCES_TABLE))
    finally:
        aws.meta.events.unregister("before-call.*.TransactWriteItems", never_answer)
    assert "secret" not in str(raised.value)
