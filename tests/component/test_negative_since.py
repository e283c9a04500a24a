"""Whoever gives money back looks whether its balance is below zero still, after the transaction."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from falcon_balances.adapters.authorizing import end_authorization, find_authorization
from falcon_balances.domain.authorizations import BlockName, Current
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose, manual_block_id
from falcon_balances.domain.refund_authorization import Seen, authorization_writes
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from lambdas.expirer.handler import expire_blocks
from lambdas.systems_api.blocking import release, request_block
from tests.component.conftest import no_wait
from tests.component.counting_blocks import (
    ATTEMPT,
    BALANCE,
    Counting,
    authorization,
    refund,
)
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
SINCE = utc("2026-11-20T10:19:00")
BLOCK = Block(
    block_id=manual_block_id("m-5553", "key"),
    merchant_id="m-5553",
    balance_shop_id="bs-5553-eur",
    currency="EUR",
    amount=1500,
    purpose=Purpose.MANUAL,
    reference="dispute-1",
    requested_by="anna",
    created_at=NOW,
    expiry=NOW + timedelta(hours=1),
)


def set_aside(block: Block, store: MemoryBalanceStore) -> None:
    request_block(block, store, wait=no_wait)


def authorize(block: Block, store: MemoryBalanceStore) -> None:
    made = replace(ATTEMPT, blocks=(BlockName(block.merchant_id, block.block_id),))
    assert not store.transact(authorization_writes(made, [block], Seen(Current()), {}))


def expire(store: MemoryBalanceStore) -> None:
    assert expire_blocks(NOW + timedelta(hours=2), store) == 1


def release_block(store: MemoryBalanceStore) -> None:
    release(BLOCK, "anna", NOW, store, no_wait)


def release_authorization(store: MemoryBalanceStore) -> None:
    held = find_authorization(ATTEMPT.key, store)
    assert held is not None
    end_authorization(held, BlockStatus.RELEASED, NOW, "anna", store, wait=no_wait)


Step = Callable[[MemoryBalanceStore], None]
ENDINGS: dict[str, tuple[Step, Step]] = {
    "the expirer ends a block": (lambda store: set_aside(BLOCK, store), expire),
    "a block is released": (lambda store: set_aside(BLOCK, store), release_block),
    "the expirer ends an authorization": (lambda store: authorize(authorization(), store), expire),
    "an authorization is released": (
        lambda store: authorize(authorization(), store),
        release_authorization,
    ),
}


@pytest.mark.parametrize(
    ("available", "since"),
    [(-1500, None), (-1501, SINCE)],
    ids=["it is zero again", "it is below zero still"],
)
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_balance_that_gets_its_money_back_is_negative_no_longer(ending, available, since):
    begin, end = ENDINGS[ending]
    store = MemoryBalanceStore()
    store.transact([AddCounters(BALANCE, {"available": 1500})])
    begin(store)
    assert store.counters[BALANCE] == {"available": 0, "blocked": 1500}
    store.transact([AddCounters(BALANCE, {"available": available})])
    store.set_negative_since(BALANCE, SINCE)
    end(store)
    assert store.available_now([BALANCE]) == {BALANCE: (available + 1500, since)}


def test_a_block_that_is_left_over_on_another_balance_gives_back_there(counting):
    """Its refund is counted where the merchant's context says now."""
    before = ItemKey(BALANCE.pk, "BALANCE#bs-before#EUR")
    block = authorization(balance_shop_id="bs-before")
    counting.store.transact([AddCounters(before, {"available": 1500})])
    counting.request(block)
    counting.store.transact([AddCounters(before, {"available": -1})])
    counting.store.set_negative_since(before, SINCE)
    counting.reduce(refund(block))
    assert counting.store.available_now([before]) == {before: (1499, None)}


@pytest.fixture
def counting() -> Counting:
    return Counting()
