"""Claims of returns: added to what came back of their payout, in memory and in DynamoDB."""

from typing import Any

import pytest
from botocore.stub import Stubber

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import TryAgain
from falcon_balances.domain.operations import Stage
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from tests.component.ports.claimed_payouts import (
    CLAIM,
    ID,
    STEPS,
    back,
    come_back,
    failed,
    return_of,
)


@pytest.fixture
def paid(paying):
    for source, target in STEPS:
        paying.move(ID, source, target)
    return paying


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
