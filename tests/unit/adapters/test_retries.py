"""How long is waited before something is tried again."""

import pytest

from falcon_balances.adapters.retries import delays


def test_there_is_a_delay_for_each_attempt_twice_as_long_each_time():
    assert list(delays(4, 0.05)) == [0.05, 0.1, 0.2, 0.4]
    assert list(delays(0, 0.05)) == []


def test_none_is_longer_than_the_longest():
    assert list(delays(4, 0.05, longest_s=0.15)) == [0.05, 0.1, 0.15, 0.15]


@pytest.mark.parametrize("_again", range(20))
def test_callers_who_met_are_spread_over_the_second_half_of_each_delay(_again):
    for delay_s, longest_s in zip(delays(4, 1, is_spread=True), (1, 2, 4, 8), strict=True):
        assert longest_s / 2 <= delay_s <= longest_s
    assert list(delays(4, 1, is_spread=True)) != list(delays(4, 1, is_spread=True))
