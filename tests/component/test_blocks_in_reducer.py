"""A block and the operation it was made for: the money is taken once, whoever comes first."""

from dataclasses import replace

import pytest

from falcon_balances.adapters.authorizing import find_authorization
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.domain.authorizations import BlockName, Current
from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.payouts import payout_block
from falcon_balances.domain.refund_authorization import Seen, authorization_writes
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import BALANCES_TABLE
from lambdas.reducer.counting import ATTEMPTS
from lambdas.systems_api.blocking import request_block
from tests.builders import (
    confirmed,
    data_of,
    record_of,
)
from tests.component.conftest import no_wait
from tests.component.counting_blocks import (
    ATTEMPT,
    BALANCE,
    NOW,
    REFUND,
    REFUND_ID,
    REFUND_MARK,
    REQUEST,
    Counting,
    authorization,
    refund,
    traced_refund,
    withdrawal,
)
from tests.component.lambda_events import ARRIVED_AT
from tests.component.world import utc


@pytest.fixture
def counting() -> Counting:
    return Counting()


def test_a_refund_settles_the_block_that_was_made_for_it(counting):
    counting.request(authorization())
    assert counting.money() == (8500, 1500)
    counting.reduce(refund(authorization()))
    assert counting.money() == (8500, 0)
    ended = counting.block(authorization())
    assert (ended.status, ended.ended_at, ended.ended_by) == (
        BlockStatus.SETTLED,
        ARRIVED_AT,
        REFUND_MARK,
    )
    attempt = find_authorization(ATTEMPT.key, counting.store)
    assert attempt is not None
    assert (attempt.status, attempt.ended_by) == (BlockStatus.SETTLED, REFUND_MARK)


@pytest.mark.parametrize("blocked", [4000, 1500, 500, 10000])
def test_what_the_refund_did_not_need_is_released_with_it(counting, blocked):
    block = authorization(blocked)
    counting.request(block)
    counting.reduce(refund(block))
    assert counting.money() == (8500, 0)


def test_a_repeated_refund_changes_nothing(counting):
    block = authorization(4000)
    counting.request(block)
    counting.reduce(refund(block), refund(block))
    ended, counters = counting.block(block), dict(counting.store.counters)
    counting.reduce(refund(block))
    counting.reduce(refund(block), at=utc("2026-11-20T11:00:00"))
    assert counting.block(block) == ended
    assert counting.store.counters == counters
    assert counting.quarantine.bodies == {}


def test_a_refund_without_an_authorization_counts(counting):
    counting.reduce(data_of(record_of(REFUND)))
    assert counting.money() == (8500, 0)


@pytest.mark.parametrize("status", [BlockStatus.RELEASED, BlockStatus.EXPIRED])
def test_a_block_that_ends_between_reading_and_counting_gives_back_once(counting, status):
    block = authorization()
    counting.request(block)
    counting.before_transaction(lambda: counting.end(status))
    counting.reduce(refund(block))
    assert counting.block(block).status is status
    assert counting.money() == (8500, 0)


@pytest.mark.parametrize("status", [BlockStatus.RELEASED, BlockStatus.EXPIRED])
def test_a_refund_after_its_block_has_ended_counts_all_the_same(counting, status):
    block = authorization()
    counting.request(block)
    counting.end(status)
    before = counting.block(block)
    counting.reduce(refund(block))
    assert counting.block(block) == before
    assert counting.money() == (8500, 0)


def test_what_races_without_end_gives_the_batch_back_uncounted(counting):
    """Each time another got in."""
    block = authorization()
    standing = ItemKey(BALANCE.pk, f"STANDING#{REFUND_ID}")

    def move() -> None:
        there = counting.store.marks.setdefault(standing, dict(STANDING))
        there["version"] = int(there["version"]) + 1

    counting.before_transaction(move, times=99)
    with pytest.raises(TransientError, match="1 of the segments were not counted"):
        counting.reduce(refund(block))
    assert counting.passed.count("before MemoryBalanceStore.transact") == ATTEMPTS
    assert ItemKey(BALANCE.pk, REFUND_MARK) not in counting.store.marks


STANDING = {
    "version": 1,
    "operation_date": "2026-11-20T10:15:30Z",
    "psp_id": "payu-ro",
    "external_reference": "refund-1",
    "operation_type": "refund",
    "confirmed": "",
    "reconciled": "",
}


