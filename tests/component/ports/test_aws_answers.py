"""What moto cannot do: part failures, mixed reasons, unprocessed keys, executions that fail."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.executions import StepFunctionsExecutions
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.adapters.ports import ConditionFailed, LogObject, StreamEntry, TryAgain
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.execution import ExecutionResult, MessageResult, SplitterInput
from falcon_balances.contracts.merchant_contexts import context_document
from falcon_balances.domain.cuts import Shard
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, PutMark
from tests.builders import context_of
from tests.component.world import utc

ENTRIES = [StreamEntry(f"m-{n}", f"secret-{n}".encode()) for n in range(3)]
WRITES = [
    PutMark(ItemKey("MERCHANT#m-1", f"OPERATION#{n}#confirmed"), {"lines": "secret"})
    for n in range(3)
] + [AddCounters(ItemKey("MERCHANT#m-1", "BALANCE#bs#EUR"), {"confirmed": 1})]
STEP = SplitterInput(stage=Stage.CONFIRMED, messages=())
ARN = "arn:aws:states:eu-central-1:123456789012:express:confirmed:chunk-1:run-1"


@pytest.fixture
def kinesis() -> Iterator[Stubber]:
    yield from _stubbed("kinesis")


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    yield from _stubbed("dynamodb")


@pytest.fixture
def s3() -> Iterator[Stubber]:
    yield from _stubbed("s3")


@pytest.fixture
def stepfunctions() -> Iterator[Stubber]:
    yield from _stubbed("stepfunctions")


def _stubbed(service: str) -> Iterator[Stubber]:
    with Stubber(client(service)) as stubber:  # type: ignore[call-overload]
        yield stubber
        stubber.assert_no_pending_responses()


def cancelled(stubber: Stubber, *codes: str) -> None:
    stubber.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={
            "CancellationReasons": [
                {"Code": code, "Item": {"pk": {"S": "p"}, "lines": {"S": "said before"}}}
                if code == "ConditionalCheckFailed"
                else {"Code": code}
                for code in codes
            ]
        },
    )


def test_put_records_that_took_only_a_part_answers_what_it_did_not_take(kinesis):
    records: list[dict[str, str]] = [
        {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"},
        {"SequenceNumber": "1", "ShardId": "shardId-000000000000"},
        {"ErrorCode": "InternalFailure", "ErrorMessage": "sorry"},
    ]
    kinesis.add_response("put_records", {"FailedRecordCount": 2, "Records": records})
    assert KinesisBalanceStream(kinesis.client, "stream").publish(ENTRIES) == [0, 2]


def test_a_cut_is_addressed_by_the_hash_key_and_not_by_its_partition_key(kinesis):
    expected = {
        "StreamName": "stream",
        "Data": b"cut",
        "PartitionKey": ANY,
        "ExplicitHashKey": "42",
    }
    answer = {"SequenceNumber": "1", "ShardId": "shardId-000000000007"}
    kinesis.add_response("put_record", answer, expected)
    KinesisBalanceStream(kinesis.client, "stream").put_cut(Shard("shard", "42"), b"cut")


def test_more_shards_than_one_answer_holds_are_asked_for_by_the_token_alone(kinesis):
    """Kinesis refuses StreamName beside NextToken; botocore's paginator sends both."""

    def page(n: int) -> dict[str, Any]:
        key_range = {"StartingHashKey": str(n), "EndingHashKey": str(n)}
        numbers = {"StartingSequenceNumber": "1"}
        shard = {"ShardId": f"s-{n}", "HashKeyRange": key_range, "SequenceNumberRange": numbers}
        return {"Shards": [shard]}

    kinesis.add_response("list_shards", page(0) | {"NextToken": "t"}, {"StreamName": "stream"})
    kinesis.add_response("list_shards", page(1), {"NextToken": "t"})
    shards = KinesisBalanceStream(kinesis.client, "stream").shards()
    assert [shard.shard_id for shard in shards] == ["s-0", "s-1"]


