"""A refund authorization holds all that its refund would lower, or nothing; and ends as one."""

from dataclasses import replace

import pytest

from falcon_balances.domain.authorizations import (
    Authorization,
    BlockName,
    Current,
    Shortfall,
    authorization_end,
    names_of,
    names_text,
)
from falcon_balances.domain.block_expiry import authorization_partition, authorization_partitions
from falcon_balances.domain.blocks import Block, BlockStatus, LoggedMoney, Purpose
from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.refund_authorization import (
    Debit,
    Seen,
    authorization_writes,
    blocks_for,
    debits_of,
    refund_block_id,
    refused,
)
from falcon_balances.domain.splitting import split
from falcon_balances.domain.table_keys import AttemptKey, BalanceKey, current_key
from falcon_balances.domain.table_writes import AddCounters, EndBlock, PutMark, PutStanding
from falcon_balances.domain.transactions import TRANSACTION_ITEMS_MAX
from tests.builders import context_of, fee_of, histories_of, marketplace, operation_of
from tests.unit.domain.asked_refunds import (
    ASKED,
    BLOCKS,
    DEBITS,
    HELD,
    KNOWN,
    NOW,
    OPERATION,
    SALE,
    authorized,
)


@pytest.mark.parametrize(
    ("splits", "fee", "debits"),
    [
        # Each seller gives its part less the commission that it gets back, the marketplace that.
        (
            [("a", "30.00", "3.00"), ("b", "10.00", None)],
            None,
            [("m-a", 2700), ("m-b", 1000), ("m-market", 300)],
        ),
        # All lines of a balance are taken together, fees on refunds too.
        (
            [("a", "30.00", None), ("a", "10.00", None)],
            fee_of(on="refund"),
            [("m-a", 4040)],
        ),
        # What the refund does not lower needs no block.
        ([("a", "40.00", "40.00")], None, [("m-market", 4000)]),
        ([("market", "40.00", None)], None, [("m-market", 4000)]),
    ],
)
def test_every_balance_that_the_refund_lowers_is_blocked_by_that_much(splits, fee, debits):
    refund = operation_of(marketplace(splits, "40.00", type="refund"))
    fees = [] if fee is None else [fee]
    contexts = histories_of(
        context_of("a", fees=fees), context_of("b", fees=fees), context_of("market")
    )
    found = debits_of(split(refund, contexts).segments)
    assert [(each.merchant_id, each.amount) for each in found] == debits


def test_blocks_bear_their_refund_and_attempt_and_expire_with_it():
    assert {(b.operation_id, b.attempt, b.purpose) for b in BLOCKS} == {
        (OPERATION, 1, Purpose.REFUND)
    }
    assert all("expiring" not in each.attributes() for each in BLOCKS)
    assert [Block.from_attributes(b.key, b.attributes()) for b in BLOCKS] == BLOCKS


def test_every_attempt_and_balance_has_a_block_of_its_own():
    again = [replace(ASKED, attempt=n) for n in (1, 2)]
    assert len({refund_block_id(each, debit) for each in again for debit in DEBITS}) == 4


@pytest.mark.parametrize(
    "authorization",
    [
        ASKED,
        authorized(sale_is_known=True),
        replace(ASKED, sale=None),
        refused(ASKED, left=-5),
        refused(ASKED, short=[Shortfall("m-a", "bs-a", "EUR", 2000, 1999)]),
        replace(ASKED, status=BlockStatus.EXPIRED, ended_at=NOW, ended_by="expirer"),
    ],
)
def test_an_attempt_s_item_reads_back(authorization):
    said = authorization.attributes()
    if authorization.ended_at is not None:
        said |= {"ended_at": "2026-11-20T10:20:00Z", "ended_by": "expirer"}
    assert Authorization.from_attributes(authorization.key, said) == authorization
    is_active = authorization.status is BlockStatus.ACTIVE
    assert ("expiring" in said) == is_active


def test_names_of_blocks_read_back():
    names = (BlockName("m:1.a-b", "x-1"), BlockName("m-2", "y"))
    assert names_of(names_text(names)) == names
    assert names_of("") == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"amount": "40.01"}, "amount"),
        ({"original_reference": "x"}, "original_reference"),
    ],
)
def test_the_same_attempt_asked_otherwise_is_told_the_field(changes, field):
    assert ASKED.differs_from(replace(ASKED, asked=ASKED.asked | changes)) == field


