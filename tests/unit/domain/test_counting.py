from datetime import UTC, datetime

import pytest

from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.counting import (
    TRANSACTION_BYTES_MAX,
    TRANSACTION_ITEMS_MAX,
    AddCounters,
    ArrivedSegment,
    CountablePart,
    PutMark,
    countable_parts,
    counters_of,
    transactions,
    writes_of,
)
from falcon_balances.domain.operations import Segment, Stage
from tests.unit.domain.events import EURO, segment_of

ARRIVED_AT = datetime(2026, 3, 5, 10, 30, tzinfo=UTC)


def arrived(segment: Segment, body: str = "the body") -> ArrivedSegment:
    return ArrivedSegment(segment, ARRIVED_AT, "the key", "the fingerprint", body)


def parts_of(*segments: Segment, body: str = "the body") -> list[CountablePart]:
    return [part for item in segments for part in countable_parts(arrived(item, body))]


WHEN_RECONCILED = ("capture", "cashback", "chargeback_reversal", "psp_fee", "marketplace_fee")
WHEN_CONFIRMED = ("refund", "chargeback")


@pytest.mark.parametrize(
    ("stage", "line_type", "counters"),
    [
        *[(Stage.CONFIRMED, kind, {"confirmed": 7, "pending": 7}) for kind in WHEN_RECONCILED],
        *[(Stage.CONFIRMED, kind, {"confirmed": 7, "available": 7}) for kind in WHEN_CONFIRMED],
        *[
            (Stage.RECONCILED, kind, {"reconciled": 7, "pending": -7, "available": 7})
            for kind in WHEN_RECONCILED
        ],
        *[(Stage.RECONCILED, kind, {"reconciled": 7}) for kind in WHEN_CONFIRMED],
        (Stage.PAYOUT, "withdrawal", {"withdrawn": -7, "available": 7}),
        (Stage.PAYOUT, "withdrawal_reversal", {"withdrawn": -7, "available": 7}),
        (Stage.ADJUSTMENT, "adjustment", {"adjusted": 7, "available": 7}),
    ],
)
def test_a_line_counts_as_its_stage_and_type_say(stage, line_type, counters):
    (line,) = segment_of(stage, (line_type, 7)).lines
    assert counters_of(stage, line) == counters | {"operations_count": 1}


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (
            [(Stage.CONFIRMED, ("capture", 10000), ("psp_fee", -100))],
            {"confirmed": 9900, "pending": 9900, "operations_count": 2},
        ),
        (
            [
                (Stage.CONFIRMED, ("capture", 10000), ("psp_fee", -100)),
                (Stage.RECONCILED, ("capture", 10000), ("psp_fee", -100)),
            ],
            {"confirmed": 9900, "reconciled": 9900, "available": 9900, "operations_count": 4},
        ),
        (
            [(Stage.CONFIRMED, ("refund", -4000))],
            {"confirmed": -4000, "available": -4000, "operations_count": 1},
        ),
        (
            [(Stage.CONFIRMED, ("refund", -4000)), (Stage.RECONCILED, ("refund", -4000))],
            {
                "confirmed": -4000,
                "reconciled": -4000,
                "available": -4000,
                "operations_count": 2,
            },
        ),
        (
            [(Stage.RECONCILED, ("capture", 500))],
            {"reconciled": 500, "pending": -500, "available": 500, "operations_count": 1},
        ),
        (
            [(Stage.PAYOUT, ("withdrawal", -700)), (Stage.PAYOUT, ("withdrawal_reversal", 200))],
            {"withdrawn": 500, "available": -500, "operations_count": 2},
        ),
        (
            [(Stage.ADJUSTMENT, ("adjustment", -750))],
            {"adjusted": -750, "available": -750, "operations_count": 1},
        ),
    ],
)
def test_a_balance_is_the_sum_of_its_lines(segments, expected):
    folded = fold(segment_of(stage, *lines) for stage, *lines in segments)
    counted = Balance.from_counters("bs-0", EURO, folded["m", "bs-0", "EUR"])
    assert counted == Balance("bs-0", EURO, **expected)


def test_a_refund_counts_against_available_at_once():
    counters = fold([segment_of(Stage.CONFIRMED, ("refund", -4000))])["m", "bs-0", "EUR"]
    assert Balance.from_counters("bs-0", EURO, counters).available == -4000


