"""Payouts that come back: only what was paid, once, and after their payout."""

import pytest

from falcon_balances.adapters.ports import TryAgain
from falcon_balances.contracts.payouts import PayoutLoggerInput
from falcon_balances.fakes.interruptions import never
from lambdas.payout_decider.patience import CONTENTION_DELAYS_S, RETURN_DELAYS_S
from tests.component.paying import ID, Paying, paid_out, request, returned


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.fixture
def paid() -> Paying:
    return paid_out()


def test_a_conflict_with_a_return_says_what_came_back_first(paid):
    paid.run(returned(amount="15.00"))
    paid.run(returned(amount="16.00"))
    first = paid.topic.announced[-1].first
    assert (first.outcome, first.amount, first.balance_shop_id) == ("returned", "15.00", "bs-1")


@pytest.mark.parametrize("amount", ["40.00", "39.99", "0.01"])
def test_what_was_paid_can_come_back_whole_or_in_part(paid, amount):
    [outcome] = paid.run(returned(amount=amount))
    assert (outcome.outcome, outcome.amount, outcome.requested_amount) == (
        "returned",
        amount,
        amount,
    )
    assert len(paid.log.objects) == 2
    [body] = [each.body for key, each in paid.log.objects.items() if ID not in key]
    assert f",payout-1,{amount},EUR,withdrawal_reversal,".encode() in body
    back = int(amount.replace(".", ""))
    assert paid.count() == {"available": 6000 + back, "blocked": 0, "withdrawn": 4000 - back}
    assert paid.state() == "paid"


def test_the_same_return_again_is_the_same_return(paid):
    outcomes = [paid.run(returned(amount="15.00")) for _ in range(3)]
    assert outcomes == [outcomes[0]] * 3
    assert len(paid.log.objects) == 2
    assert paid.count() == {"available": 7500, "blocked": 0, "withdrawn": 2500}


@pytest.mark.parametrize(
    "changes",
    [{"amount": "25.00"}, {"bank_reference": "bank-2"}, {"returned_at": "2026-11-21T10:00:01Z"}],
    ids=str,
)
def test_a_second_return_with_another_content_is_refused(paid, changes):
    paid.run(returned(amount="15.00"))
    said = {"amount": "15.00"} | changes
    assert paid.refusal(returned(**said))[0] == "E_ID_CONFLICT"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"amount": "40.01"}, "amount: "),
        ({"balance_shop_id": "bs-2"}, "balance_shop_id, currency: "),
        ({"merchant_id": "m-2"}, "payout_id: "),
        ({"currency": "JPY", "amount": "1"}, "balance_shop_id, currency: "),
        ({"payout_id": "payout-2"}, "payout_id: "),
    ],
)
def test_what_was_not_paid_like_this_cannot_come_back(paid, changes, named):
    code, reason = paid.refusal(returned(**changes))
    assert code == "E_NOT_PAID"
    assert reason.startswith(named)


def test_no_more_than_what_was_paid_comes_back_of_a_payout_that_was_paid_in_part(paying):
    paying.give(-7500)
    paying.run(request(minimum_amount="10.00"))
    assert paying.refusal(returned(amount="25.01"))[0] == "E_NOT_PAID"
    assert paying.run(returned(amount="25.00"))[0].outcome == "returned"


def test_one_payout_comes_back_in_several_parts(paid):
    parts = [{"amount": "10.00"}, {"amount": "25.00", "return_id": "r-2"}, {"return_id": "r-3"}]
    outcomes = [paid.run(returned(**({"amount": "5.00"} | part))) for part in parts]
    assert [each.amount for [each] in outcomes] == ["10.00", "25.00", "5.00"]
    assert len({each.outcome_id for [each] in outcomes}) == 3
    assert [each.return_id for [each] in outcomes] == [None, "r-2", "r-3"]
    assert paid.run(returned(**parts[1])) == outcomes[1]
    assert paid.claims.claims[ID, "payout"].returned == 4000
    assert paid.count() == {"available": 10000, "blocked": 0, "withdrawn": 0}


