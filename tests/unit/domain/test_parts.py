from dataclasses import replace

import pytest

from falcon_balances.capacity.item_units import item_bytes
from falcon_balances.domain.blocks import Block, Purpose, left_over, settled
from falcon_balances.domain.compact_lines import compact_text
from falcon_balances.domain.operation_tags import tags_of
from falcon_balances.domain.operations import OperationType, Stage
from falcon_balances.domain.parts import ArrivedSegment, countable_parts
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_parts import SalePart
from falcon_balances.domain.sales import sale_effect
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, PutMark, PutStanding
from falcon_balances.domain.transactions import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_ITEMS_MAX,
    joined,
    transactions,
    writes_of,
)
from tests.unit.domain.counted_parts import APRIL, MARCH, all_writes, parts_of
from tests.unit.domain.events import segment_of


def test_a_segment_is_counted_as_a_mark_and_its_balances_window_and_day():
    segment = segment_of(Stage.CONFIRMED, ("capture", 10000), ("psp_fee", -100))
    (group,) = transactions(parts_of(segment))
    counters = {"confirmed": 9900, "pending": 9900, "operations_count": 2}
    by_type = {"confirmed_capture": 10000, "confirmed_psp_fee": -100, "operations_count": 2}
    mark, standing, *additions = all_writes(group)
    assert isinstance(mark, PutMark)
    assert standing.key == ItemKey("MERCHANT#m", "STANDING#operation-0")
    assert (mark.key.pk, mark.key.sk) == ("MERCHANT#m", "OPERATION#operation-0#confirmed")
    assert mark.only_if_absent
    assert mark.attributes == {
        "fingerprint": "f" * 64,
        "lines": compact_text(segment.lines),
        "window": "2026-03-05T10:30:00Z",
        "spread": "m#0",
        "tags": tags_of(segment.stage, segment.lines),
        "counted_order": "2026-03-05T10:30:00Z#2026-03-05T10:15:30Z#operation-0#confirmed",
        "effect": "bs-0#EUR#9900#0#0#0#0",
    }
    assert {item.key.sk: item.counters for item in additions if isinstance(item, AddCounters)} == {
        "BALANCE#bs-0#EUR": counters,
        "WINDOW#bs-0#EUR#2026-03-05T10:30:00Z": counters,
        "DAY#2026-03-05#bs-0#EUR": by_type,
    }
    assert {item.key.pk for item in additions} == {"MERCHANT#m"}


@pytest.mark.parametrize(
    ("stage", "line_type", "count", "items", "counted"),
    [
        (Stage.ADJUSTMENT, "adjustment", 97, 97 + 3, ("adjusted", "available")),
        # A PSP's operation has a standing besides its mark.
        (Stage.CONFIRMED, "capture", 48, 2 * 48 + 3, ("confirmed", "pending")),
    ],
)
def test_segments_of_one_balance_share_its_items_in_a_transaction(
    stage, line_type, count, items, counted
):
    many = [segment_of(stage, (line_type, 1), n=n) for n in range(count)]
    (group,) = transactions(parts_of(*many))
    writes = all_writes(group)
    assert len(writes) == items <= TRANSACTION_ITEMS_MAX
    balance = next(w for w in writes if w.key.sk.startswith("BALANCE#"))
    assert isinstance(balance, AddCounters)
    assert balance.counters == dict.fromkeys((*counted, "operations_count"), count)
    one_more = segment_of(stage, (line_type, 1), n=count)
    assert len(list(transactions(parts_of(*many, one_more)))) == 2


@pytest.mark.parametrize(
    ("segments", "sizes"),
    [
        ([("m", 48)], [48]),  # a mark and a standing each, and three items that they share
        ([("m", 49)], [48, 1]),
        ([("m", 96), ("n", 1)], [48, 48, 1]),
        ([("m", 1), ("n", 1), ("o", 1)], [3]),
        ([(f"m-{n}", 1) for n in range(21)], [20, 1]),  # 5 items each
    ],
)
def test_a_transaction_never_takes_more_than_100_items(segments, sizes):
    many = [
        segment_of(Stage.CONFIRMED, ("capture", 1), merchant_id=merchant_id, n=n)
        for merchant_id, count in segments
        for n in range(count)
    ]
    groups = list(transactions(parts_of(*many)))
    assert [len(group) for group in groups] == sizes
    assert all(len(all_writes(group)) <= TRANSACTION_ITEMS_MAX for group in groups)