def test_it_is_all_set_aside_at_once_while_what_was_read_still_holds():
    ours = authorized(sale_is_known=True)
    seen = Seen(Current(4, 1, BlockStatus.EXPIRED), KNOWN)
    attempt, current, operation, sale, *blocks = authorization_writes(ours, BLOCKS, seen, {})
    assert attempt == PutMark(AttemptKey(OPERATION, 1).item, ours.attributes())
    assert isinstance(current, PutStanding)
    assert (current.key, current.seen) == (current_key(OPERATION), 4)
    assert Current.from_attributes(current.attributes) == Current(
        5, 1, BlockStatus.ACTIVE, ours.blocks
    )
    assert isinstance(operation, PutStanding)
    assert (operation.key, operation.seen) == (SALE.operation_item(OPERATION), 0)
    assert sale == AddCounters(
        SALE.item,
        {"EUR_set_aside": 4000, "EUR_left": -4000, "version": 1},
        at_least=("EUR_left", 4000),
    )
    assert [type(each) for each in blocks] == [PutMark, AddCounters] * 2
    assert [each.available_min for each in blocks if isinstance(each, AddCounters)] == [2000, 100]


def test_an_unknown_sale_limits_nothing_while_it_is_unknown():
    writes = authorization_writes(authorized(), BLOCKS, Seen(Current()), {})
    [sale] = [each for each in writes if isinstance(each, AddCounters) and each.key == SALE.item]
    assert (sale.at_least, sale.none_of) == (None, "captures")


def test_a_refund_of_no_named_sale_touches_none():
    ours = authorized(sale=None)
    assert len(authorization_writes(ours, BLOCKS, Seen(Current()), {})) == 2 + 2 * 2


def test_balances_of_merchants_of_high_risk_are_held_against_the_log():
    logged = {BLOCKS[0].balance_key: LoggedMoney(5000, 7)}
    writes = authorization_writes(authorized(), BLOCKS, Seen(Current()), logged)
    added = [each for each in writes if isinstance(each, AddCounters)]
    assert [each.operations_count for each in added] == [None, 7, None]


def test_all_of_it_ends_in_one_transaction_and_only_while_it_is_active():
    writes = authorization_end(
        authorized(), BLOCKS, HELD, BlockStatus.EXPIRED, NOW, "expirer", expired_at=NOW
    )
    ends = [each for each in writes if isinstance(each, EndBlock)]
    assert [each.key for each in ends] == [
        AttemptKey(OPERATION, 1).item,
        current_key(OPERATION),
        *(block.key for block in BLOCKS),
    ]
    assert [each.expired_at is not None for each in ends] == [True, False, False, False]
    added = {each.key: each.counters for each in writes if isinstance(each, AddCounters)}
    assert added == {
        SALE.item: {"EUR_set_aside": -4000, "EUR_left": 4000, "version": 1},
        BLOCKS[0].balance_key: {"blocked": -2000, "available": 2000},
        BLOCKS[1].balance_key: {"blocked": -100, "available": 100},
    }


def test_what_has_ended_of_it_is_not_ended_again():
    settled = [replace(BLOCKS[0], status=BlockStatus.SETTLED), BLOCKS[1]]
    nothing_aside = HELD.holding({})
    writes = authorization_end(
        authorized(), settled, nothing_aside, BlockStatus.RELEASED, NOW, "anna"
    )
    assert [each.key for each in writes] == [
        AttemptKey(OPERATION, 1).item,
        current_key(OPERATION),
        BLOCKS[1].key,
        BLOCKS[1].balance_key,
    ]


def test_the_most_that_a_refund_can_touch_fits_one_transaction_with_its_two_claims():
    debits = [Debit(f"m-{n}", BalanceKey("bs", "EUR"), 1) for n in range(41)]
    blocks = blocks_for(ASKED, debits)
    writes = authorization_writes(authorized(), blocks, Seen(Current(), KNOWN), {})
    assert len(writes) + 2 <= TRANSACTION_ITEMS_MAX
    ends = authorization_end(authorized(), blocks, HELD, BlockStatus.EXPIRED, NOW, "expirer")
    assert len(ends) <= TRANSACTION_ITEMS_MAX
    assert len({each.key for each in writes}) == len(writes)
    assert len({each.key for each in ends}) == len(ends)


def test_every_authorization_is_in_one_of_the_partitions_that_are_looked_through():
    found = {authorization_partition(uuid5_text(str(n))) for n in range(200)}
    assert found == set(authorization_partitions())


@pytest.mark.parametrize(
    ("status", "holds"),
    [(None, False), ("active", True), ("settled", True), ("expired", False), ("released", False)],
)
def test_an_attempt_stands_in_the_way_of_others_while_it_holds_or_was_used(status, holds):
    current = Current(1, 1, None if status is None else BlockStatus(status))
    assert current.holds == holds
    assert not Current.from_attributes({}).holds
