"""Payouts at a balance to which others write: they wait, and then come back alone."""

import pytest

from falcon_balances.domain.table_writes import AddCounters
from lambdas.payout_decider.patience import CONTENTION_DELAYS_S
from tests.component.paying import BALANCE, Paying, request

LONGEST = len(CONTENTION_DELAYS_S)


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.mark.parametrize("conflicts", [1, LONGEST, LONGEST + 1])
def test_others_at_the_same_balance_are_waited_for_and_not_for_ever(paying, conflicts):
    left = [1] * conflicts
    paying.store.conflicts = lambda writes: [left.pop()] if left else []
    if conflicts > LONGEST:
        assert [each.is_later for each in paying.decide(request()).messages] == [True]
        assert paying.state() is None
    else:
        assert paying.run(request())[0].outcome == "accepted"
    assert paying.waits == list(CONTENTION_DELAYS_S[:conflicts])


def test_a_payout_at_a_balance_of_many_writers_comes_back_alone(paying):
    """No wait is left for the others, which need none."""
    other = BALANCE._replace(pk="MERCHANT#m-2")
    paying.store.apply([AddCounters(other, {"available": 10000})])
    paying.store.conflicts = lambda writes: [
        n for n, each in enumerate(writes) if each.key.pk == BALANCE.pk
    ]
    asked = [request(), request(payout_id="p-2", merchant_id="m-2")]
    decided = paying.decide(*asked)
    assert [each.is_later for each in decided.messages] == [True, False]
    assert paying.waits == list(CONTENTION_DELAYS_S)
    results = paying.announce(paying.record(decided))
    assert [each.is_later for each in results] == [True, False]
    assert [each.outcome for each in paying.topic.announced] == ["accepted"]