def test_a_transaction_never_takes_more_than_3_mb():
    lines = [("capture", 10**18)] * 640
    many = [segment_of(Stage.CONFIRMED, *lines, n=n) for n in range(97)]
    groups = list(transactions(parts_of(*many)))
    assert [len(group) for group in groups] == [48, 48, 1]
    for group in groups:
        assert (
            sum(len(str(part.mark.attributes["lines"])) for part in group) < TRANSACTION_BYTES_MAX
        )


@pytest.mark.parametrize(
    ("balances", "parts"), [(1, 1), (24, 1), (25, 2), (41, 2), (48, 2), (49, 3), (100, 5)]
)
def test_a_segment_of_many_balances_is_counted_in_parts_each_item_once(balances, parts):
    lines = [("capture", 10**n % 97 + 1) for n in range(2 * balances)]
    segment = segment_of(Stage.CONFIRMED, *lines, balances=balances)
    counted = parts_of(segment)
    assert len(counted) == parts
    keys = [key for part in counted for key in part.additions]
    assert len(keys) == len(set(keys)) == 3 * balances
    assert all(len(all_writes([part])) <= TRANSACTION_ITEMS_MAX for part in counted)
    sums = [dict(a) for part in counted for key, a in part.additions.items() if "BALANCE" in key.sk]
    assert sum(item["confirmed"] for item in sums) == sum(minor for _, minor in lines)
    marks = [part.mark for part in counted]
    assert [mark.key.sk for mark in marks] == [
        "OPERATION#operation-0#confirmed" + (f"#{n}" if n else "") for n in range(parts)
    ]
    # Only the first is listed by window and holds the lines.
    assert ["lines" in mark.attributes for mark in marks] == [True] + [False] * (parts - 1)
    assert ["window" in mark.attributes for mark in marks] == [True] + [False] * (parts - 1)


def test_parts_hold_24_balances_each_in_the_segment_s_own_order_for_both_stages():
    lines = [("refund", -7)] * 41
    for stage in (Stage.CONFIRMED, Stage.RECONCILED):
        first, second = parts_of(segment_of(stage, *lines, balances=41))
        shops = [
            [key.sk.split("#")[1] for key in part.additions if key.sk.startswith("BALANCE#")]
            for part in (first, second)
        ]
        assert shops == [[f"bs-{n}" for n in range(24)], [f"bs-{n}" for n in range(24, 41)]]


def test_the_parts_of_a_segment_share_one_standing_and_say_each_what_their_balances_got():
    lines = [("capture", 100)] * 30
    parts = parts_of(segment_of(Stage.CONFIRMED, *lines, balances=30))
    counted, written = joined(parts, {})
    effects = [str(part.mark.attributes["effect"]).split(",") for part in counted]
    assert [len(effect) for effect in effects] == [24, 6]
    assert effects[1][0] == "bs-24#EUR#100#0#0#0#0"
    (standing,) = written
    assert isinstance(standing, PutStanding)
    assert (standing.attributes["version"], standing.seen) == (2, 0)
    assert str(standing.attributes["confirmed"]).count("capture") == 30


def test_several_segments_of_one_operation_count_upon_each_other_and_write_their_standing_once():
    """Confirmed, reconciled with more, and a revision of the first, in the order of the records."""
    confirmed = segment_of(Stage.CONFIRMED, ("capture", 100))
    reconciled = segment_of(Stage.RECONCILED, ("capture", 150))
    revised = replace(segment_of(Stage.CONFIRMED, ("capture", 50)), revision=2)
    counted, (standing,) = joined(parts_of(confirmed, reconciled, revised), {})
    assert isinstance(standing, PutStanding)
    assert [part.mark.attributes["effect"] for part in counted] == [
        "bs-0#EUR#100#0#0#0#0",
        "bs-0#EUR#-100#50#0#0#100",
        "bs-0#EUR#0#-50#0#0#50",
    ]
    assert (standing.attributes["version"], standing.seen) == (3, 0)
    assert "open" not in standing.attributes
    balance = next(w for w in writes_of(counted) if w.key.sk.startswith("BALANCE#"))
    assert isinstance(balance, AddCounters)
    assert balance.counters == {
        "confirmed": 150,
        "reconciled": 150,
        "pending": 0,
        "unapplied": 0,
        "available": 150,
        "operations_count": 3,
    }


