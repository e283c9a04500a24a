"""Payouts' claims, in memory and in DynamoDB: claim, block and balance at once or not at all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import ConditionFailed, PayoutClaims, TryAgain
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.blocks import Block, BlockStatus, block_writes
from falcon_balances.domain.direct_operations import PayoutRequest, PayoutReturn
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import giving_up, payout_block, withdrawal_of
from falcon_balances.domain.splitting import split_direct
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import MemoryEventClaims, MemoryPayoutClaims
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from tests.builders import RECEIVED_AT, claim_of
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
LATER = NOW + timedelta(hours=1)
MERCHANT = Merchant(frozenset({("bs-1", "EUR")}))
BALANCE = ItemKey("MERCHANT#m-1", "BALANCE#bs-1#EUR")
HAD = {"available": 10000, "confirmed": 10000}
GAVE = {"available": 6000, "confirmed": 10000, "blocked": 4000}


def requested(payout_id: str = "payout-1", amount: str = "40.00") -> PayoutRequest:
    document = {
        "schema_version": "1",
        "payout_id": payout_id,
        "merchant_id": "m-1",
        "balance_shop_id": "bs-1",
        "amount": amount,
        "currency": "EUR",
        "requested_at": "2026-11-20T10:15:00Z",
    }
    parsed = parse_document(document, Stage.PAYOUT)
    assert isinstance(parsed, PayoutRequest)
    return parsed


RETURNED: Final = {
    "schema_version": "1",
    "type": "return",
    "payout_id": "payout-1",
    "merchant_id": "m-1",
    "balance_shop_id": "bs-1",
    "currency": "EUR",
    "returned_at": "2026-11-21T10:15:00Z",
    "bank_reference": "bank-1",
}


def return_of(minor: int, return_id: str | None) -> ClaimV1:
    named = {} if return_id is None else {"return_id": return_id}
    document = RETURNED | named | {"amount": f"{minor // 100}.{minor % 100:02d}"}
    operation = parse_document(document, Stage.PAYOUT)
    assert isinstance(operation, PayoutReturn)
    return ClaimV1.of(operation, RECEIVED_AT, split_direct(operation, MERCHANT))


def decided(request: PayoutRequest) -> tuple[ClaimV1, Block]:
    event = withdrawal_of(request, request.amount.minor)
    claim = ClaimV1.of(request, RECEIVED_AT, event, PayoutState.DECIDED)
    return claim, payout_block(request, request.amount.minor, NOW)


CLAIM, BLOCK = decided(requested())
ID = CLAIM.falcon_operation_id
GIVING_UP = giving_up(BLOCK, LATER, "anna")


@pytest.fixture
def payouts(world, claims, store) -> PayoutClaims:
    """Over the same claims and balances as the ports of the other fixtures."""
    if world:
        return DynamoPayoutClaims(client("dynamodb"), CLAIMS_TABLE, BALANCES_TABLE)
    assert isinstance(claims, MemoryEventClaims)
    assert isinstance(store.port, MemoryBalanceStore)
    return MemoryPayoutClaims(claims, store.port)


@pytest.fixture
def paying(payouts, store):
    """Of 100.00, 40.00 are decided to be paid out."""
    give(store)
    assert payouts.decide(CLAIM, block_writes(BLOCK)) is None
    return payouts


def give(store, **counters: int) -> None:
    assert not store.port.transact([AddCounters(BALANCE, counters or HAD)])


def failed(outcomes) -> list[bool]:
    return [isinstance(outcome, ConditionFailed) for outcome in outcomes]


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


STEPS = [("decided", "logging"), ("logging", "paid")]


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


PAID = 4000


@pytest.fixture
def paid(paying):
    for source, target in STEPS:
        paying.move(ID, source, target)
    return paying


def back(payouts: PayoutClaims, minor: int, return_id: str | None = None) -> Any:
    return payouts.claim_return(return_of(minor, return_id), ID, minor, PAID)


def come_back(payouts: PayoutClaims) -> tuple[int | None, int]:
    claim = payouts.find(ID, Stage.PAYOUT)
    assert claim is not None
    return claim.returned, len(claim.returned_by)


def test_a_return_is_claimed_and_added_to_its_payout_together(paid):
    assert back(paid, 1500) is None
    assert back(paid, 2500, "r-2") is None
    first, second = return_of(1500, None), return_of(2500, "r-2")
    ids = (first.falcon_operation_id, second.falcon_operation_id)
    now = {"state": "paid", "returned": 4000, "returned_by": ids}
    assert paid.find(ID, Stage.PAYOUT) == CLAIM.model_copy(update=now)
    assert paid.find(ids[1], Stage.PAYOUT) == second


@pytest.mark.parametrize("second", [1500, 1, 4001])
def test_a_return_that_is_there_is_answered_and_nothing_is_added(paid, second):
    back(paid, 1500)
    back(paid, 2500, "r-2")
    assert back(paid, second) == return_of(1500, None)
    assert come_back(paid) == (4000, 2)


@pytest.mark.parametrize(("first", "second"), [(4000, 1), (1, 4000), (2001, 2000), (0, 4001)])
def test_what_would_be_more_than_was_paid_is_neither_claimed_nor_added(paid, first, second):
    if first:
        back(paid, first)
    assert failed([back(paid, second, "r-2")]) == [True]
    assert paid.find(return_of(second, "r-2").falcon_operation_id, Stage.PAYOUT) is None
    assert come_back(paid) == (first, bool(first))


@pytest.mark.parametrize("steps", [0, 1], ids=["decided", "logging"])
def test_what_is_not_paid_cannot_come_back(paying, steps):
    for source, target in STEPS[:steps]:
        paying.move(ID, source, target)
    assert failed([back(paying, 1)]) == [True]
    assert come_back(paying) == (0, 0)


def test_of_a_payout_that_is_not_there_nothing_comes_back(payouts):
    assert failed([back(payouts, 1)]) == [True]


def with_return_answer(*reasons: str) -> Any:
    aws = client("dynamodb")
    with Stubber(aws) as stubber:
        said = {"CancellationReasons": [{"Code": reason} for reason in reasons]}
        code = "TransactionCanceledException"
        stubber.add_client_error("transact_write_items", code, modeled_fields=said)
        return back(DynamoPayoutClaims(aws, CLAIMS_TABLE, BALANCES_TABLE), 1)


@pytest.mark.parametrize(
    "reasons",
    [
        ("TransactionConflict", "None"),
        ("None", "TransactionConflict"),
        # The same return, a moment earlier: it may be what has used up what was left.
        ("TransactionConflict", "ConditionalCheckFailed"),
    ],
)
def test_a_return_that_meets_others_is_told_to_try_again(reasons):
    assert with_return_answer(*reasons) == TryAgain()


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
