"""A payout stopped in any gap and driven again, or given up: one withdrawal or none, said once.

Every gap is written down: before and after each call that a payout makes. That none is missing is
checked against what is called, so that a new call must be listed here.
"""

from collections.abc import Callable
from itertools import combinations, count

import pytest

from falcon_balances.adapters.ports import ConditionFailed, LogObject, TryAgain, WriteOutcome
from falcon_balances.contracts.payouts import PayoutLoggerInput
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.fakes.interruptions import Crash
from tests.component.paying import ID, Paying, request, returned
from tests.component.payout_gaps import (
    ANNOUNCE,
    APPEND,
    CLAIM,
    DECIDE,
    IS_DECIDED,
    IS_PAID,
    LOOK_UP,
    PAID,
    PUBLISH,
    REFUSED,
    REJECTED,
    RETURNED,
    WHEREVER_STOPPED,
    assert_settled,
    gaps,
    in_every,
    phase_of,
    runs_into,
    stopped,
)


@pytest.fixture
def paying() -> Paying:
    return Paying()


@pytest.mark.parametrize(
    ("listed", "available", "document"),
    [
        (PAID, 10000, request()),
        (REFUSED, 3999, request()),
        (RETURNED, 10000, returned()),
        (REJECTED, 10000, request(merchant_id="m-unknown")),
    ],
    ids=["paid", "refused", "returned", "rejected"],
)
def test_no_gap_is_missing(paying, listed, available, document):
    paying.give(available - 10000)
    if listed is RETURNED:
        paying.run(request())
        paying.passed.clear()
    paying.run(document)
    assert paying.passed == listed


MEANWHILE: dict[str, tuple[Callable[[Paying], object], list[str]]] = {
    "nothing": (lambda _paying: None, ["accepted", "accepted", "accepted"]),
    "the money goes": (lambda paying: paying.give(-7000), ["refused", "accepted", "accepted"]),
    "it is given up": (Paying.give_up, ["accepted", "given_up", "accepted"]),
    "it is counted": (Paying.count, ["accepted", "accepted", "accepted"]),
}


@in_every(PAID)
@WHEREVER_STOPPED
@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_payout_stopped_in_any_gap_and_driven_again_is_one_withdrawal_or_none(
    paying, gap, error, meanwhile
):
    """`outcomes`: where it was stopped before the decision, before `logging`, and after that."""
    happens, outcomes = MEANWHILE[meanwhile]
    assert stopped(paying, gap, error, request())
    assert paying.passed[-1] == PAID[gap]
    happens(paying)
    for _ in range(2):
        paying.run(request())
    assert_settled(paying, outcomes[phase_of(gap)], 3000 if "money" in meanwhile else 10000)


def test_a_payout_stopped_twice_in_any_two_gaps_is_one_withdrawal():
    for first in range(len(PAID)):
        for second in count():
            paying = Paying()
            assert stopped(paying, first, Crash, request())
            was_stopped = stopped(paying, second, Crash, request())
            paying.run(request())
            assert_settled(paying, "accepted")
            if not was_stopped:
                break
        # Once decided, another attempt has the same calls but those that its state spares it.
        assert second >= len(gaps(LOOK_UP, DECIDE, APPEND, PUBLISH, ANNOUNCE))


@in_every(REFUSED)
@WHEREVER_STOPPED
def test_a_refusal_stopped_in_any_gap_holds_once_it_is_claimed(paying, gap, error):
    paying.give(-10000)
    assert stopped(paying, gap, error, request())
    assert paying.passed[-1] == REFUSED[gap]
    paying.give(10000)
    for _ in range(2):
        paying.run(request())
    is_claimed = gap >= REFUSED.index(f"after {CLAIM}")
    assert_settled(paying, "refused" if is_claimed else "accepted")


@in_every(RETURNED)
@WHEREVER_STOPPED
@pytest.mark.parametrize("first", [request(), returned(amount="15.00")], ids=["payout", "return"])
def test_a_return_stopped_in_any_gap_and_driven_again_comes_back_once(paying, gap, error, first):
    paying.run(request())
    assert stopped(paying, gap, error, returned(amount="15.00"))
    assert paying.passed[-1] == RETURNED[gap]
    for document in (first, returned(amount="15.00"), request()):
        paying.run(document)
    assert len(paying.log.objects) == 2
    said = {each.outcome: each.outcome_id for each in paying.topic.announced}
    assert said.keys() == {"accepted", "returned"}
    assert {each.outcome_id for each in paying.topic.announced} == set(said.values())
    for _ in range(2):
        assert paying.count() == {"available": 7500, "blocked": 0, "withdrawn": 2500}
    assert paying.state() == "paid"


