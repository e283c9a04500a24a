"""The publisher: every record acknowledged by the stream, or the message comes back."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import LogObject
from falcon_balances.adapters.transaction_log import S3TransactionLog, append_claimed
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import ExecutionResult, PersistedMessage, PublisherInput
from falcon_balances.contracts.links import BlockNameV1, LinksV1
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.samples import VERSION_ID_SAMPLE
from falcon_balances.domain.errors import IntegrityError, RejectionCode, TransientError
from inprocess.aws import CLAIMS_TABLE, LOG_BUCKET, STREAM
from lambdas.publisher import handler as publisher
from tests.builders import claim_of, confirmed, context_of, marketplace, records_of
from tests.component.lambda_events import lambda_context

REFUSAL = Rejection(code=RejectionCode.ID_CONFLICT, reason="external_reference: known already")


def message(n: int) -> PersistedMessage:
    claim = claim_of(confirmed(external_reference=f"order-{n}"))
    return persisted(claim, f"message-{n}")


def persisted(claim: ClaimV1, message_id: str = "message-0", **changes: Any) -> PersistedMessage:
    versions = (VERSION_ID_SAMPLE,) * len(claim.segments)
    return PersistedMessage(message_id=message_id, claim=claim, versions=versions, **changes)


def publish(*messages: PersistedMessage) -> ExecutionResult:
    step = json.loads(PublisherInput(messages=messages).model_dump_json())
    answer = publisher.lambda_handler(step, lambda_context())
    return ExecutionResult.model_validate_json(json.dumps(answer))


def references(records: list[dict[str, Any]]) -> list[str]:
    return [record["body"].splitlines()[1].split(",")[1] for record in records]


class PartlyDeafKinesis:
    """Takes only the records at even positions of each call, as a throttled shard would."""

    def __init__(
        self, deaf_calls: int, code: str = "ProvisionedThroughputExceededException"
    ) -> None:
        self.calls: list[int] = []
        self._deaf_calls = deaf_calls
        self._code = code

    def put_records(self, **said: Any) -> dict[str, Any]:
        sent = said["Records"]
        self.calls.append(len(sent))
        hears = len(self.calls) > self._deaf_calls
        answers: list[dict[str, str]] = []
        for n, record in enumerate(sent):
            if (not hears and n % 2 == 1) or (not hears and len(sent) == 1):
                answers.append({"ErrorCode": self._code})
            else:
                client("kinesis").put_record(StreamName=STREAM, **record)
                answers.append({"SequenceNumber": "1", "ShardId": "shardId-000000000000"})
        return {"Records": answers, "FailedRecordCount": 0}


def hear_only(monkeypatch, kinesis: PartlyDeafKinesis) -> None:
    monkeypatch.setattr(
        publisher, "client", lambda asked: kinesis if asked == "kinesis" else client(asked)
    )


def test_a_message_is_published_with_all_its_segments_each_under_its_merchant(aws):
    contexts = [context_of(name) for name in ("market", "a", "b")]
    event = marketplace([("a", "60.00", "3.00"), ("b", "40.00", None)], "100.00")
    claim = claim_of(event, *contexts)
    records = records_of(claim)
    result = publish(persisted(claim))
    assert [(done.message_id, done.rejection) for done in result.results] == [("message-0", None)]
    found = sorted(aws.published(), key=lambda record: record["merchant_id"])
    assert found == [record.model_dump(mode="json") for record in records]


def test_earlier_revisions_are_published_with_what_was_set_aside_for_the_operation(aws):
    refund = confirmed(type="refund", amount="40.00")
    first = claim_of(refund)
    more = {"revision": 2, "revised_at": "2026-11-20T10:19:00Z"}
    second = claim_of(refund | more).revising(first)
    DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE).claim(first)
    links = LinksV1(blocks=(BlockNameV1(merchant_id="m-5553", block_id="block-1"),))
    [version_id] = append_claimed(S3TransactionLog(client("s3"), LOG_BUCKET), first)
    publish(persisted(second, earlier=(1,), links=links))
    [record] = aws.published()
    assert record["blocks"] == ["block-1"]
    assert record["version_id"] == version_id
    assert version_id != VERSION_ID_SAMPLE


def revised(aws, n: int) -> PersistedMessage:
    """The third revision of an operation, whose first two are claimed and in the log."""
    claims = DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE)
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    order = {"external_reference": f"order-{n}"}
    claim = claim_of(confirmed(**order))
    for revision in (2, 3):
        claims.claim(claim)
        append_claimed(log, claim)
        more = {"revision": revision, "revised_at": f"2026-11-20T10:19:0{revision}Z"}
        claim = claim_of(confirmed(**order, amount=f"9{revision}.00", **more)).revising(claim)
    return persisted(claim, f"message-{n}", earlier=(1, 2))


def test_earlier_revisions_are_read_at_once_each_of_them_once(aws):
    """Each read waits for another one to begin: one after the other they would never end."""
    messages = [revised(aws, n) for n in range(2)]
    pairs = Barrier(2, timeout=5)
    read: list[str] = []

    class Together(S3TransactionLog):
        def read(self, key: str) -> LogObject:
            read.append(key)
            pairs.wait()
            return super().read(key)

    with ThreadPoolExecutor(4) as pool:
        publisher.publish(
            PublisherInput(messages=(*messages, messages[0])),
            KinesisBalanceStream(client("kinesis"), STREAM),
            DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE),
            Together(client("s3"), LOG_BUCKET),
            run=pool.map,
        )
    assert len(read) == len(set(read)) == 4
    for n in range(2):
        mine = [each for each in aws.published() if f"order-{n}" in each["body"]]
        revisions = [each["log_key"].partition(".r")[2][:1] or "1" for each in mine]
        assert revisions == sorted(revisions)
        assert set(revisions) == {"1", "2", "3"}


def test_earlier_revisions_that_cannot_be_read_in_time_come_back_and_nothing_is_published(aws):
    step = PublisherInput(messages=(message(9), revised(aws, 1)))
    with pytest.raises(TransientError, match="in time"):
        publisher.lambda_handler(json.loads(step.model_dump_json()), lambda_context(5.9))
    assert aws.published() == []


def test_an_earlier_revision_whose_log_object_has_other_bytes_is_not_published(aws):
    first = claim_of(confirmed())
    second = claim_of(confirmed(revision=2, revised_at="2026-11-20T10:19:00Z", amount="90.00"))
    DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE).claim(first)
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    log.append(first.segments[0].log_key, LogObject(b"other", {}))
    with pytest.raises(IntegrityError, match=first.segments[0].log_key):
        publish(persisted(second.revising(first), earlier=(1,)))
    assert aws.published() == []


def test_a_refusal_is_handed_on_and_nothing_of_it_published(aws):
    refused = PersistedMessage(message_id="message-9", rejection=REFUSAL)
    result = publish(refused, message(0))
    assert [(done.message_id, done.rejection) for done in result.results] == [
        ("message-9", REFUSAL),
        ("message-0", None),
    ]
    assert references(aws.published()) == ["order-0"]


def test_nothing_to_publish_is_no_call(aws):
    refused = PersistedMessage(message_id="message-9", rejection=REFUSAL)
    assert len(publish(refused).results) == 1
    assert aws.published() == []


# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsResultEntry.html
@pytest.mark.parametrize("code", ["ProvisionedThroughputExceededException", "InternalFailure"])
def test_only_the_records_that_failed_are_sent_again(aws, monkeypatch, code):
    kinesis = PartlyDeafKinesis(deaf_calls=2, code=code)
    hear_only(monkeypatch, kinesis)
    assert len(publish(*(message(n) for n in range(5))).results) == 5
    assert kinesis.calls == [5, 2, 1]
    assert sorted(references(aws.published())) == [f"order-{n}" for n in range(5)]


def test_a_stream_that_stays_deaf_fails_the_execution_and_keeps_what_it_took(aws, monkeypatch):
    kinesis = PartlyDeafKinesis(deaf_calls=99)
    hear_only(monkeypatch, kinesis)
    with pytest.raises(TransientError, match="the stream refused 1 of the records"):
        publish(*(message(n) for n in range(3)))
    assert kinesis.calls == [3, 1, 1, 1, 1]
    assert sorted(references(aws.published())) == ["order-0", "order-2"]


def test_a_stream_that_cannot_be_reached_fails_the_execution(aws):
    client("kinesis").delete_stream(StreamName=STREAM)
    with pytest.raises(TransientError, match="publish 1 records"):
        publish(message(0))


def test_more_records_than_one_call_takes_are_all_published(aws):
    assert len(publish(*(message(0) for _ in range(501))).results) == 501
    assert len(aws.published()) == 501
