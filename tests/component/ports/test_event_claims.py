"""What a store of claims does, in memory and in DynamoDB."""

import pytest

from falcon_balances.domain.operations import Stage
from tests.builders import claim_of, confirmed, context_of, fee_of, marketplace, reconciled

CONTEXTS = (
    context_of("market"),
    *(context_of(str(n), fees=[fee_of("2.5", fixed={"EUR": "0.10"})]) for n in range(3)),
)
MARKETPLACE = marketplace([(str(n), "33.00", "1.00") for n in range(3)], "99.00")

DOCUMENTS = pytest.mark.parametrize(
    "claim",
    [
        pytest.param(claim_of(), id="one segment"),
        pytest.param(claim_of(reconciled()), id="reconciled"),
        pytest.param(claim_of(MARKETPLACE, *CONTEXTS), id="four merchants"),
        pytest.param(
            claim_of(confirmed(currency="JPY", amount="100"), context_of(fees=[fee_of("0.01")])),
            id="a currency without decimals",
        ),
    ],
)


def test_the_first_claim_is_written_and_nothing_answered(claims):
    assert claims.claim(claim_of()) is None


@DOCUMENTS
def test_a_later_claim_is_answered_with_the_first_in_every_field(claims, claim):
    claims.claim(claim)
    other = claim.model_copy(update={"fingerprint": "f" * 64, "segments": ()})
    assert claims.claim(other) == claim


@DOCUMENTS
def test_a_claim_found_is_the_one_that_was_written(claims, claim):
    claims.claim(claim)
    claims.claim(claim.model_copy(update={"received_at": "2027-01-01T00:00:00Z"}))
    assert claims.find(claim.falcon_operation_id, claim.stage) == claim


def test_an_event_that_nobody_claimed_is_not_found(claims):
    assert claims.find(claim_of().falcon_operation_id, Stage.CONFIRMED) is None


def test_the_stages_of_one_operation_are_claimed_apart(claims):
    first, second = claim_of(), claim_of(reconciled())
    assert first.falcon_operation_id == second.falcon_operation_id
    assert claims.claim(first) is None
    assert claims.claim(second) is None
    assert claims.find(first.falcon_operation_id, Stage.CONFIRMED) == first
    assert claims.find(first.falcon_operation_id, Stage.RECONCILED) == second
