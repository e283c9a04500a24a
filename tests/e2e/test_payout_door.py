"""Every payout that is asked for has an outcome, and the money of each merchant is its own."""

import json
from contextlib import suppress
from typing import Any

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.domain.instants import rfc3339
from tests.e2e import observed, past
from tests.e2e.events import confirmed, context, direct, reconciled
from tests.e2e.paid_out import heard, listen
from tests.e2e.rounds import Figures, after, figures, load, now

PSP = "door-psp"
NAMES = ("returns", "one", "two", "hand", "risky")
MERCHANTS = [
    context(PSP, f"door-{name}", **({"risk": "high"} if name == "risky" else {})) for name in NAMES
]
SALES = [confirmed(PSP, f"sale-{name}", f"door-{name}", "100.00") for name in NAMES]
HUNDRED = {"confirmed": "100.00", "reconciled": "100.00"}
A_WHILE_S = 10


def payout(name, payout_id, amount, **changes):
    """Asked for now: a request that is too old is refused."""
    more = {"requested_at": rfc3339(utc_now()), **changes}
    return direct(f"door-{name}", "payout_id", payout_id, amount, **more)


def returned(amount, **more):
    said = {"type": "return", "returned_at": "2026-03-09T00:00:00Z", "bank_reference": "bank-9"}
    return direct("door-returns", "payout_id", "all", amount, **said, **more)


PAYOUTS = [
    payout("returns", "all", "100.00"),
    payout("one", "week-48", "30.00"),
    payout("two", "week-48", "40.00"),
    payout("nobody", "for-nobody", "1.00"),
    payout("one", "no-balance", "1.00", balance_shop_id="bs-door-nobody"),
]


@pytest.fixture(scope="module")
def outcomes_url(local_stack, tmp_path_factory):
    """A hundred is available to each; who listens hears every outcome from now on."""
    load(local_stack, tmp_path_factory.mktemp("door"), MERCHANTS)
    after(local_stack, confirmed=SALES, reconciled=map(reconciled, SALES))
    return listen(local_stack.target)


@pytest.fixture(scope="module")
def paid(local_stack, outcomes_url):
    assert outcomes_url
    return after(local_stack, payout=PAYOUTS)


@pytest.fixture(scope="module")
def came_back(local_stack, paid):
    """In two parts; then more than was paid, and one payout with another amount."""
    assert paid
    after(local_stack, payout=[returned("40.00"), returned("60.00", return_id="rest")])
    late = [returned("0.01", return_id="third"), payout("two", "week-48", "41.00")]
    return after(local_stack, payout=late)


@pytest.fixture(scope="module")
def outcomes(local_stack, outcomes_url, came_back):
    """(merchant, payout) -> what was announced of it, in any order, repeats left out."""
    assert came_back
    said = {each["outcome_id"]: each for each in heard(local_stack.target, outcomes_url)}
    found: dict[tuple[str, str], list[Any]] = {}
    for each in said.values():
        found.setdefault((each["merchant_id"], each["payout_id"]), []).append(each)
    return found


def told(outcomes, name, payout_id):
    announced = outcomes.get((f"m-door-{name}", payout_id), [])
    return sorted((each["outcome"], each.get("amount") or "") for each in announced)


def test_two_partial_returns_bring_the_whole_payout_back(paid, came_back, outcomes):
    assert figures(paid, "door-returns") == Figures(**HUNDRED, withdrawn="100.00")
    # 40.00 and 60.00; the cent above them was never paid.
    assert figures(came_back, "door-returns") == Figures(**HUNDRED, available="100.00")
    announced = told(outcomes, "returns", "all")
    assert announced[0] == ("accepted", "100.00")
    assert [each for each in announced if each[0] == "returned"] == [
        ("returned", "40.00"),
        ("returned", "60.00"),
    ]


def test_what_comes_back_beyond_what_was_paid_is_refused(local_stack, came_back):
    assert came_back
    codes = {
        json.loads(each.body).get("return_id"): each.code
        for each in observed.quarantined(local_stack.target, "payout")
        if b"door-returns" in each.body
    }
    assert codes == {"third": "E_NOT_PAID"}


def test_two_merchants_may_use_the_same_payout_id(paid, outcomes):
    assert figures(paid, "door-one") == Figures(**HUNDRED, withdrawn="30.00", available="70.00")
    assert figures(paid, "door-two") == Figures(**HUNDRED, withdrawn="40.00", available="60.00")
    assert told(outcomes, "one", "week-48") == [("accepted", "30.00")]
    assert ("accepted", "40.00") in told(outcomes, "two", "week-48")


@pytest.mark.parametrize(
    ("name", "payout_id", "code"),
    [
        ("nobody", "for-nobody", "E_UNKNOWN_MERCHANT"),
        ("one", "no-balance", "E_NO_BALANCE_SHOP"),
    ],
)
def test_a_payout_that_nobody_can_make_gets_its_outcome(outcomes, name, payout_id, code):
    announced = outcomes.get((f"m-door-{name}", payout_id), [])
    assert [(each["outcome"], each.get("code")) for each in announced] == [("rejected", code)]


def test_a_payout_whose_id_was_used_is_told_how_the_first_one_stands(came_back, outcomes):
    announced = {each["outcome"]: each for each in outcomes.get(("m-door-two", "week-48"), [])}
    rejected = announced.get("rejected", {})
    assert (rejected.get("code"), rejected.get("requested_amount")) == ("E_ID_CONFLICT", "41.00")
    assert (rejected["first"]["outcome"], rejected["first"]["amount"]) == ("accepted", "40.00")
    assert figures(came_back, "door-two") == Figures(
        **HUNDRED, withdrawn="40.00", available="60.00"
    )


def test_a_payout_asked_for_again_by_hand_is_the_same_payout(local_stack, outcomes_url):
    """Each time the command says another `requested_at`: when it was run."""
    assert outcomes_url
    words = ("payout", "request", "m-door-hand", "bs-door-hand", "40.00", "EUR")
    runs = [
        local_stack.falcon(*words, "--payout-id", "by-hand", "--wait", "--json") for _ in range(2)
    ]
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 2
    assert json.loads(runs[0].stdout) == json.loads(runs[1].stdout)
    assert figures(now(local_stack), "door-hand") == Figures(
        **HUNDRED, withdrawn="40.00", available="60.00"
    )


def test_a_second_payout_at_high_risk_is_paid_while_the_first_is_not_counted(
    local_stack, outcomes_url
):
    """The first is in the log and set aside in the table, and may be taken off only once."""
    assert outcomes_url
    target = local_stack.target
    with past.held_reducer(target):
        for payout_id in ("risky-1", "risky-2"):
            observed.send(target, "payout", [json.dumps(payout("risky", payout_id, "50.00"))])
            with suppress(AssertionError):  # it may also wait for the first to be counted
                observed.wait_until(lambda: observed.in_flight(target) == 0, A_WHILE_S)
    observed.drain(target)
    assert figures(now(local_stack), "door-risky") == Figures(**HUNDRED, withdrawn="100.00")
