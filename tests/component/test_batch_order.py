"""What a batch says of its records when they arrived at different times."""

from datetime import timedelta

import pytest

from falcon_balances.domain.payouts import payout_block
from falcon_balances.domain.table_keys import ItemKey
from tests.builders import confirmed, context_of, data_of, record_of, shop
from tests.component.counting_blocks import (
    BALANCE,
    NOW,
    REQUEST,
    Counting,
    authorization,
    refund,
    withdrawal,
)

FIRST, SECOND, THIRD = (NOW + timedelta(seconds=n) for n in (1, 2, 3))


@pytest.fixture
def counting() -> Counting:
    return Counting()


def test_each_block_ends_when_its_own_record_arrived(counting):
    refunded, paid = authorization(), payout_block(REQUEST, 7000, NOW)
    for block in (refunded, paid):
        counting.request(block)
    counting.reduce_arrivals((withdrawal(7000), FIRST), (refund(refunded), SECOND))
    assert counting.block(paid).ended_at == FIRST
    assert counting.block(refunded).ended_at == SECOND


def test_a_balance_is_negative_since_the_last_record_of_its_own(counting):
    other = ItemKey("MERCHANT#m-b", "BALANCE#bs-b-eur#EUR")
    loss = confirmed(type="chargeback", amount="200.00")
    of_another = record_of(loss | shop("b"), context_of("b"))
    counting.reduce_arrivals(
        (data_of(record_of(loss)), FIRST), (refund(), SECOND), (data_of(of_another), THIRD)
    )
    assert counting.store.available_now([BALANCE, other]) == {
        BALANCE: (10000 - 20000 - 1500, SECOND),
        other: (-20000, THIRD),
    }
