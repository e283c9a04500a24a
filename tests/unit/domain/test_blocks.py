from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from falcon_balances.domain.block_expiry import expiry_partition, expiry_partitions
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    LoggedMoney,
    Purpose,
    block_writes,
    ending_writes,
    left_over,
    manual_block_id,
    settled,
    spendable,
)
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.parts import ArrivedSegment, CountablePart, countable_parts
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, EndBlock, PutMark, PutStanding
from falcon_balances.domain.transactions import joined, writes_of
from tests.unit.domain.events import segment_of

NOW = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
BLOCK_ID = "7d3f0b1a-0000-5000-8000-000000000001"
MERCHANT = "MERCHANT#m-1"
BALANCE = ItemKey(MERCHANT, "BALANCE#bs-1#EUR")
BLOCK = Block(
    block_id=BLOCK_ID,
    merchant_id="m-1",
    balance_shop_id="bs-1",
    currency="EUR",
    amount=4000,
    purpose=Purpose.MANUAL,
    reference="dispute-1",
    requested_by="anna",
    created_at=NOW,
)
EXPIRING = replace(BLOCK, expiry=NOW + timedelta(hours=1), expires_in_s=3600)
REFUSED = replace(BLOCK, status=BlockStatus.REFUSED, available=-5)
ENDED = replace(EXPIRING, status=BlockStatus.RELEASED, ended_at=NOW, ended_by="anna")


@pytest.mark.parametrize(
    "block",
    [BLOCK, EXPIRING, REFUSED, replace(BLOCK, purpose=Purpose.REFUND, available=0)],
    ids=["plain", "expiring", "refused", "nothing available"],
)
def test_what_lies_in_the_table_reads_back_as_the_block(block):
    assert Block.from_attributes(block.key, block.attributes()) == block


def test_how_a_block_ended_is_read_too():
    said = EXPIRING.attributes() | {"status": "expired", "ended_by": "expirer"}
    said["ended_at"] = "2026-11-20T11:20:00Z"
    read = Block.from_attributes(EXPIRING.key, said)
    assert (read.status, read.ended_by) == (BlockStatus.EXPIRED, "expirer")
    assert read.ended_at == NOW + timedelta(hours=1)


def test_only_an_active_block_that_expires_lies_in_the_index():
    in_index = {"expiring" in each.attributes() for each in (BLOCK, REFUSED, ENDED)}
    assert in_index == {False}
    assert EXPIRING.attributes()["expiring"] == expiry_partition(BLOCK_ID)


def test_every_block_is_in_one_of_the_partitions_that_are_looked_through():
    found = {expiry_partition(manual_block_id("m-1", str(n))) for n in range(200)}
    assert found == set(expiry_partitions())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"balance_shop_id": "bs-2"}, "balance_shop_id"),
        ({"currency": "RON"}, "currency"),
        ({"amount": 4001}, "amount"),
        ({"purpose": Purpose.REFUND}, "purpose"),
        ({"reference": "dispute-2"}, "reference"),
        ({"expires_in_s": 60}, "expires_in_seconds"),
        ({"amount": 1, "reference": "other"}, "amount"),
        ({"requested_by": "ben", "created_at": NOW + timedelta(days=1)}, None),
        ({"status": BlockStatus.SETTLED, "available": 1}, None),
    ],
)
def test_another_request_under_the_same_key_is_told_the_first_field_that_differs(changes, field):
    assert BLOCK.differs_from(replace(BLOCK, **changes)) == field


def test_a_key_means_one_block_of_one_merchant():
    assert manual_block_id("m-1", "key") == manual_block_id("m-1", "key")
    assert len({manual_block_id(m, k) for m in ("m-1", "m-2") for k in ("a", "b")}) == 4


SET_ASIDE = AddCounters(BALANCE, {"blocked": 4000, "available": -4000}, available_min=4000)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_block_is_set_aside_if_it_is_new_and_covered(purpose):
    block = replace(BLOCK, purpose=purpose)
    put = PutMark(ItemKey(MERCHANT, f"BLOCK#{BLOCK_ID}"), block.attributes())
    assert block_writes(block) == [put, SET_ASIDE]
    assert put.only_if_absent


def test_who_is_checked_against_the_log_names_what_may_be_blocked_already():
    _, added = block_writes(BLOCK, LoggedMoney(4700, 3))
    assert added == replace(SET_ASIDE, blocked_max=700, operations_count=3)


@pytest.mark.parametrize(
    ("logged", "available", "blocked", "spendable_then"),
    [
        (None, 50, 50, 50),
        (LoggedMoney(100, 3), 50, 50, 50),
        (LoggedMoney(90, 3), 50, 50, 40),
        (LoggedMoney(200, 3), 50, 50, 50),
        (LoggedMoney(100, 2), 50, 50, None),  # more was counted since
        (LoggedMoney(0, 3), 50, 50, -50),
    ],
)
def test_the_lower_of_table_and_log_can_be_spent(logged, available, blocked, spendable_then):
    item = {"available": available, "blocked": blocked, "operations_count": 3}
    assert spendable(item, logged) == spendable_then
    if logged is not None:
        _, added = block_writes(BLOCK, logged)
        assert isinstance(added, AddCounters)
        assert added.blocked_max == logged.available - BLOCK.amount


@pytest.mark.parametrize(
    ("expired_at", "said"), [(None, None), (NOW, "2026-11-20T10:20:00Z")], ids=["ended", "expired"]
)
def test_an_end_gives_all_of_it_back(expired_at, said):
    assert ending_writes(BLOCK, BlockStatus.RELEASED, NOW, "anna", expired_at=expired_at) == (
        EndBlock(BLOCK.key, "released", "2026-11-20T10:20:00Z", "anna", said),
        AddCounters(BALANCE, {"blocked": -4000, "available": 4000}),
    )


