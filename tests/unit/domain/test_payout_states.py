"""The states of a payout, and the moves between them."""

import pytest

from falcon_balances.domain.payout_states import (
    DECIDED_AGAINST,
    GIVE_UP,
    LOG,
    MOVES,
    PAY,
    UNDER_WAY,
    PayoutState,
)


@pytest.mark.parametrize(
    ("state", "next_states"),
    [
        ("decided", {"logging", "given_up"}),
        ("logging", {"paid"}),  # forward only: its line may be in the log
        ("paid", set()),
        ("given_up", set()),
        ("refused", set()),
    ],
)
def test_a_payout_moves_only_like_this(state, next_states):
    assert {move.target for move in MOVES if move.source == state} == next_states


def test_each_move_is_made_by_one_hand():
    assert [LOG, PAY, GIVE_UP] == [
        ("decided", "logging"),
        ("logging", "paid"),
        ("decided", "given_up"),
    ]


def test_every_state_is_under_way_or_an_end_and_two_ends_pay_nothing():
    ends = set(PayoutState) - UNDER_WAY
    assert {"decided", "logging"} == UNDER_WAY
    assert ends == {"paid"} | DECIDED_AGAINST
    assert {"refused", "given_up"} == DECIDED_AGAINST
