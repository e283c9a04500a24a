"""The persister: one claim, then what the claim says in the log, whatever crashes or meets."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import (
    PersistedMessage,
    PersisterInput,
    PublisherInput,
    SplitMessage,
)
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.domain.errors import IntegrityError, RejectionCode, TransientError
from inprocess.aws import CLAIMS_TABLE, LOG_BUCKET
from lambdas.persister import handler as persister
from tests.builders import claim_of, confirmed, context_of, fee_of, marketplace, records_of
from tests.component.lambda_events import lambda_context

CLAIM = claim_of()
[SEGMENT] = CLAIM.segments
BODY = CLAIM.body_of(SEGMENT)
WITH_FEE = claim_of(confirmed(), context_of(fees=[fee_of()]))
OTHER_CONTENT = claim_of(confirmed(amount="999.00"))
SELLERS = [context_of(name) for name in ("market", "a", "b")]
MARKETPLACE = claim_of(
    marketplace([("a", "60.00", "3.00"), ("b", "40.00", None)], "100.00"), *SELLERS
)
UNKNOWN = Rejection(code=RejectionCode.UNKNOWN_MERCHANT, reason="local_merchant_id: unknown")


def persist(*claims: ClaimV1, rejection: Rejection | None = None) -> tuple[PersistedMessage, ...]:
    step = PersisterInput(
        messages=tuple(
            SplitMessage(message_id=f"message-{n}", claim=claim, rejection=rejection)
            for n, claim in enumerate(claims)
        )
    )
    answer = persister.lambda_handler(json.loads(step.model_dump_json()), lambda_context())
    return PublisherInput.model_validate_json(json.dumps(answer)).messages


def claim_in(message: PersistedMessage) -> ClaimV1:
    assert message.claim is not None
    return message.claim


class MeetingAt:
    """A client whose named call first lets `other` run to its end, the first time."""

    def __init__(self, service: str, operation: str, other: Callable[[], object]) -> None:
        self._real: Any = client(service)  # type: ignore[call-overload]
        self._operation = operation
        self._other: Callable[[], object] | None = other

    def __getattr__(self, name: str) -> Any:
        if name == self._operation and self._other is not None:
            other, self._other = self._other, None
            other()
        return getattr(self._real, name)


def meet_at(monkeypatch, service: str, operation: str, other: Callable[[], object]) -> None:
    meeting = MeetingAt(service, operation, other)
    monkeypatch.setattr(
        persister, "client", lambda asked: meeting if asked == service else client(asked)
    )
    persister._adapters.cache_clear()


def put_log_object(
    body: bytes, key: str = SEGMENT.log_key, metadata: Mapping[str, str] | None = None
) -> None:
    client("s3").put_object(Bucket=LOG_BUCKET, Key=key, Body=body, Metadata=metadata or {})


def test_the_claim_and_the_log_say_the_same_and_so_does_the_answer(aws):
    [message] = persist(CLAIM)
    assert message.rejection is None
    assert records_of(claim_in(message)) == records_of(CLAIM)
    assert aws.log() == {SEGMENT.log_key: BODY}
    [claim] = aws.claims()
    assert claim == CLAIM


def test_a_log_object_bears_fingerprint_and_versions_and_nothing_of_the_attempt(aws):
    persist(CLAIM)
    head = client("s3").head_object(Bucket=LOG_BUCKET, Key=SEGMENT.log_key)
    assert head["Metadata"] == {
        "fingerprint": CLAIM.fingerprint,
        "schema_version": "1",
        "context_version": context_of().logged_as,
    }
    assert head["ContentType"] == "text/csv; charset=utf-8"


def test_a_second_run_answers_the_same_and_writes_nothing(aws):
    first = persist(CLAIM, MARKETPLACE)
    state = (aws.claims(), aws.log_versions())
    assert persist(CLAIM, MARKETPLACE) == first
    assert (aws.claims(), aws.log_versions()) == state


def test_what_lies_there_with_the_same_bytes_is_as_good_as_written(aws):
    put_log_object(BODY.encode())
    versions = aws.log_versions()
    [message] = persist(CLAIM)
    assert records_of(claim_in(message)) == records_of(CLAIM)
    assert aws.log_versions() == versions


@pytest.mark.parametrize("metadata", [{}, CLAIM.log_metadata(SEGMENT)], ids=["none", "ours"])
def test_what_lies_there_with_other_bytes_is_an_alarm_and_stays(aws, metadata):
    """Also under the same fingerprint, which an object's metadata say."""
    put_log_object(b"forged\n", metadata=metadata)
    versions = aws.log_versions()
    with pytest.raises(IntegrityError, match=SEGMENT.log_key):
        persist(CLAIM)
    assert aws.log_versions() == versions
    assert aws.log() == {SEGMENT.log_key: "forged\n"}