def test_a_segment_is_counted_as_a_mark_and_its_balances_window_and_day():
    segment = segment_of(Stage.CONFIRMED, ("capture", 10000), ("psp_fee", -100))
    (group,) = transactions(parts_of(segment))
    counters = {"confirmed": 9900, "pending": 9900, "operations_count": 2}
    by_type = {"confirmed_capture": 10000, "confirmed_psp_fee": -100, "operations_count": 2}
    mark, *additions = writes_of(group)
    assert isinstance(mark, PutMark)
    assert (mark.key.pk, mark.key.sk) == ("MERCHANT#m", "OPERATION#operation-0#confirmed")
    assert mark.only_if_absent
    assert mark.attributes == {
        "fingerprint": "the fingerprint",
        "log_key": "the key",
        "lines": "the body",
        "window": "2026-03-05T10:30:00Z",
        "merchant_id": "m",
        "counted_order": "2026-03-05T10:30:00Z#2026-03-05T10:15:30Z#operation-0#confirmed",
    }
    assert {item.key.sk: item.counters for item in additions if isinstance(item, AddCounters)} == {
        "BALANCE#bs-0#EUR": counters,
        "WINDOW#2026-03-05T10:30:00Z#bs-0#EUR": counters,
        "DAY#2026-03-05#bs-0#EUR": by_type,
    }
    assert {item.key.pk for item in additions} == {"MERCHANT#m"}


def test_segments_of_one_balance_share_its_items_in_a_transaction():
    many = [segment_of(Stage.CONFIRMED, ("capture", 1), n=n) for n in range(97)]
    (group,) = transactions(parts_of(*many))
    writes = writes_of(group)
    assert len(writes) == TRANSACTION_ITEMS_MAX == 97 + 3
    balance = next(w for w in writes if w.key.sk.startswith("BALANCE#"))
    assert isinstance(balance, AddCounters)
    assert balance.counters == {"confirmed": 97, "pending": 97, "operations_count": 97}


@pytest.mark.parametrize(
    ("segments", "sizes"),
    [
        ([("m", 97)], [97]),
        ([("m", 98)], [97, 1]),
        ([("m", 194), ("n", 1)], [97, 97, 1]),
        ([("m", 1), ("n", 1), ("o", 1)], [3]),
        ([(f"m-{n}", 1) for n in range(26)], [25, 1]),  # 4 items each
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
    assert all(len(writes_of(group)) <= TRANSACTION_ITEMS_MAX for group in groups)


def test_a_transaction_never_takes_more_than_3_mb():
    body = "x" * 300_000
    many = [segment_of(Stage.CONFIRMED, ("capture", 1), n=n) for n in range(25)]
    groups = list(transactions(parts_of(*many, body=body)))
    assert [len(group) for group in groups] == [9, 9, 7]
    for group in groups:
        assert (
            sum(len(str(part.mark.attributes["lines"])) for part in group) < TRANSACTION_BYTES_MAX
        )


@pytest.mark.parametrize(
    ("balances", "parts"), [(1, 1), (32, 1), (33, 2), (40, 2), (64, 2), (65, 3), (100, 4)]
)
def test_a_segment_of_many_balances_is_counted_in_parts_each_item_once(balances, parts):
    lines = [("capture", 10**n % 97 + 1) for n in range(2 * balances)]
    segment = segment_of(Stage.CONFIRMED, *lines, balances=balances)
    counted = parts_of(segment)
    assert len(counted) == parts
    keys = [key for part in counted for key in part.additions]
    assert len(keys) == len(set(keys)) == 3 * balances
    assert all(len(writes_of([part])) <= TRANSACTION_ITEMS_MAX for part in counted)
    sums = [dict(a) for part in counted for key, a in part.additions.items() if "BALANCE" in key.sk]
    assert sum(item["confirmed"] for item in sums) == sum(minor for _, minor in lines)
    marks = [part.mark for part in counted]
    assert [mark.key.sk for mark in marks] == [
        "OPERATION#operation-0#confirmed" + (f"#{n}" if n else "") for n in range(parts)
    ]
    # Only the first is listed by window and holds the lines.
    assert ["lines" in mark.attributes for mark in marks] == [True] + [False] * (parts - 1)
    assert ["window" in mark.attributes for mark in marks] == [True] + [False] * (parts - 1)


def test_the_day_is_the_lines_day_and_the_window_the_arrivals():
    (part,) = parts_of(segment_of(Stage.CONFIRMED, ("capture", 1)))
    sks = {key.sk.split("#bs")[0] for key in part.additions}
    assert sks == {"BALANCE", "WINDOW#2026-03-05T10:30:00Z", "DAY#2026-03-05"}