REFUND_BLOCK = Block.key_of("m", BLOCK_ID)


def arrived(segment: Segment, *blocks: ItemKey) -> ArrivedSegment:
    return ArrivedSegment(segment, NOW, "the key", "f", blocks=blocks)


def part_of(stage: Stage, *lines: tuple[str, int], blocks: Sequence[ItemKey] = ()) -> CountablePart:
    return next(countable_parts(arrived(segment_of(stage, *lines), *blocks)))


@pytest.mark.parametrize(
    ("stage", "line_type", "has_block"),
    [
        (Stage.CONFIRMED, "refund", False),
        (Stage.PAYOUT, "withdrawal", True),
        (Stage.PAYOUT, "withdrawal_reversal", False),
        (Stage.ADJUSTMENT, "adjustment", False),
    ],
)
def test_a_payout_s_block_bears_its_id_and_a_refund_s_are_what_its_record_names(
    stage, line_type, has_block
):
    amount = -100 if line_type in {"refund", "withdrawal"} else 100
    part = part_of(stage, (line_type, amount))
    operation_id = part.mark.key.sk.split("#")[1]
    expected = ItemKey(part.mark.key.pk, f"BLOCK#{operation_id}")
    assert part.block_keys == ((expected,) if has_block else ())
    if not has_block:
        assert part_of(stage, (line_type, amount), blocks=[REFUND_BLOCK]).block_keys == (
            REFUND_BLOCK,
        )


REFUND = part_of(Stage.CONFIRMED, ("refund", -1500), blocks=[REFUND_BLOCK])
OWN_BALANCE = next(key for key in REFUND.additions if key.sk.startswith("BALANCE#"))


def own_block(**changes: object) -> Block:
    """The block that was made for REFUND, on the balance that it is counted into."""
    _, shop, currency = OWN_BALANCE.sk.split("#")
    mine = replace(
        EXPIRING,
        purpose=Purpose.REFUND,
        merchant_id="m",
        balance_shop_id=shop,
        currency=currency,
    )
    return replace(mine, **changes)  # type: ignore[arg-type]


def test_what_can_have_no_block_is_left_as_it_is():
    part = part_of(Stage.CONFIRMED, ("capture", 100))
    assert settled([part], {}, [NOW]) == [part]


def test_where_there_is_no_block_nothing_is_ended():
    assert settled([REFUND], {}, [NOW]) == [REFUND]


@pytest.mark.parametrize(
    ("blocked", "available"),
    [(1500, 0), (4000, 2500), (1000, -500)],
    ids=["all of it", "the rest is released", "more than was blocked"],
)
def test_an_active_block_ends_with_its_operation(blocked, available):
    (counted,), _ = joined([REFUND], {})
    (after,) = settled([counted], {REFUND_BLOCK: own_block(amount=blocked)}, [NOW])
    assert after.block_writes == (
        EndBlock(REFUND_BLOCK, "settled", "2026-11-20T10:20:00Z", REFUND.mark.key.sk),
    )
    assert after.additions[OWN_BALANCE] == {
        "confirmed": -1500,
        "operations_count": 1,
        "debits_untraced": 1500,
        "available": available,
        "blocked": -blocked,
    }
    others = counted.additions.keys() - {OWN_BALANCE}
    assert {key: after.additions[key] for key in others} == {
        key: counted.additions[key] for key in others
    }
    assert "blocked" not in counted.additions[OWN_BALANCE], "the part itself is not changed"


def test_a_block_on_a_balance_that_is_not_touched_is_left_for_a_transaction_of_its_own():
    block = own_block(balance_shop_id="bs-before")
    parts = settled([REFUND], {block.key: block}, [NOW])
    assert parts == [REFUND]
    assert left_over(parts, [block]) == [block]


def test_of_two_stages_in_one_transaction_the_first_ends_the_block_and_no_other():
    traced = part_of(Stage.RECONCILED, ("refund", -1500), blocks=[REFUND_BLOCK])
    block = own_block()
    parts = settled([traced, REFUND], {block.key: block}, [NOW, NOW])
    assert [len(part.block_writes) for part in parts] == [1, 0]
    assert left_over(parts, [block]) == []


def test_of_many_balances_the_part_that_touches_the_block_s_ends_it():
    segment = segment_of(Stage.CONFIRMED, *[("refund", -5)] * 30, balances=30)
    first, second = countable_parts(arrived(segment, REFUND_BLOCK))
    block = own_block(balance_shop_id="bs-27")
    parts = settled([first, second], {block.key: block}, [NOW, NOW])
    assert [len(part.block_writes) for part in parts] == [0, 1]
    assert left_over(settled([first], {block.key: block}, [NOW]), [block]) == [block]


@pytest.mark.parametrize("status", [each for each in BlockStatus if each != BlockStatus.ACTIVE])
def test_a_block_that_has_ended_is_not_touched(status):
    block = own_block(status=status)
    assert settled([REFUND], {block.key: block}, [NOW]) == [REFUND]
    assert left_over([REFUND], [block]) == []


def test_a_block_s_end_stands_between_the_marks_and_what_else_becomes_of_the_operation():
    """Its standing; balance, window and day; and, as it was booked in March, that it is late."""
    (counted,), written = joined([REFUND], {})
    (after,) = settled([counted], {REFUND_BLOCK: own_block()}, [NOW])
    kinds = [type(write) for write in writes_of([after], written)]
    assert kinds == [PutMark, EndBlock, PutStanding, *[AddCounters] * 4]