def test_an_append_is_conditional_and_bears_the_checksum_of_its_bytes(s3):
    expected = {
        "Bucket": "log",
        "Key": "key-1",
        "Body": b"body\n",
        "ContentType": "text/csv; charset=utf-8",
        "Metadata": {"fingerprint": "f"},
        "ChecksumSHA256": "ni7JEq9d/ypyMAhjhk/E2gToGZkznZ+sXHWQuoo/ThE=",
        "IfNoneMatch": "*",
    }
    s3.add_response("put_object", {}, expected)
    assert S3TransactionLog(s3.client, "log").append(
        "key-1", LogObject(b"body\n", {"fingerprint": "f"})
    )


@pytest.mark.parametrize(
    "code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
)
def test_reasons_of_every_kind_stand_beside_the_writes_they_are_about(dynamodb, code):
    cancelled(dynamodb, "ConditionalCheckFailed", code, "None", code)
    outcomes = DynamoBalanceStore(dynamodb.client, "balances").transact(WRITES)
    there = ConditionFailed({"pk": "p", "lines": "said before"})
    assert list(outcomes) == [there, TryAgain(), None, TryAgain()]


def test_a_reason_that_a_retry_here_cannot_mend_fails_the_batch(dynamodb):
    cancelled(dynamodb, "None", "ValidationError", "None", "None")
    with pytest.raises(TransientError, match="ValidationError"):
        DynamoBalanceStore(dynamodb.client, "balances").transact(WRITES)


def test_contexts_left_unprocessed_are_asked_for_again(dynamodb):
    contexts = [context_of(str(n)) for n in range(2)]
    keys = [{"context_key": {"S": str(context.key)}} for context in contexts]
    items = [
        {**key, "versions": {"L": [{"S": json.dumps(context_document(context))}]}}
        for key, context in zip(keys, contexts, strict=True)
    ]
    left = {"contexts": {"Keys": keys[1:], "ConsistentRead": True}}
    asked = {"RequestItems": {"contexts": {"Keys": keys, "ConsistentRead": True}}}
    dynamodb.add_response(
        "batch_get_item", {"Responses": {"contexts": items[:1]}, "UnprocessedKeys": left}, asked
    )
    dynamodb.add_response(
        "batch_get_item", {"Responses": {"contexts": items[1:]}}, {"RequestItems": left}
    )
    directory = DynamoMerchantDirectory(dynamodb.client, "contexts")
    found = directory.histories([context.key for context in contexts])
    assert found == {context.key: [context] for context in contexts}


def test_contexts_that_stay_unprocessed_are_an_error_and_never_missing(dynamodb):
    key = context_of().key
    left = {"contexts": {"Keys": [{"context_key": {"S": str(key)}}]}}
    for _ in range(5):
        dynamodb.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
    with pytest.raises(TransientError, match="unprocessed"):
        DynamoMerchantDirectory(dynamodb.client, "contexts").histories([key])


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT"])
def test_an_execution_that_failed_is_an_error_with_its_name(stepfunctions, status):
    answer = {
        "executionArn": ARN,
        "startDate": utc("2026-11-20T10:20:00"),
        "stopDate": utc("2026-11-20T10:20:01"),
        "status": status,
        "error": "IntegrityError",
        "cause": "secret",
    }
    stepfunctions.add_response("start_sync_execution", answer)
    with pytest.raises(TransientError, match=f"run-1 {status}: IntegrityError$"):
        StepFunctionsExecutions(stepfunctions.client, "arn").run(STEP)


@pytest.mark.parametrize("output", ["{}", "null", '{"results": [{"message_id": 1}]}', "secret"])
def test_an_answer_out_of_form_is_an_error(stepfunctions, output):
    stepfunctions.add_response("start_sync_execution", succeeded(output))
    with pytest.raises(TransientError, match="does not have the required form"):
        StepFunctionsExecutions(stepfunctions.client, "arn").run(STEP)


def test_an_execution_that_succeeded_says_what_became_of_each_message(stepfunctions):
    result = ExecutionResult(results=(MessageResult(message_id="message-0"),))
    stepfunctions.add_response("start_sync_execution", succeeded(result.model_dump_json()))
    assert StepFunctionsExecutions(stepfunctions.client, "arn").run(STEP) == result


def succeeded(output: str) -> dict[str, Any]:
    return {
        "executionArn": ARN,
        "startDate": utc("2026-11-20T10:20:00"),
        "stopDate": utc("2026-11-20T10:20:01"),
        "status": "SUCCEEDED",
        "output": output,
    }
