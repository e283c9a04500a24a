"""Until when a payout request may be decided."""

from datetime import timedelta

import pytest

from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.payouts import is_expired

NOON = parse_rfc3339("2026-11-20T12:00:00Z")
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("requested_at", "valid_until", "received_at", "decided_at", "expired"),
    [
        (NOON, None, NOON, NOON + 3 * DAY, False),
        (NOON, None, NOON, NOON + 3 * DAY + SECOND, True),
        (NOON - 200 * DAY, None, NOON, NOON + 3 * DAY, False),  # dates of the past are fine
        (NOON - 200 * DAY, None, NOON, NOON + 3 * DAY + SECOND, True),
        (NOON, NOON + SECOND, NOON, NOON + SECOND, False),
        (NOON, NOON + SECOND, NOON, NOON + 2 * SECOND, True),
        (NOON - 200 * DAY, NOON - 199 * DAY, NOON, NOON, True),
        (NOON, NOON + 90 * DAY, NOON, NOON + 90 * DAY, False),
    ],
)
def test_a_request_is_decided_while_it_is_valid(
    requested_at, valid_until, received_at, decided_at, expired
):
    request = PayoutRequest(
        merchant_id="m",
        balance_shop_id="bs",
        amount=Money(100, Currency("EUR", 2)),
        payout_id="p",
        requested_at=requested_at,
        valid_until=valid_until,
    )
    assert is_expired(request, received_at, decided_at) is expired