@pytest.mark.parametrize(("first", "second"), [("40.00", "0.01"), ("0.01", "40.00")])
def test_all_returns_of_a_payout_together_are_never_more_than_was_paid(paid, first, second):
    paid.run(returned(amount=first))
    code, reason = paid.refusal(returned(amount=second, return_id="r-2"))
    assert (code, reason[:8]) == ("E_NOT_PAID", "amount: ")
    assert len(paid.claims.claims[ID, "payout"].returned_by) == 1


@pytest.mark.parametrize("amount", ["14.99", "25.01", "40.01"])
def test_a_return_id_seen_with_another_amount_is_a_conflict(paid, amount):
    paid.run(returned(amount="15.00", return_id="r-1"))
    assert paid.refusal(returned(amount=amount, return_id="r-1"))[0] == "E_ID_CONFLICT"


@pytest.mark.parametrize("point", ["before", "after"])
def test_of_two_returns_at_once_that_exceed_the_payout_together_one_is_refused(paid, point):
    others = []

    def happens(passed: str) -> None:
        if passed == f"{point} MemoryPayoutClaims.claim_return":
            paid.happens = never
            others.extend(paid.decide(returned(amount="25.00", return_id="r-2")).messages)

    paid.happens = happens
    both = [*paid.decide(returned(amount="20.00")).messages, *others]
    codes = {each.rejection.code if each.rejection else None for each in both}
    assert codes == {None, "E_NOT_PAID"}
    back = paid.claims.claims[ID, "payout"].returned
    assert back == (2500 if point == "before" else 2000)


@pytest.mark.parametrize("conflicts", [1, len(CONTENTION_DELAYS_S) + 1])
def test_a_return_that_meets_others_waits_and_not_for_ever(paid, monkeypatch, conflicts):
    real, left = paid.claims.claim_return, [TryAgain()] * conflicts
    monkeypatch.setattr(
        paid.claims, "claim_return", lambda *said: left.pop() if left else real(*said)
    )
    if conflicts > len(CONTENTION_DELAYS_S):
        assert [each.is_later for each in paid.decide(returned()).messages] == [True]
        assert paid.claims.claims[ID, "payout"].returned == 0
    else:
        assert paid.run(returned())[0].outcome == "returned"


def test_what_was_refused_cannot_come_back(paying):
    paying.give(-10000)
    paying.run(request())
    assert paying.refusal(returned())[0] == "E_NOT_PAID"
    assert paying.waits == []


def test_what_was_given_up_cannot_come_back(paying):
    decided = paying.decide(request())
    paying.give_up()
    paying.announce(paying.record(decided))
    assert paying.refusal(returned())[0] == "E_NOT_PAID"


def test_a_return_waits_for_its_request_and_not_for_ever(paying):
    assert paying.refusal(returned())[0] == "E_NOT_PAID"
    assert paying.waits == list(RETURN_DELAYS_S)


def test_one_execution_waits_no_longer_for_many_returns_than_for_one(paying):
    """Its task ends after 20 s, and good messages are behind the bad ones."""
    unknown = [returned(payout_id=f"never-{n}") for n in range(3)]
    for message in paying.decide(*unknown).messages:
        assert message.rejection is not None
        assert message.rejection.code == "E_NOT_PAID"
    assert sum(paying.waits) + sum(CONTENTION_DELAYS_S) < 15


@pytest.mark.parametrize("state", ["decided", "logging"])
def test_a_return_of_what_is_under_way_comes_back_to_its_queue(paying, state):
    recorded = decided = paying.decide(request())
    if state == "logging":
        recorded = paying.record(decided)
    before = paying.everything()
    assert [each.is_later for each in paying.decide(returned()).messages] == [True]
    assert paying.everything() == before
    paying.announce(paying.record(recorded))
    assert paying.run(returned())[0].outcome == "returned"


def test_a_return_that_came_a_moment_early_is_taken_once_the_payout_is_paid(paying):
    decided = paying.decide(request())
    recorded: list[PayoutLoggerInput] = []

    def goes_on() -> None:
        if len(paying.waits) == 2:
            recorded.append(paying.record(decided))
        elif len(paying.waits) == 3:
            paying.announce(recorded[0])

    paying.waiting = goes_on
    assert paying.run(returned())[-1].outcome == "returned"
    assert paying.waits == [1.5] * 3
