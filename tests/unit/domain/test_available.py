"""The rule of `available`, case by case, and the identities by which every figure adds up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.available import Agreement, agreement

NETS = st.integers(-(10**15), 10**15)


@pytest.mark.parametrize(
    ("confirmed", "reconciled", "expected"),
    [
        (0, 0, Agreement(0, 0, 0, 0, 0)),
        (99, 0, Agreement(0, 99, 0, 0, 0)),  # a sale that is not traced yet
        (99, 99, Agreement(99, 0, 0, 0, 0)),  # both say so
        (0, 99, Agreement(0, 0, 99, 0, 0)),  # traced, and nobody confirmed it
        (1_980, 198_000, Agreement(1_980, 0, 196_020, 0, 0)),  # yen a hundredfold
        (99, 90, Agreement(90, 9, 0, 0, 0)),  # settled short
        (-40, 0, Agreement(-40, 0, 0, 0, 40)),  # a refund counts at once
        (0, -40, Agreement(-40, 0, 0, 40, 0)),  # a refund that only the bank knows
        (-40, -40, Agreement(-40, 0, 0, 0, 0)),
        (-40, -30, Agreement(-40, 0, 0, 0, 10)),
        (-30, -40, Agreement(-40, 0, 0, 10, 0)),
        (50, -40, Agreement(-40, 50, 0, 40, 0)),  # the stages contradict each other
        (-40, 50, Agreement(-40, 0, 50, 0, 40)),
    ],
)
def test_what_two_stages_make_of_a_balance(confirmed, reconciled, expected):
    assert agreement(confirmed, reconciled) == expected


@given(NETS, NETS)
def test_every_figure_adds_up(confirmed, reconciled):
    said = agreement(confirmed, reconciled)
    assert said.counted == confirmed - said.pending - said.debits_unconfirmed
    assert said.counted == reconciled - said.unapplied - said.debits_untraced


@given(NETS, NETS)
def test_nobody_can_spend_what_only_one_side_has_said(confirmed, reconciled):
    said = agreement(confirmed, reconciled)
    assert said.counted <= confirmed
    assert said.counted <= reconciled


@given(NETS, NETS)
def test_what_is_awaited_is_never_below_zero(confirmed, reconciled):
    assert min(agreement(confirmed, reconciled)[1:]) >= 0


@given(NETS)
def test_stages_that_agree_leave_nothing_open(net):
    assert agreement(net, net) == (net, 0, 0, 0, 0)
