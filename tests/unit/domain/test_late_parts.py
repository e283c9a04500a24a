"""What is counted after the month that it is booked in."""

from collections.abc import Sequence

import pytest

from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.parts import CountablePart
from falcon_balances.domain.table_keys import ItemKey
from tests.unit.domain.counted_parts import APRIL, MARCH, parts_of
from tests.unit.domain.events import segment_of

LATE_MARCH = "LATE#2026-03#2026-04-01T00:00:00Z#2026-03-05T10:15:30Z#operation-0"


def counters_by_kind(parts: Sequence[CountablePart]) -> dict[str, list[dict[str, int]]]:
    found: dict[str, list[dict[str, int]]] = {}
    for part in parts:
        for key, counters in part.additions.items():
            found.setdefault(key.sk.split("#")[0], []).append(dict(counters))
    return found


def test_what_is_counted_after_its_month_counts_as_late_besides_in_its_day_alone():
    segment = segment_of(Stage.CONFIRMED, ("capture", 10000), ("psp_fee", -100), booked_at=MARCH)
    counted = counters_by_kind(parts_of(segment, window=APRIL))
    counters = {"confirmed": 9900, "operations_count": 2}
    assert counted == {
        "BALANCE": [counters],
        "WINDOW": [counters],
        "DAY": [
            {
                "confirmed_capture": 10000,
                "confirmed_psp_fee": -100,
                "late_confirmed_capture": 10000,
                "late_confirmed_psp_fee": -100,
                "operations_count": 2,
            }
        ],
        "LATE": [{"operations_count": 2}],
    }


@pytest.mark.parametrize(
    ("stage", "line_type"),
    [
        (Stage.CONFIRMED, "capture"),
        (Stage.RECONCILED, "capture"),
        (Stage.PAYOUT, "withdrawal"),
        (Stage.PAYOUT, "withdrawal_reversal"),
        (Stage.ADJUSTMENT, "adjustment"),
    ],
)
def test_every_stage_can_be_late_and_says_so_in_the_order_in_which_it_was_counted(stage, line_type):
    (part,) = parts_of(segment_of(stage, (line_type, 7), booked_at=MARCH), window=APRIL)
    late = ItemKey("MERCHANT#m", f"{LATE_MARCH}#{stage}")
    assert part.additions[late] == {"operations_count": 1}
    assert late.sk == f"LATE#2026-03#{part.mark.attributes['counted_order']}"
    assert counters_by_kind([part])["DAY"] == [
        {f"{stage}_{line_type}": 7, f"late_{stage}_{line_type}": 7, "operations_count": 1}
    ]


@pytest.mark.parametrize(
    ("booked", "window", "late_in"),
    [
        ("2026-03-05T10:15:30Z", "2026-03-05T10:30:00Z", None),
        ("2026-03-01T00:00:00Z", "2026-03-31T23:45:00Z", None),
        ("2026-03-31T23:59:59Z", "2026-03-31T23:45:00Z", None),
        ("2026-03-31T23:59:59Z", "2026-04-01T00:00:00Z", "2026-03"),
        ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z", None),
        ("2026-04-01T01:59:59+02:00", "2026-04-01T00:00:00Z", "2026-03"),  # March still, in UTC
        ("2026-03-31T22:00:00-02:00", "2026-04-01T00:00:00Z", None),  # April already, in UTC
        ("2026-12-31T23:59:59Z", "2026-12-31T23:45:00Z", None),
        ("2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z", "2026-12"),
        ("2027-01-01T00:00:00Z", "2026-12-31T23:45:00Z", None),  # booked ahead of its time
        ("2025-11-30T00:00:00Z", "2026-03-01T00:00:00Z", "2025-11"),
        ("2025-03-05T00:00:00Z", "2026-03-05T00:00:00Z", "2025-03"),  # the same month, a year on
    ],
)
def test_late_is_what_is_counted_after_its_month_in_utc(booked, window, late_in):
    segment = segment_of(Stage.CONFIRMED, ("capture", 7), booked_at=parse_rfc3339(booked))
    (part,) = parts_of(segment, window=parse_rfc3339(window))
    assert [key.sk.split("#")[1] for key in part.additions if key.sk.startswith("LATE#")] == (
        [late_in] if late_in else []
    )
    (day,) = counters_by_kind([part])["DAY"]
    assert ("late_confirmed_capture" in day) == (late_in is not None)


def test_a_late_segment_of_many_balances_is_noted_once_and_late_in_each_of_them():
    segment = segment_of(Stage.CONFIRMED, *[("capture", 7)] * 40, balances=40, booked_at=MARCH)
    first, second = parts_of(segment, window=APRIL)
    assert counters_by_kind([first])["LATE"] == [{"operations_count": 40}]
    assert "LATE" not in counters_by_kind([second])
    days = counters_by_kind([first, second])["DAY"]
    assert [day["late_confirmed_capture"] for day in days] == [7] * 40
