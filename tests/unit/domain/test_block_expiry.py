"""When money that is set aside becomes available again by itself."""

from datetime import UTC, datetime, timedelta

import pytest

from falcon_balances.domain.block_expiry import expiry_of, is_due, refund_expiry_of
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import EndBlock

NOW = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("asked_s", "by_hand", "refund"),
    [
        (None, None, NOW + timedelta(days=7)),
        (1, NOW + SECOND, NOW + SECOND),
        (30 * 24 * 3600, NOW + timedelta(days=30), NOW + timedelta(days=30)),
    ],
)
def test_a_block_by_hand_expires_if_asked_to_and_a_refunds_after_seven_days(
    asked_s, by_hand, refund
):
    assert expiry_of(NOW, asked_s) == by_hand
    assert refund_expiry_of(NOW, asked_s) == refund


@pytest.mark.parametrize(("late", "due"), [(-SECOND, False), (0 * SECOND, True), (SECOND, True)])
def test_a_block_is_due_from_its_expiry_on(late, due):
    assert is_due(NOW, NOW + late) is due


@pytest.mark.parametrize(
    ("there", "ends"),
    [
        ({"status": "active", "expiry": "2026-11-20T10:20:00Z"}, True),
        ({"status": "active", "expiry": "2026-11-20T10:19:59Z"}, True),
        ({"status": "active", "expiry": "2026-11-20T10:20:01Z"}, False),
        ({"status": "active"}, False),  # it never expires
        ({"status": "released", "expiry": "2026-11-20T10:20:00Z"}, False),
        ({}, False),
    ],
)
def test_a_block_expires_once_and_never_before_its_time(there, ends):
    key = ItemKey("MERCHANT#m", "BLOCK#b")
    by_time = EndBlock(key, "expired", "2026-11-20T10:20:00Z", "expirer", "2026-11-20T10:20:00Z")
    assert by_time.holds(there) is ends


def test_a_block_that_is_settled_need_not_be_due():
    settled = EndBlock(ItemKey("MERCHANT#m", "BLOCK#b"), "settled", "2026-11-20T10:20:00Z", "x")
    assert settled.holds({"status": "active", "expiry": "2026-12-20T10:20:00Z"})
    assert not settled.holds({"status": "expired"})