def test_a_block_on_another_balance_is_given_back_there(counting):
    """The context changed between the authorization and the refund."""
    before = ItemKey(BALANCE.pk, "BALANCE#bs-before#EUR")
    counting.store.transact([AddCounters(before, {"available": 5000})])
    block = authorization(balance_shop_id="bs-before")
    counting.request(block)
    assert counting.store.counters[before] == {"available": 3500, "blocked": 1500}
    counting.reduce(refund(block))
    assert counting.store.counters[before] == {"available": 5000, "blocked": 0}
    assert counting.money() == (8500, 0)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("order", [(refund, traced_refund), (traced_refund, refund)])
def test_whichever_stage_of_a_refund_comes_first_ends_its_block(counting, order, together):
    counting.request(authorization())
    first, second = (make(authorization()) for make in order)
    counting.reduce(*([first, second] if together else [first]))
    assert counting.block(authorization()).status is BlockStatus.SETTLED
    assert counting.money() == (8500, 0)
    counting.reduce(second)
    assert counting.money() == (8500, 0)


class DiedError(Exception):
    """The reducer's process has ended."""


@pytest.mark.parametrize("call", range(12))
def test_a_block_on_another_balance_is_given_back_wherever_the_reducer_died(counting, call):
    """The operation is counted in one transaction, the block ends in another one."""
    before = ItemKey(BALANCE.pk, "BALANCE#bs-before#EUR")
    counting.store.transact([AddCounters(before, {"available": 5000})])
    block = authorization(balance_shop_id="bs-before")
    counting.request(block)

    def die(point: str) -> None:
        counting.passed.append(point)
        if len(counting.passed) == call + 1:
            raise DiedError

    counting.store.interrupt = die
    with pytest.raises(DiedError):
        counting.reduce(refund(block))
    counting.store.interrupt = lambda _point: None
    counting.reduce(refund(block))
    assert counting.store.counters[before] == {"available": 5000, "blocked": 0}
    assert counting.money() == (8500, 0)
    attempt = find_authorization(ATTEMPT.key, counting.store)
    assert attempt is not None
    assert attempt.status is BlockStatus.SETTLED


def test_blocks_windows_and_days_do_not_mix(counting):
    block = authorization(4000)
    counting.request(block)
    counting.reduce(refund(block))
    for key, counters in counting.store.counters.items():
        if not key.sk.startswith("BALANCE#"):
            assert "blocked" not in counters
            assert counters.get("available", -1500) == -1500


def test_a_withdrawal_settles_its_payout_s_block_and_only_once(counting):
    block = payout_block(REQUEST, 7000, NOW)
    counting.request(block)
    assert counting.money() == (3000, 7000)
    for _ in range(2):
        counting.reduce(withdrawal(7000))
        assert counting.money() == (3000, 0)
    assert counting.store.counters[BALANCE]["withdrawn"] == 7000
    ended = counting.block(block)
    assert ended.status is BlockStatus.SETTLED
    assert ended.ended_by == f"OPERATION#{block.block_id}#payout"


def test_a_withdrawal_without_a_block_counts_as_a_fact(counting):
    counting.reduce(withdrawal(7000))
    assert counting.money() == (3000, 0)


def test_on_dynamodb_too(aws):
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.transact([AddCounters(BALANCE, {"available": 10000})])
    payout, block = payout_block(REQUEST, 7000, NOW), authorization(2000)
    made = replace(ATTEMPT, blocks=(BlockName(block.merchant_id, block.block_id),))
    assert request_block(payout, store, wait=no_wait) == payout
    assert not store.transact(authorization_writes(made, [block], Seen(Current()), {}))
    unblocked = confirmed(type="refund", external_reference="refund-2", amount="1.00")
    batch = refund(block), withdrawal(7000), data_of(record_of(unblocked))
    for _ in range(2):
        aws.reduce(*batch)
    counters = aws.balance()
    assert (counters["available"], counters["blocked"]) == (10000 - 1500 - 7000 - 100, 0)
    blocks = aws.items("BLOCK")
    assert {block["status"] for block in blocks.values()} == {"settled"}
    assert not any("expiring" in block for block in blocks.values())
    attempt = find_authorization(ATTEMPT.key, store)
    assert attempt is not None
    assert attempt.status is BlockStatus.SETTLED
    assert aws.quarantined() == []