def test_another_content_under_a_known_identity_is_refused_and_nothing_overwritten(aws):
    persist(CLAIM)
    state = (aws.claims(), aws.log_versions())
    [message] = persist(OTHER_CONTENT)
    assert message.rejection is not None
    assert message.rejection.code == "E_ID_CONFLICT"
    assert message.claim is None
    assert (aws.claims(), aws.log_versions()) == state


@pytest.mark.parametrize("ours", [CLAIM, WITH_FEE], ids=["the same lines", "other lines"])
@pytest.mark.parametrize(("service", "operation"), [("dynamodb", "put_item"), ("s3", "put_object")])
def test_two_copies_that_meet_write_once_what_the_first_claim_says(
    aws, monkeypatch, ours, service, operation
):
    """At the claim the other is first; at the PUT our claim is, and the other has written it."""
    others: list[PersistedMessage] = []
    meet_at(monkeypatch, service, operation, lambda: others.extend(persist(CLAIM)))
    [message] = persist(ours)
    first = CLAIM if service == "dynamodb" else ours
    assert records_of(claim_in(message)) == records_of(first)
    assert message.claim == others[0].claim
    assert list(aws.log().values()) == [first.body_of(segment) for segment in first.segments]
    assert len(aws.log_versions()) == len(aws.claims()) == 1


def test_two_contents_that_meet_at_the_claim_leave_one(aws, monkeypatch):
    meet_at(monkeypatch, "dynamodb", "put_item", lambda: persist(OTHER_CONTENT))
    [message] = persist(CLAIM)
    assert message.rejection is not None
    assert message.rejection.code == "E_ID_CONFLICT"
    assert list(aws.log().values()) == [
        OTHER_CONTENT.body_of(segment) for segment in OTHER_CONTENT.segments
    ]


def test_the_same_event_twice_in_a_chunk_is_persisted_once_and_answered_twice(aws):
    answers = persist(*[CLAIM] * 20)
    assert [message.claim for message in answers] == [CLAIM] * len(answers)
    assert len(aws.claims()) == len(aws.log_versions()) == 1


def test_a_crash_amid_the_segments_of_an_event_is_mended_by_the_next_run(aws, monkeypatch):
    first, second, third = MARKETPLACE.segments
    put_log_object(MARKETPLACE.body_of(first).encode(), first.log_key)
    put_log_object(MARKETPLACE.body_of(third).encode(), third.log_key)
    persist(MARKETPLACE)
    assert aws.log() == {each.log_key: MARKETPLACE.body_of(each) for each in (first, second, third)}
    assert len(aws.log_versions()) == 3


def test_an_event_refused_now_but_claimed_before_means_what_the_claim_says(aws):
    persist(CLAIM)
    refused = ClaimV1.model_validate(CLAIM.model_dump() | {"segments": (), "context_versions": ()})
    [message] = persist(refused, rejection=UNKNOWN)
    assert message.rejection is None
    assert records_of(claim_in(message)) == records_of(CLAIM)


@pytest.mark.parametrize("before", [(), (OTHER_CONTENT,)], ids=["never claimed", "other content"])
def test_an_event_refused_now_stays_refused_and_claims_nothing(aws, before):
    persist(*before)
    state = (aws.claims(), aws.log_versions())
    [message] = persist(CLAIM, rejection=UNKNOWN)
    assert message.rejection == UNKNOWN
    assert message.claim is None
    assert (aws.claims(), aws.log_versions()) == state


def test_a_claim_that_cannot_be_written_writes_no_log(aws):
    client("dynamodb").delete_table(TableName=CLAIMS_TABLE)
    with pytest.raises(TransientError, match=CLAIM.falcon_operation_id):
        persist(CLAIM)
    assert aws.log() == {}


def test_two_writes_at_once_that_s3_refuses_are_tried_again(aws, monkeypatch):
    def conflict() -> None:
        error = {"Error": {"Code": "ConditionalRequestConflict", "Message": ""}}
        raise ClientError(error, "PutObject")  # type: ignore[arg-type]

    meet_at(monkeypatch, "s3", "put_object", conflict)
    with pytest.raises(TransientError, match="ConditionalRequestConflict"):
        persist(CLAIM)
    assert aws.log() == {}
    assert records_of(claim_in(persist(CLAIM)[0])) == records_of(CLAIM)
    assert aws.log() == {SEGMENT.log_key: BODY}
