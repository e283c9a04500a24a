"""`falcon block`, `payout`, `ops adjust` and `ops payout give-up`, as an operator runs them."""

import json

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.blocks import block_writes
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import payout_block, withdrawal_of
from tests.e2e import observed
from tests.e2e.events import DATE, FOR_EVER, confirmed, context, direct, jsonl, reconciled

PSP = "command-psp"
BALANCE = ("m-operated", "bs-operated")
# What a test spends or corrects is a merchant's of its own, so that no test leans on another.
NAMES = ("operated", "held", "payee", "emptied", "adjusted", "stuck")
HELD, PAYEE, EMPTIED, ADJUSTED, STUCK = ((f"m-{name}", f"bs-{name}") for name in NAMES[1:])


@pytest.fixture(scope="module")
def run(stack, falcon, tmp_path_factory):
    """`run(0, "block", …)`: the JSON that the command printed, ended with this exit code."""
    contexts = [context(PSP, name) for name in NAMES]
    file = jsonl(tmp_path_factory.mktemp("commands") / "m.jsonl", contexts)
    assert falcon("merchants", "load", file).returncode == 0
    events = [confirmed(PSP, f"money-{name}", name, "100.00") for name in NAMES]
    observed.send(stack, "confirmed", [json.dumps(each) for each in events])
    observed.send(stack, "reconciled", [json.dumps(reconciled(each)) for each in events])
    observed.drain(stack)

    def command(exit_code, *words):
        done = falcon(*words, "--json")
        assert done.returncode == exit_code, (done.stdout, done.stderr)
        lines = done.stdout.strip()
        return json.loads(lines) if lines else done.stderr

    return command


def figures(run, merchant_id="m-operated"):
    (balance,) = run(0, "balance", merchant_id)["balances"]
    return balance["available"], balance["blocked"], balance["withdrawn"], balance["adjusted"]


def create(run, exit_code, amount, key, *more, balance=BALANCE):
    words = ("block", "create", *balance, amount, "EUR", "--reference", "case-1", "--key", key)
    return run(exit_code, *words, *more)


def test_a_block_is_created_once_shown_listed_and_released(run):
    before = figures(run, HELD[0])
    planned = create(run, 0, "30.00", "k1", "--dry-run", balance=HELD)
    assert (planned["available"], planned["covered"]) == (before[0], True)
    assert figures(run, HELD[0]) == before
    made = create(run, 0, "30.00", "k1", "--expires-in", "600", balance=HELD)
    assert create(run, 0, "30.00", "k1", "--expires-in", "600", balance=HELD) == made
    assert "amount" in create(run, 1, "31.00", "k1", "--expires-in", "600", balance=HELD)
    block_id = made["block_id"]
    assert run(0, "block", "show", HELD[0], block_id)["status"] == "active"
    assert run(0, "block", "list", HELD[0])["block_id"] == block_id
    assert run(0, "block", "release", HELD[0], block_id, "--dry-run")["status"] == "active"
    assert run(0, "block", "release", HELD[0], block_id)["status"] == "released"
    assert figures(run, HELD[0]) == before


def test_what_cannot_be_blocked_says_why(run):
    assert create(run, 0, "999.00", "k2", "--dry-run")["covered"] is False
    assert "100.00 EUR" in create(run, 1, "999.00", "k2")
    assert "E_SCALE" in create(run, 1, "1.001", "k3")
    assert "E_DATE" in create(run, 1, "1.00", "k3", "--expires-in", "0")
    assert "Idempotency-Key" in create(run, 1, "1.00", "a b")
    assert "Not found" in run(1, "block", "show", "m-operated", "nothing")
    assert "Not found" in run(1, "block", "list", "m-nobody")
    assert "Not found" in run(1, "block", "show", "../../merchants", "x/y?z=1")


def test_a_payout_is_requested_paid_and_traced(run):
    words = ("payout", "request", *PAYEE, "40.00", "EUR", "--payout-id", "operated-1")
    available, *_ = figures(run, PAYEE[0])
    assert run(0, *words, "--dry-run")["payout_id"] == "operated-1"
    assert "is not known for this merchant" in run(1, "payout", "trace", PAYEE[0], "operated-1")
    paid = run(0, *words, "--requested-at", DATE, "--valid-until", FOR_EVER, "--wait")
    assert (paid["state"], paid["block"]["status"]) == ("paid", "settled")
    assert run(0, *words, "--wait") == paid
    late = ("--requested-at", DATE, "--valid-until", DATE, "--payout-id", "operated-late")
    refused = run(1, *words[:-2], *late, "--wait")
    assert (refused["state"], refused["refused_because"]) == ("refused", "expired")
    assert run(0, "payout", "trace", PAYEE[0], "operated-1") == paid
    assert "E_ID_CONFLICT" in run(1, *words[:4], "41.00", *words[5:], "--wait")
    assert float(figures(run, PAYEE[0])[0]) == float(available) - 40
    assert "paid" in run(1, "ops", "payout", "give-up", PAYEE[0], "operated-1", "--by", "anna")


