"""The expirer: what was set aside comes back at its time, not before, and once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    Purpose,
    block_writes,
    ending_writes,
    manual_block_id,
)
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from inprocess.aws import BALANCES_TABLE
from lambdas.expirer import handler as expirer
from lambdas.expirer.handler import expire_blocks
from tests.component.lambda_events import lambda_context
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
DUE = NOW + timedelta(hours=1)
SECOND = timedelta(seconds=1)
BALANCE = ItemKey("MERCHANT#m-5553", "BALANCE#bs-5553-eur#EUR")


def block(key: str = "key", expiry=DUE) -> Block:
    return Block(
        block_id=manual_block_id("m-5553", key),
        merchant_id="m-5553",
        balance_shop_id="bs-5553-eur",
        currency="EUR",
        amount=1500,
        purpose=Purpose.MANUAL,
        reference="dispute-1",
        requested_by="anna",
        created_at=NOW,
        expiry=expiry,
    )


BLOCK = block()


@pytest.fixture
def store():
    fake = MemoryBalanceStore()
    fake.transact([AddCounters(BALANCE, {"available": 10**6})])
    fake.transact(block_writes(BLOCK))
    return fake


def money(store: MemoryBalanceStore) -> tuple[int, int]:
    return store.counters[BALANCE]["available"], store.counters[BALANCE]["blocked"]


def test_nothing_expires_before_its_time(store):
    assert expire_blocks(DUE - SECOND, store) == 0
    assert store.blocks([BLOCK.key])[BLOCK.key] == BLOCK
    assert money(store) == (10**6 - 1500, 1500)


@pytest.mark.parametrize("late", [timedelta(0), SECOND, timedelta(days=400)], ids=str)
def test_at_its_time_or_later_it_expires_once(store, late):
    assert [expire_blocks(DUE + late, store) for _ in range(3)] == [1, 0, 0]
    assert store.blocks([BLOCK.key])[BLOCK.key] == replace(
        BLOCK, status=BlockStatus.EXPIRED, ended_at=DUE + late, ended_by="expirer"
    )
    assert money(store) == (10**6, 0)


def test_what_has_no_expiry_stays_for_ever(store):
    unending = block("unending", expiry=None)
    store.transact(block_writes(unending))
    assert expire_blocks(DUE + timedelta(days=4000), store) == 1
    assert store.blocks([unending.key])[unending.key] == unending


def test_all_that_is_due_expires_and_nothing_else(store):
    for n in range(40):
        store.transact(block_writes(block(f"due-{n}", DUE - n * SECOND)))
        store.transact(block_writes(block(f"not-due-{n}", DUE + (n + 1) * SECOND)))
    assert expire_blocks(DUE, store) == 41
    assert money(store) == (10**6 - 40 * 1500, 40 * 1500)


@pytest.mark.parametrize("status", [BlockStatus.SETTLED, BlockStatus.RELEASED])
def test_a_block_that_ended_after_it_was_found_is_left_as_it_is(store, status):
    def end_it_first(point: str) -> None:
        if point == "before MemoryBalanceStore.transact":
            store.interrupt = lambda _point: None
            assert not store.apply(ending_writes(BLOCK, status, DUE, "another"))

    store.interrupt = end_it_first
    assert expire_blocks(DUE, store) == 0
    ended = store.blocks([BLOCK.key])[BLOCK.key]
    assert (ended.status, ended.ended_by) == (status, "another")
    assert money(store) == (10**6, 0)


def test_two_expirers_at_once_give_back_once(store):
    def other_expirer(point: str) -> None:
        if point == "before MemoryBalanceStore.transact":
            store.interrupt = lambda _point: None
            assert expire_blocks(DUE, store) == 1

    store.interrupt = other_expirer
    assert expire_blocks(DUE, store) == 0
    assert money(store) == (10**6, 0)


def test_one_that_meets_another_write_is_the_next_minute_s(store):
    store.transact(block_writes(block("other")))
    conflicts = [(0,), ()]
    store.conflicts = lambda _writes: conflicts.pop() if conflicts else ()
    assert [expire_blocks(DUE, store) for _ in range(3)] == [1, 1, 0]
    assert money(store) == (10**6, 0)


def test_a_lost_answer_does_not_hold_up_the_rest(store):
    store.transact(block_writes(block("other")))

    def lose_an_answer(point: str) -> None:
        if point == "after MemoryBalanceStore.transact":
            store.interrupt = lambda _point: None
            raise TransientError("lost")

    store.interrupt = lose_an_answer
    assert expire_blocks(DUE, store) == 1, "one that failed does not stop the others"
    assert money(store) == (10**6, 0)


def test_the_function_does_so_in_dynamodb(aws, monkeypatch):
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    store.transact([AddCounters(BALANCE, {"available": 10000})])
    later = block("later", DUE + SECOND)
    for each in (BLOCK, later):
        assert not store.transact(block_writes(each))
    for now, blocked in [(DUE - SECOND, 3000), (DUE, 1500), (DUE, 1500), (DUE + SECOND, 0)]:
        monkeypatch.setattr(expirer, "utc_now", lambda now=now: now)
        expirer.lambda_handler({}, lambda_context())
        assert aws.balance()["blocked"] == blocked
        assert aws.balance()["available"] == 10000 - blocked
    assert {each["status"] for each in aws.items("BLOCK").values()} == {"expired"}
