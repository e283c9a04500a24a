import pytest
from hypothesis import given

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from tests.strategies import Case, accepted_cases, few


@few
@given(accepted_cases())
def test_a_claim_says_what_the_event_means_and_reads_back_as_itself(case: Case):
    operation, event = case.operation, case.split()
    claim = ClaimV1.of(operation, "2026-03-05T10:15:30Z", event)
    assert (claim.falcon_operation_id, claim.stage) == (
        falcon_operation_id(operation),
        operation.stage,
    )
    assert claim.fingerprint == fingerprint(operation)
    assert claim.context_versions == event.context_versions
    assert [(item.log_key, claim.body_of(item)) for item in claim.segments] == [
        (log_key(segment), csv_body(segment)) for segment in event.segments
    ]
    assert ClaimV1.model_validate_json(claim.model_dump_json()) == claim
    assert ClaimV1.model_validate(claim.model_dump(mode="json")) == claim


@few
@given(accepted_cases())
def test_metadata_of_a_log_object_is_ascii_and_depends_on_no_clock(case: Case):
    """S3 carries metadata in headers of 2 KB."""
    event = case.split()
    early, late = (ClaimV1.of(case.operation, at, event) for at in ("2026-01-01", "2027-01-01"))
    for segment, again in zip(early.segments, late.segments, strict=True):
        metadata = early.log_metadata(segment)
        assert metadata == late.log_metadata(again)
        assert metadata.keys() == {"fingerprint", "schema_version", "context_version"}
        assert all(value.isascii() and value.isprintable() for value in metadata.values())
        assert sum(len(name) + len(value) for name, value in metadata.items()) < 2048


@few
@given(accepted_cases())
def test_a_question_says_the_same_identity_and_no_segments(case: Case):
    question = ClaimV1.of(case.operation, "2026-03-05T10:15:30Z")
    claim = ClaimV1.of(case.operation, "2026-03-05T10:15:30Z", case.split())
    assert not question.segments
    assert not question.context_versions
    assert question == claim.model_copy(
        update={"segments": (), "texts": {}, "context_versions": (), "sale": None}
    )


@pytest.mark.parametrize("code", list(RejectionCode))
def test_a_rejection_keeps_code_and_reason(code):
    rejection = Rejection.of(RejectedOperation(code, "a field: a rule"))
    assert Rejection.model_validate_json(rejection.model_dump_json()) == rejection
    assert (rejection.code, rejection.reason) == (code, "a field: a rule")
