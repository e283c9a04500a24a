"""The dispatcher: what leaves the queue, what comes back, and what one bad message does not do."""

import pytest
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from falcon_balances.contracts.execution import ExecutionResult, MessageResult, SplitterInput
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.domain.errors import RejectionCode, TransientError
from falcon_balances.domain.splitting import split
from falcon_balances.settings import DispatcherSettings
from lambdas.dispatcher import dispatching
from lambdas.dispatcher import handler as dispatcher
from lambdas.publisher import handler as publisher
from lambdas.splitter import handler as splitter
from tests.builders import claim_of, confirmed, context_of, operation_id_of, raw, reconciled
from tests.component.conftest import forget_adapters
from tests.component.world import InProcessExecutions

GOOD = raw(confirmed(external_reference="good"))


class RecordedExecutions(InProcessExecutions):
    """Notes which messages each execution was given, and may change its answer."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []

    def run(self, step: SplitterInput) -> ExecutionResult:
        self.runs.append([message.message_id for message in step.messages])
        return self.answer(super().run(step))

    def answer(self, result: ExecutionResult) -> ExecutionResult:
        return result


def messages(count: int) -> list[bytes]:
    return [raw(confirmed(external_reference=f"order-{n}")) for n in range(count)]


def test_a_message_leaves_when_its_segment_is_in_the_log_and_on_the_stream(aws):
    aws.load(context_of())
    assert aws.dispatch(GOOD) == []
    [claim] = aws.claims()
    [record] = aws.published()
    assert aws.log() == {record["log_key"]: record["body"]}
    assert claim.fingerprint == record["fingerprint"]
    assert claim.received_at == "2026-11-20T10:20:00Z"
    assert aws.quarantined() == []


def test_many_messages_are_one_execution(aws):
    aws.load(context_of())
    aws.executions = executions = RecordedExecutions()
    assert aws.dispatch(*messages(20)) == []
    assert [len(run) for run in executions.runs] == [20]
    assert len(aws.log()) == 20


def test_an_operation_is_counted_in_both_stages(aws, monkeypatch):
    aws.load(context_of())
    aws.dispatch(raw(confirmed()))
    monkeypatch.setenv("STAGE", "reconciled")
    forget_adapters()
    assert aws.dispatch(raw(reconciled())) == []
    aws.drain()
    assert aws.balance() == {
        "confirmed": 10000,
        "reconciled": 10000,
        "pending": 0,
        "available": 10000,
        "operations_count": 2,
    }


def test_the_same_message_again_changes_nothing_but_is_published_again(aws):
    aws.load(context_of())
    aws.dispatch(GOOD)
    aws.drain()
    versions, balance, claims = aws.log_versions(), aws.balance(), aws.claims()
    assert aws.dispatch(GOOD, GOOD) == []
    aws.drain()
    assert (aws.log_versions(), aws.balance(), aws.claims()) == (versions, balance, claims)
    assert len(aws.published()) == 3
    assert aws.quarantined() == []


def test_an_event_that_makes_the_splitter_raise_comes_back_alone(aws, monkeypatch):
    def split_or_break(operation, histories, split=split):
        if operation.external_reference == "order-3":
            raise ZeroDivisionError
        return split(operation, histories)

    monkeypatch.setattr(splitter, "split", split_or_break)
    aws.load(context_of())
    aws.executions = executions = RecordedExecutions()
    assert aws.dispatch(*messages(6)) == ["message-3"]
    aws.drain()
    assert [len(run) for run in executions.runs] == [6, 1, 1, 1, 1, 1, 1]
    assert aws.balance()["confirmed"] == 5 * 10000
    assert len(aws.claims()) == len(aws.log()) == 5
    assert aws.quarantined() == []


def test_messages_missing_from_an_execution_s_answer_come_back(aws):
    class Forgetful(RecordedExecutions):
        def answer(self, result: ExecutionResult) -> ExecutionResult:
            return ExecutionResult(results=result.results[:1])

    aws.load(context_of())
    aws.executions = Forgetful()
    assert aws.dispatch(*messages(3)) == ["message-1", "message-2"]


def test_what_an_execution_says_of_messages_nobody_gave_it_is_not_believed(aws):
    class Confused(RecordedExecutions):
        def answer(self, result: ExecutionResult) -> ExecutionResult:
            rejection = Rejection(code=RejectionCode.ID_CONFLICT, reason="r")
            strange = MessageResult(message_id="message-9", rejection=rejection)
            return ExecutionResult(results=(*result.results, strange))

    aws.load(context_of())
    aws.executions = Confused()
    assert aws.dispatch(*messages(2)) == []
    assert aws.quarantined() == []


def test_executions_that_cannot_be_started_return_every_message(aws):
    class Down(RecordedExecutions):
        def run(self, step: SplitterInput) -> ExecutionResult:
            raise TransientError("execution of messages: ThrottlingException")

    aws.executions = Down()
    assert aws.dispatch(*messages(2), b"nonsense") == ["message-0", "message-1"]
    assert [refused.code for refused in aws.quarantined()] == ["E_JSON"]


def test_a_failure_of_the_publisher_returns_messages_that_are_logged_already(aws, monkeypatch):
    aws.load(context_of())
    with monkeypatch.context() as broken:
        broken.setattr(publisher, "_adapters", None)
        assert aws.dispatch(GOOD) == ["message-0"]
    versions = aws.log_versions()
    assert len(versions) == 1
    assert aws.published() == []
    assert aws.dispatch(GOOD) == []
    assert aws.log_versions() == versions
    assert len(aws.published()) == 1


def test_a_quarantine_that_fails_returns_the_message_it_was_for_and_no_other(aws, monkeypatch):
    class FullBucket:
        def put_object(self, **said):
            if said["Body"] == b"second":
                error = {"Error": {"Code": "SlowDown", "Message": ""}}
                raise ClientError(error, "PutObject")  # type: ignore[arg-type]
            client("s3").put_object(**said)

    aws.load(context_of())
    monkeypatch.setattr(
        dispatcher, "client", lambda service: FullBucket() if service == "s3" else client(service)
    )
    assert aws.dispatch(b"first", GOOD, b"second", b"third") == ["message-2"]
    assert sorted(refused.body for refused in aws.quarantined()) == [b"first", b"third"]
    assert len(aws.published()) == 1


def test_no_execution_is_begun_that_could_not_end(aws):
    aws.load(context_of())
    left = dispatching.EXECUTION_S_MAX - 1
    assert aws.dispatch(GOOD, b"nonsense", seconds_left=left) == ["message-0"]
    assert [refused.code for refused in aws.quarantined()] == ["E_JSON"]
    assert aws.claims() == []


def test_time_that_runs_out_between_executions_returns_what_was_not_begun(aws, monkeypatch):
    class Slow(RecordedExecutions):
        seconds_left = 300.0

        def answer(self, result: ExecutionResult) -> ExecutionResult:
            Slow.seconds_left = 10
            return result

    monkeypatch.setattr(dispatching, "output_bytes_max", lambda _: 150_000)
    aws.load(context_of())
    settings = DispatcherSettings.load()
    queued = dispatcher.queued_messages(
        {
            "Records": [
                {
                    "messageId": f"message-{n}",
                    "body": body.decode(),
                    "attributes": {"SentTimestamp": "1795170000123"},
                }
                for n, body in enumerate(messages(3))
            ]
        }
    )
    executions = Slow()
    quarantine = dispatcher._adapters()[2]
    failed = dispatching.dispatch(
        queued, settings, executions, quarantine, lambda: Slow.seconds_left
    )
    assert failed == ["message-1", "message-2"]
    assert executions.runs == [["message-0"]]


def test_another_content_under_a_known_identity_is_quarantined_and_the_first_stays(aws):
    aws.load(context_of())
    other = raw(confirmed(external_reference="good", amount="999.00"))
    aws.dispatch(GOOD)
    before = (aws.claims(), aws.log(), aws.published())
    assert aws.dispatch(other) == []
    assert (aws.claims(), aws.log(), aws.published()) == before
    [refused] = aws.quarantined()
    assert (refused.code, refused.body) == ("E_ID_CONFLICT", other)


def test_of_two_contents_in_one_batch_exactly_one_is_claimed(aws):
    aws.load(context_of())
    other = raw(confirmed(external_reference="good", amount="999.00"))
    assert aws.dispatch(GOOD, other) == []
    aws.drain()
    [refused] = aws.quarantined()
    counted = {GOOD: 99900, other: 10000}[refused.body]
    assert refused.code == "E_ID_CONFLICT"
    assert aws.balance()["confirmed"] == counted
    assert len(aws.claims()) == len(aws.log()) == len(aws.published()) == 1


def test_a_claim_bears_the_fingerprint_that_the_contract_gives_the_event(aws):
    aws.load(context_of())
    aws.dispatch(raw(confirmed(operation_date="2026-11-20T12:15:30.999999+02:00")))
    [claim] = aws.claims()
    assert claim.fingerprint == claim_of(confirmed()).fingerprint
    assert claim.falcon_operation_id == operation_id_of(confirmed())


@pytest.mark.parametrize("name", ["STAGE", "QUARANTINE_BUCKET", "STATE_MACHINE_ARN", "MODE"])
def test_a_missing_setting_fails_the_batch_before_anything_is_done(aws, monkeypatch, name):
    monkeypatch.delenv(name)
    with pytest.raises((ValueError, UserWarning)):
        aws.dispatch(b"nonsense")
    assert aws.quarantined() == []


@pytest.mark.parametrize(
    ("receives", "delay_s"), [(1, 30), (2, 120), (3, 480), (4, 1800), (5, 1800), (1000, 1800)]
)
def test_a_failed_message_comes_back_later_each_time(receives, delay_s):
    assert dispatcher.return_delay_s(receives) == delay_s


def test_a_message_that_failed_comes_back_when_its_delay_ends_and_not_before(aws, monkeypatch):
    queue_url = DispatcherSettings.load().queue_url
    sqs = client("sqs")
    sqs.send_message(QueueUrl=queue_url, MessageBody="{}")
    [received] = sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=0)["Messages"]
    record = {
        "messageId": received["MessageId"],
        "receiptHandle": received["ReceiptHandle"],
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    dispatcher.return_later({"Records": [record]}, [received["MessageId"]], dispatcher._queue())
    assert "Messages" not in sqs.receive_message(QueueUrl=queue_url)


def test_a_delay_that_cannot_be_set_is_no_failure(aws):
    class BrokenQueue:
        def return_after(self, failed):
            raise TransientError("return 1 messages: ServiceUnavailable")

    record = {
        "messageId": "m",
        "receiptHandle": "r",
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    dispatcher.return_later({"Records": [record]}, ["m"], BrokenQueue())