def test_a_payout_takes_what_there_is_or_is_refused(run):
    words = ("payout", "request", *EMPTIED, "900.00", "EUR", "--payout-id")
    refused = run(1, *words, "operated-2", "--wait")
    assert refused["state"] == "refused"
    assert refused["available_when_refused"] == figures(run, EMPTIED[0])[0]
    assert "minimum_amount" in run(1, *words, "operated-3", "--minimum", "900.01")
    available = figures(run, EMPTIED[0])[0]
    some = run(0, *words, "operated-3", "--minimum", "1.00", "--wait")
    assert some["block"]["amount"] == available
    assert figures(run, EMPTIED[0])[0] == "0.00"


def test_an_adjustment_and_what_it_corrects_point_at_each_other(run):
    captured = run(0, "psp", "trace", PSP, "capture", "money-adjusted")["falcon_operation_id"]
    words = ("ops", "adjust", *ADJUSTED, "credit", "5.00", "EUR", "--adjustment-id", "operated-1")
    why = (
        "--reason",
        "paid twice",
        "--reason-code",
        "paid-twice",
        "--requested-by",
        "anna",
        "--corrects",
        captured,
    )
    assert run(0, *words, *why, "--dry-run")["direction"] == "credit"
    adjusted = run(0, *words, *why, "--wait")
    assert adjusted["counted"] == 1
    correction = run(0, "psp", "trace", adjusted["falcon_operation_id"])
    assert correction["stages"][0]["corrects"] == captured
    corrected = run(0, "psp", "trace", captured)
    assert corrected["corrected_by"] == [adjusted["falcon_operation_id"]]
    assert figures(run, ADJUSTED[0])[3] == "5.00"
    assert "E_SCHEMA reason" in run(1, *words, "--reason", " ", *why[2:]).replace(":", "")
    assert "direction" in run(1, "ops", "adjust", *ADJUSTED, "up", *words[5:], *why)


def test_a_credit_for_money_that_one_side_has_said_is_refused(run, stack):
    observed.send(stack, "confirmed", [json.dumps(confirmed(PSP, "untraced", "operated", "7.00"))])
    observed.drain(stack)
    untraced = run(0, "psp", "trace", PSP, "capture", "untraced")["falcon_operation_id"]
    before = figures(run)
    words = ("7.00", "EUR", "--adjustment-id", "operated-2", "--reason", "lost")
    who = ("--reason-code", "lost", "--requested-by", "anna")
    why = (*words, *who, "--corrects", untraced)
    assert "pending" in run(1, "ops", "adjust", *BALANCE, "credit", *why)
    assert run(0, "ops", "adjust", *BALANCE, "debit", *why, "--dry-run")["direction"] == "debit"
    assert figures(run) == before


def decided(stack, payout_id):
    """A payout whose function died right after the decision."""
    event = direct("stuck", "payout_id", payout_id, "5.00", requested_at=DATE)
    request = parse_document(event, Stage.PAYOUT)
    assert isinstance(request, PayoutRequest)
    claim = ClaimV1.of(request, DATE, withdrawal_of(request, 500), state=PayoutState.DECIDED)
    claims = DynamoPayoutClaims(stack.client("dynamodb"), stack.claims_table, stack.balances_table)
    assert claims.decide(claim, block_writes(payout_block(request, 500, utc_now()))) is None
    return json.dumps(event)


def test_a_payout_that_never_reached_the_log_is_given_up_for_good(run, stack):
    before = figures(run, STUCK[0])
    message = decided(stack, "operated-4")
    assert figures(run, STUCK[0])[1] == "5.00"
    words = ("ops", "payout", "give-up", STUCK[0], "operated-4", "--by", "anna")
    assert run(0, *words, "--dry-run")["state"] == "decided"
    given_up = run(0, *words)
    assert (given_up["state"], given_up["block"]["status"]) == ("given_up", "released")
    assert run(0, *words) == given_up
    assert figures(run, STUCK[0]) == before
    # Redriven, its message finds it so.
    observed.send(stack, "payout", [message])
    observed.drain(stack)
    assert run(0, "payout", "trace", STUCK[0], "operated-4") == given_up
    assert figures(run, STUCK[0]) == before
    assert "is not known for this merchant" in run(
        1, "ops", "payout", "give-up", STUCK[0], "operated-5", "--by", "anna"
    )


def test_a_file_of_any_stage_is_validated_as_what_it_says(run, falcon, tmp_path):
    stages = ("confirmed", "reconciled", "payout", "adjustment")
    samples = [falcon("psp", "sample", "--stage", stage).stdout for stage in stages]
    file = tmp_path / "mixed.jsonl"
    file.write_text("".join(samples))
    checked = run(0, "psp", "validate", str(file))
    assert checked["valid"] == checked["lines"] > len(stages)
