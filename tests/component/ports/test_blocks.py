"""Money set aside, in memory and in DynamoDB: only what there is, ended once, found when due."""

from dataclasses import replace
from datetime import timedelta

import pytest

from falcon_balances.adapters.ports import ConditionFailed
from falcon_balances.domain.block_expiry import expiry_partition, expiry_partitions
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    LoggedMoney,
    Purpose,
    block_writes,
    ending_writes,
    manual_block_id,
)
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, PutMark
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
HOUR = timedelta(hours=1)
BALANCE = ItemKey("MERCHANT#m-1", "BALANCE#bs-1#EUR")


def block(key: str = "key", merchant_id: str = "m-1", expiry_s: int | None = None) -> Block:
    return Block(
        block_id=manual_block_id(merchant_id, key),
        merchant_id=merchant_id,
        balance_shop_id="bs-1",
        currency="EUR",
        amount=4000,
        purpose=Purpose.MANUAL,
        reference="dispute-1",
        requested_by="anna",
        created_at=NOW,
        expiry=None if expiry_s is None else NOW + timedelta(seconds=expiry_s),
        expires_in_s=expiry_s,
    )


BLOCK = block()
EXPIRING = block(expiry_s=3600)


def give(store, amount: int = 10000, merchant_id: str = "m-1") -> None:
    key = ItemKey(f"MERCHANT#{merchant_id}", BALANCE.sk)
    assert not store.port.transact([AddCounters(key, {"available": amount})])


def failed(outcomes) -> list[bool]:
    return [isinstance(outcome, ConditionFailed) for outcome in outcomes]


def test_a_block_is_kept_as_it_was_and_takes_its_money(store):
    give(store)
    assert not store.port.transact(block_writes(EXPIRING))
    assert store.port.blocks([EXPIRING.key]) == {EXPIRING.key: EXPIRING}
    assert store.read(EXPIRING.key) == EXPIRING.attributes()
    assert store.read(BALANCE) == {"available": 6000, "blocked": 4000}


@pytest.mark.parametrize("available", [3999, 0, -1])
def test_what_is_not_covered_is_not_set_aside_and_what_there_is_is_answered(store, available):
    give(store, available)
    outcomes = store.port.transact(block_writes(BLOCK))
    assert failed(outcomes) == [False, True]
    assert outcomes[1].attributes["available"] == available
    assert store.read(BLOCK.key) is None
    assert store.read(BALANCE) == {"available": available}


def test_exactly_what_there_is_can_be_set_aside(store):
    give(store, 4000)
    assert not store.port.transact(block_writes(BLOCK))
    assert store.read(BALANCE) == {"available": 0, "blocked": 4000}


def test_where_nothing_was_ever_counted_nothing_is_available(store):
    outcomes = store.port.transact(block_writes(BLOCK))
    assert failed(outcomes) == [False, True]
    assert "available" not in outcomes[1].attributes
    assert store.read(BALANCE) is None


def test_a_balance_without_an_available_has_none(store):
    store.port.transact([AddCounters(BALANCE, {"pending": 10000})])
    outcomes = store.port.transact(block_writes(BLOCK))
    assert failed(outcomes) == [False, True]
    assert dict(outcomes[1].attributes).get("available", 0) == 0


@pytest.mark.parametrize(
    ("logged", "is_met"),
    [
        (LoggedMoney(8000, 3), True),
        (LoggedMoney(7999, 3), False),
        (LoggedMoney(0, 3), False),
        (LoggedMoney(8000, 2), False),
        (LoggedMoney(8000, 4), False),
    ],
)
def test_no_more_is_blocked_than_the_log_had_when_it_was_read(store, logged, is_met):
    give(store)
    store.port.transact([AddCounters(BALANCE, {"operations_count": 3})])
    store.port.transact(block_writes(BLOCK))
    outcomes = store.port.transact(block_writes(block("other"), logged))
    assert (not outcomes) is is_met
    if not is_met:
        assert failed(outcomes) == [False, True]
        assert outcomes[1].attributes["blocked"] == 4000
        assert outcomes[1].attributes["operations_count"] == 3
    assert store.read(BALANCE)["blocked"] == (8000 if is_met else 4000)


def test_where_nothing_was_ever_blocked_nothing_is(store):
    give(store)
    store.port.transact([AddCounters(BALANCE, {"operations_count": 1})])
    assert failed(store.port.transact(block_writes(BLOCK, LoggedMoney(3999, 1)))) == [False, True]
    assert not store.port.transact(block_writes(BLOCK, LoggedMoney(4000, 1)))


def test_since_when_a_balance_is_negative_is_kept_until_it_is_not(store):
    def standing():
        return store.port.available_now([BALANCE]).get(BALANCE)

    assert standing() is None
    give(store, 100)
    store.port.set_negative_since(BALANCE, NOW)
    assert standing() == (100, None)
    give(store, -101)
    store.port.set_negative_since(BALANCE, NOW)
    store.port.set_negative_since(BALANCE, NOW + HOUR)
    store.port.set_negative_since(BALANCE, None)
    assert standing() == (-1, NOW)
    [balance] = store.port.balances("m-1")
    assert balance.negative_since == NOW
    give(store, 1)
    [balance] = store.port.balances("m-1")
    assert balance.negative_since is None
    store.port.set_negative_since(BALANCE, None)
    assert standing() == (0, None)


