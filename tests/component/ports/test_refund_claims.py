"""Authorizations beside the claims, in memory and in DynamoDB: only while no stage is claimed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.ports import ConditionFailed, RefundClaims
from falcon_balances.adapters.refund_claims import DynamoRefundClaims
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, Drop, PutMark
from falcon_balances.fakes.storage import MemoryRefundClaims
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from tests.builders import claim_of, confirmed, operation_id_of, reconciled

REFUND = confirmed(type="refund", external_reference="r-1")
ID = operation_id_of(REFUND)
ATTEMPT = ItemKey(f"REFUND#{ID}", "ATTEMPT#01")
BALANCE = ItemKey("MERCHANT#m-1", "BALANCE#bs-1#EUR")
WRITES = [
    PutMark(ATTEMPT, {"status": "active"}),
    AddCounters(BALANCE, {"available": -40, "blocked": 40}, available_min=40),
]


@dataclass(frozen=True, slots=True)
class Refunds:
    port: RefundClaims
    store: Any
    claims: Any

    def items(self) -> Mapping[ItemKey, Mapping[str, str | int]]:
        found: Mapping[ItemKey, Mapping[str, str | int]] = self.store.items([ATTEMPT, BALANCE])
        return found


@pytest.fixture
def refunds(world, store, claims) -> Refunds:
    assert not store.port.transact([AddCounters(BALANCE, {"available": 100})])
    port: RefundClaims = (
        DynamoRefundClaims(client("dynamodb"), CLAIMS_TABLE, BALANCES_TABLE)
        if world
        else MemoryRefundClaims(claims, store.port)
    )
    return Refunds(port, store.port, claims)


UNTOUCHED = {BALANCE: {"available": 100}}
HELD = {ATTEMPT: {"status": "active"}, BALANCE: {"available": 60, "blocked": 40}}


def test_what_is_claimed_in_no_stage_is_granted_with_all_its_writes(refunds):
    assert refunds.port.authorize(ID, WRITES) == ()
    assert refunds.items() == HELD


@pytest.mark.parametrize("stage", [REFUND, reconciled(**REFUND)], ids=["confirmed", "reconciled"])
def test_what_is_claimed_in_either_stage_is_not_granted_at_all(refunds, stage):
    refunds.claims.claim(claim_of(stage))
    assert refunds.port.authorize(ID, WRITES) is None
    assert refunds.items() == UNTOUCHED


def test_another_refund_s_claim_is_none_of_it(refunds):
    refunds.claims.claim(claim_of(REFUND | {"occurrence": 2}))
    assert refunds.port.authorize(ID, WRITES) == ()


def test_a_claim_comes_before_what_else_would_refuse_it(refunds):
    refunds.claims.claim(claim_of(REFUND))
    too_much = AddCounters(BALANCE, {"available": -101}, available_min=101)
    assert refunds.port.authorize(ID, [too_much]) is None


def test_what_is_refused_has_an_outcome_for_each_write_and_changes_nothing(refunds):
    too_much = AddCounters(BALANCE, {"available": -101}, available_min=101)
    outcomes = refunds.port.authorize(ID, [*WRITES[:1], too_much])
    assert outcomes is not None
    assert [isinstance(each, ConditionFailed) for each in outcomes] == [False, True]
    assert outcomes[1].attributes["available"] == 100
    assert refunds.items() == UNTOUCHED


def test_the_same_attempt_is_granted_once(refunds):
    assert refunds.port.authorize(ID, WRITES) == ()
    outcomes = refunds.port.authorize(ID, [*WRITES, Drop(ItemKey("MERCHANT#m-1", "X"))])
    assert outcomes is not None
    assert [isinstance(each, ConditionFailed) for each in outcomes] == [True, False, False]
    assert outcomes[0].attributes["status"] == "active"
    assert refunds.items() == HELD