def test_what_is_counted_upon_a_standing_is_written_under_its_version():
    (part,) = parts_of(segment_of(Stage.RECONCILED, ("capture", 100)))
    assert part.change is not None
    seen = Standing(part.change.key, 7, "d", "psp-1", "ref-0", "capture", "bs-0#EUR#capture#90")
    (counted,), (standing,) = joined([part], {seen.key: seen})
    assert isinstance(standing, PutStanding)
    assert counted.mark.attributes["effect"] == "bs-0#EUR#-90#10#0#0#90"
    assert (standing.attributes["version"], standing.seen) == (8, 7)


def everyday_mark(lines: list[tuple[str, int]], balances: int = 1) -> PutMark:
    """The mark of a reconciled refund in part of an event, with the longest ids and references that
    are usual: UUIDs, references of banks of 35 characters, PSPs of 20.
    """
    segment = segment_of(Stage.RECONCILED, *lines, balances=balances)
    long = tuple(
        replace(
            line,
            uuid="u" * 36,
            falcon_operation_id="o" * 36,
            balance_shop_id=line.balance_shop_id.ljust(36, "b"),
            local_merchant_id="l" * 36,
            shop_id="s" * 36,
            psp_id="p" * 20,
            external_reference="r" * 36,
            original_reference="o" * 36,
            bank_reference="b" * 35,
        )
        for line in segment.lines
    )
    segment = replace(segment, merchant_id="m" * 36, lines=long, part=41, parts=41)
    (part,) = parts_of(segment)
    (counted,), _ = joined([part], {})
    return counted.mark


def bytes_of(mark: PutMark) -> int:
    return item_bytes({**mark.key._asdict(), **mark.attributes})


def test_a_mark_of_one_balance_with_the_longest_everyday_ids_stays_below_1_kib():
    assert bytes_of(everyday_mark([("refund", -1_234_567_89), ("psp_fee", -1_234_56)])) < 1024


def test_a_mark_of_as_many_balances_as_a_part_has_takes_less_than_4_kib():
    mark = everyday_mark([("refund", -1_234_567_89)] * 24, balances=24)
    assert 3 * 1024 < bytes_of(mark) < 4 * 1024


def test_the_day_is_the_lines_day_and_the_window_the_arrivals():
    (part,) = parts_of(segment_of(Stage.CONFIRMED, ("capture", 1)))
    sks = {key.sk.replace("#bs-0#EUR", "") for key in part.additions}
    assert sks == {"BALANCE", "WINDOW#2026-03-05T10:30:00Z", "DAY#2026-03-05"}


def test_a_transaction_has_room_for_all_that_may_come_with_a_segment_of_many_balances():
    """A late refund of a sale, with a block on each balance: what has no room ends apart."""
    lines = [("refund", -7)] * 41
    segment = segment_of(Stage.CONFIRMED, *lines, balances=41, booked_at=MARCH)
    blocks = {
        block.key: block
        for n in range(41)
        for block in [
            Block(
                block_id=f"block-{n}",
                merchant_id="m",
                balance_shop_id=f"bs-{n}",
                currency="EUR",
                amount=7,
                purpose=Purpose.REFUND,
                reference="ref-0",
                requested_by="anna",
                created_at=MARCH,
            )
        ]
    }
    sale = SalePart(SaleKey("m", "psp", "sale"), OperationType.REFUND, "EUR", 287)
    arrived = ArrivedSegment(segment, APRIL, "the key", "f", blocks=tuple(blocks), sale=(sale,))
    parts, written = joined(countable_parts(arrived), {})
    parts = settled(parts, blocks, [APRIL, APRIL])
    first, second = parts
    effect = sale_effect(first.sale_parts, {})
    items = writes_of([first], [*written, *effect.writes()])
    assert len(items) == TRANSACTION_ITEMS_MAX
    assert [len(part.block_writes) for part in (first, second)] == [23, 17]
    assert len(left_over(parts, blocks.values())) == 1