def test_nothing_is_written_about_a_balance_that_is_not_there(store):
    for since in (NOW, None):
        store.port.set_negative_since(BALANCE, since)
    assert store.port.balances("m-1") == []


def test_the_same_block_again_changes_nothing_and_is_answered_as_it_stands(store):
    give(store)
    store.port.transact(block_writes(EXPIRING))
    outcomes = store.port.transact(block_writes(replace(EXPIRING, amount=1)))
    assert failed(outcomes) == [True, False]
    assert Block.from_attributes(EXPIRING.key, outcomes[0].attributes) == EXPIRING
    assert store.read(BALANCE) == {"available": 6000, "blocked": 4000}


def test_a_refused_block_says_what_there_was(store):
    refused = replace(EXPIRING, status=BlockStatus.REFUSED, available=-7)
    assert not store.port.transact([PutMark(refused.key, refused.attributes())])
    assert store.port.blocks([refused.key]) == {refused.key: refused}


def test_a_block_ends_once_and_gives_back_what_it_took(store):
    give(store)
    store.port.transact(block_writes(BLOCK))
    assert not store.port.transact(ending_writes(BLOCK, BlockStatus.RELEASED, NOW + HOUR, "ben"))
    ended = replace(BLOCK, status=BlockStatus.RELEASED, ended_at=NOW + HOUR, ended_by="ben")
    for status in (BlockStatus.RELEASED, BlockStatus.SETTLED, BlockStatus.EXPIRED):
        outcomes = store.port.transact(ending_writes(BLOCK, status, NOW, "anna"))
        assert failed(outcomes) == [True, False]
        assert Block.from_attributes(BLOCK.key, outcomes[0].attributes) == ended
    assert store.port.blocks([BLOCK.key]) == {BLOCK.key: ended}
    assert store.read(BALANCE) == {"available": 10000, "blocked": 0}


def test_what_is_no_block_cannot_end(store):
    outcomes = store.port.transact(ending_writes(BLOCK, BlockStatus.RELEASED, NOW, "anna"))
    assert failed(outcomes) == [True, False]
    assert store.read(BLOCK.key) is store.read(BALANCE) is None


@pytest.mark.parametrize(
    ("expiry_s", "expires"), [(3600, True), (3601, False), (None, False)], ids=str
)
def test_a_block_expires_at_its_time_and_not_before(store, expiry_s, expires):
    mine = block(expiry_s=expiry_s)
    give(store)
    store.port.transact(block_writes(mine))
    at = NOW + HOUR
    writes = ending_writes(mine, BlockStatus.EXPIRED, at, "expirer", expired_at=at)
    assert failed(store.port.transact(writes)) == ([] if expires else [True, False])
    assert store.read(BALANCE)["blocked"] == (0 if expires else 4000)


def test_due_blocks_are_found_by_partition_and_time_oldest_first(store):
    give(store, 10**9)
    partition = expiry_partition(manual_block_id("m-1", "0"))
    same = [
        key
        for key in map(str, range(200))
        if expiry_partition(manual_block_id("m-1", key)) == partition
    ][:4]
    late, early, at_now, after = (
        block(key, expiry_s=s) for key, s in zip(same, (3500, 60, 3600, 3601), strict=True)
    )
    never = block("never")
    for each in (late, early, at_now, after, never):
        store.port.transact(block_writes(each))
    assert list(store.port.due_blocks(partition, NOW + HOUR)) == [early, late, at_now]
    elsewhere = set(expiry_partitions()) - {partition}
    assert [b for p in elsewhere for b in store.port.due_blocks(p, NOW + HOUR)] == []


def test_what_has_ended_is_due_no_more(store):
    give(store)
    store.port.transact(block_writes(EXPIRING))
    refused = replace(block("refused", expiry_s=60), status=BlockStatus.REFUSED, available=0)
    store.port.transact([PutMark(refused.key, refused.attributes())])
    store.port.transact(ending_writes(EXPIRING, BlockStatus.RELEASED, NOW, "anna"))
    later = NOW + 2 * HOUR
    assert [b for p in expiry_partitions() for b in store.port.due_blocks(p, later)] == []


def test_a_merchant_s_blocks_are_listed_and_no_other_s(store):
    give(store)
    give(store, merchant_id="m-10")
    mine, ended, other = block("1"), block("2", expiry_s=60), block("1", merchant_id="m-10")
    for each in (mine, ended, other):
        assert not store.port.transact(block_writes(each))
    store.port.transact(ending_writes(ended, BlockStatus.SETTLED, NOW, "refund"))
    found = {each.block_id: each.status for each in store.port.blocks_of("m-1")}
    assert found == {mine.block_id: BlockStatus.ACTIVE, ended.block_id: BlockStatus.SETTLED}
    assert list(store.port.blocks_of("m-2")) == []


def test_of_the_blocks_asked_for_only_those_that_there_are_come(store):
    give(store)
    store.port.transact(block_writes(BLOCK))
    assert store.port.blocks([BLOCK.key, block("other").key]) == {BLOCK.key: BLOCK}