def test_of_two_payouts_that_compete_one_is_paid_wherever_their_batch_is_stopped():
    """They are run again one by one, the second first."""
    rivals = [request(payout_id=f"rival-{n}", amount="60.00") for n in range(2)]
    winners = []
    for gap in count():
        paying = Paying()
        was_stopped = stopped(paying, gap, Crash, *rivals)
        for rival in reversed(rivals):
            paying.run(rival)
        outcomes = {each.payout_id: each.outcome for each in paying.topic.announced}
        assert sorted(outcomes.values()) == ["accepted", "refused"]
        assert len({each.outcome_id for each in paying.topic.announced}) == 2
        assert paying.count() == {"available": 4000, "blocked": 0, "withdrawn": 6000}
        assert len(paying.log.objects) == 1
        winners.append(next(name for name, outcome in outcomes.items() if outcome == "accepted"))
        if not was_stopped:
            break
    assert gap == len(PAID + gaps(DECIDE, CLAIM, ANNOUNCE))
    assert winners == ["rival-1"] * IS_DECIDED + ["rival-0"] * (gap + 1 - IS_DECIDED)


@in_every(PAID)
def test_giving_up_in_any_gap_of_an_attempt_is_in_time_or_impossible(paying, gap):
    answers: list[WriteOutcome] = []
    assert runs_into(paying, gap, lambda: answers.extend(paying.give_up()), request())
    state = {"state": "paid" if gap >= IS_PAID else "logging"}
    expected = [[ConditionFailed({})], [], [ConditionFailed(state)]]
    assert answers[:1] == expected[phase_of(gap)]
    assert_settled(paying, "given_up" if phase_of(gap) == 1 else "accepted")


def test_what_is_given_up_is_not_logged_nor_published_and_is_said_again_the_same(paying):
    decided = paying.decide(request())
    assert paying.give_up() == []
    for step in (decided, decided, paying.decide(request())):
        paying.announce(paying.record(step))
        assert paying.topic.announced[-1].amount is None
    assert paying.everything()[-2:] == [0, 3]
    assert_settled(paying, "given_up")


@pytest.mark.parametrize("state", ["logging", "paid", "counted"])
def test_from_logging_on_nothing_is_given_up(paying, state):
    recorded = paying.record(paying.decide(request()))
    if state != "logging":
        paying.announce(recorded)
    if state == "counted":
        paying.count()
    before = paying.everything()
    [first, *_] = paying.give_up()
    assert first == ConditionFailed({"state": "paid" if state == "counted" else state})
    assert paying.everything() == before
    paying.announce(recorded)
    assert_settled(paying, "accepted")


def test_each_step_can_be_repeated_any_number_of_times(paying):
    decided = [paying.decide(request()) for _ in range(3)]
    assert decided == decided[:1] * 3
    recorded = [paying.record(decided[0]) for _ in range(3)]
    assert recorded == recorded[:1] * 3
    for _ in range(3):
        paying.announce(recorded[0])
    for step in (decided[0], recorded[0], paying.decide(request())):
        paying.announce(paying.record(step))
        paying.announce(recorded[0])
        assert paying.state() == "paid"
    assert len(paying.topic.announced) == 9
    assert_settled(paying, "accepted")


@pytest.mark.parametrize("ours", list(combinations(range(6), 3)), ids=str)
def test_two_attempts_whose_steps_mix_in_any_order_are_one_payout(paying, ours):
    """`ours`: which of the six steps are the first attempt's, the others are the second's."""
    made: dict[bool, list[PayoutLoggerInput]] = {True: [], False: []}
    for n in range(6):
        attempt = made[n in ours]
        if not attempt:
            attempt.append(paying.decide(request()))
        elif len(attempt) == 1:
            attempt.append(paying.record(attempt[0]))
        else:
            paying.announce(attempt[1])
    assert len(paying.topic.announced) == 2
    assert_settled(paying, "accepted")


def test_other_bytes_in_the_log_are_an_alarm_and_nothing_is_announced(paying):
    decided = paying.decide(request())
    assert decided.messages[0].claim is not None
    [segment] = decided.messages[0].claim.segments
    forged = LogObject(b"forged\n", {})
    paying.log.objects[segment.log_key] = forged
    for _ in range(2):
        with pytest.raises(IntegrityError, match=segment.log_key):
            paying.run(request())
    assert paying.log.objects == {segment.log_key: forged}
    assert paying.everything()[-2:] == [0, 0]
    assert paying.state() == "logging"


@pytest.mark.parametrize("step", ["record", "announce"])
def test_a_step_that_meets_another_transaction_comes_back_and_has_done_nothing(
    paying, monkeypatch, step
):
    said = paying.decide(request())
    if step == "announce":
        said = paying.record(said)
    before = paying.everything()
    with monkeypatch.context() as patch:
        patch.setattr(paying.claims, "move", lambda *_: [TryAgain()])
        with pytest.raises(TransientError, match=ID):
            getattr(paying, step)(said)
    assert paying.everything() == before
    paying.run(request())
    assert_settled(paying, "accepted")


def test_what_the_stream_does_not_take_is_not_announced(paying):
    paying.stream.refuse = lambda entries: range(len(entries))
    with pytest.raises(TransientError):
        paying.run(request())
    assert paying.everything()[-2:] == [0, 0]
    paying.stream.refuse = lambda _entries: ()
    paying.run(request())
    assert_settled(paying, "accepted")
