from dataclasses import replace
from itertools import permutations

import pytest

from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.counting import COUNTERS, available_at_once, stage_counters
from falcon_balances.domain.operations import Segment, Stage
from tests.unit.domain.events import EURO, segment_of


@pytest.mark.parametrize(
    ("stage", "counters"),
    [
        (Stage.CONFIRMED, {"confirmed": 7}),
        (Stage.RECONCILED, {"reconciled": 7}),
        (Stage.PAYOUT, {"withdrawn": -7}),
        (Stage.ADJUSTMENT, {"adjusted": 7}),
    ],
)
def test_lines_count_in_their_stage_whatever_the_other_says(stage, counters):
    assert stage_counters(stage, 7, 2) == counters | {"operations_count": 2}


@pytest.mark.parametrize(
    ("stage", "available"),
    [(Stage.CONFIRMED, 0), (Stage.RECONCILED, 0), (Stage.PAYOUT, -7), (Stage.ADJUSTMENT, -7)],
)
def test_lines_change_available_at_once_where_no_other_stage_has_a_say(stage, available):
    assert available_at_once(stage, -7) == available


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
            {
                "confirmed": -4000,
                "debits_untraced": 4000,
                "available": -4000,
                "operations_count": 1,
            },
        ),
        (
            [(Stage.RECONCILED, ("refund", -4000))],
            {
                "reconciled": -4000,
                "debits_unconfirmed": 4000,
                "available": -4000,
                "operations_count": 1,
            },
        ),
        (
            [(Stage.CONFIRMED, ("capture", 1980)), (Stage.RECONCILED, ("capture", 198000))],
            {
                "confirmed": 1980,
                "reconciled": 198000,
                "unapplied": 196020,
                "available": 1980,
                "operations_count": 2,
            },
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
            {"reconciled": 500, "unapplied": 500, "operations_count": 1},
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


def revision(segment: Segment, number: int) -> Segment:
    return replace(segment, revision=number)


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        # Settled short: what is confirmed waits for the rest, until a revision says that is all.
        (
            [
                segment_of(Stage.CONFIRMED, ("capture", 10000)),
                segment_of(Stage.RECONCILED, ("capture", 9000)),
                revision(segment_of(Stage.CONFIRMED, ("capture", -1000)), 2),
            ],
            {"confirmed": 9000, "reconciled": 9000, "available": 9000, "operations_count": 3},
        ),
        # Two operations: one's too much does not make up for the other's too little.
        (
            [
                segment_of(Stage.CONFIRMED, ("capture", 100), n=1),
                segment_of(Stage.RECONCILED, ("capture", 100), n=2),
            ],
            {
                "confirmed": 100,
                "reconciled": 100,
                "pending": 100,
                "unapplied": 100,
                "operations_count": 2,
            },
        ),
        # A refund that failed later.
        (
            [
                segment_of(Stage.CONFIRMED, ("refund", -500)),
                segment_of(Stage.RECONCILED, ("refund", -500)),
                revision(segment_of(Stage.CONFIRMED, ("refund", 500)), 2),
                revision(segment_of(Stage.RECONCILED, ("refund", 500)), 2),
            ],
            {"operations_count": 4},
        ),
    ],
    ids=["settled short", "two operations", "failed refund"],
)
def test_stages_are_joined_by_operation_over_all_revisions_in_any_order(segments, expected):
    for order in permutations(segments):
        counters = fold(order)["m", "bs-0", "EUR"]
        assert counters == dict.fromkeys(COUNTERS, 0) | expected
