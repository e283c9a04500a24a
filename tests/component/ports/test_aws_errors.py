"""How each adapter translates what AWS refuses, and answers that never come.

Every message names ids, so that an operator can follow it, and never a payload.
"""

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.executions import StepFunctionsExecutions
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.ports import LogObject, StreamEntry, WantedMarks
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.adapters.stage_ports import QuarantinedBody
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.execution import SplitterInput
from falcon_balances.domain.cuts import Cut, Shard
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import PutMark
from tests.builders import claim_of, context_of
from tests.component.world import utc
from tests.journals import entry, page_after


def reads(dynamodb: Any) -> DynamoMerchantReads:
    return DynamoMerchantReads(dynamodb, "balances", "claims", "m-7")


ENTRIES = [StreamEntry("m-1", b"secret")]
WRITES = [PutMark(ItemKey("MERCHANT#m-1", "OPERATION#1#confirmed"), {"lines": "secret"})]
PAGE = page_after(BEGINNING, entry())
STEP = SplitterInput(stage=Stage.CONFIRMED, messages=())

# Every call of every adapter: service, operation, how it is made, and an id its error must name.
CALLS = [
    (
        "kinesis",
        "put_records",
        lambda c: KinesisBalanceStream(c, "s").publish(ENTRIES),
        "1 records",
    ),
    ("kinesis", "list_shards", lambda c: KinesisBalanceStream(c, "s").shards(), "shards"),
    (
        "kinesis",
        "put_record",
        lambda c: KinesisBalanceStream(c, "s").put_cut(Shard("shard-7", "0"), b"secret"),
        "shard-7",
    ),
    (
        "dynamodb",
        "put_item",
        lambda c: DynamoEventClaims(c, "claims").claim(claim_of()),
        claim_of().falcon_operation_id,
    ),
    (
        "dynamodb",
        "get_item",
        lambda c: DynamoEventClaims(c, "claims").find("operation-1", Stage.CONFIRMED),
        "operation-1",
    ),
    (
        "dynamodb",
        "transact_write_items",
        lambda c: DynamoBalanceStore(c, "balances").transact(WRITES),
        "1 items",
    ),
    ("dynamodb", "query", lambda c: DynamoBalanceStore(c, "balances").balances("m-1"), "m-1"),
    ("dynamodb", "get_item", lambda c: DynamoBalanceStore(c, "balances").as_of(), "AS_OF"),
    (
        "dynamodb",
        "update_item",
        lambda c: DynamoBalanceStore(c, "balances").advance_as_of(utc("2026-11-20T10:20:00")),
        "AS_OF",
    ),
    (
        "dynamodb",
        "update_item",
        lambda c: DynamoBalanceStore(c, "balances").meet_cut(
            Cut(utc("2026-11-20T10:20:00"), ("shard-7",)), "shard-7", BEGINNING
        ),
        "shard-7 met cut 2026-11-20T10:20:00Z",
    ),
    (
        "dynamodb",
        "update_item",
        lambda c: DynamoBalanceStore(c, "balances").complete_cut(
            utc("2026-11-20T10:20:00"), utc("2026-11-20T10:20:01")
        ),
        "complete cut 2026-11-20T10:20:00Z",
    ),
    (
        "dynamodb",
        "batch_get_item",
        lambda c: DynamoBalanceStore(c, "balances").items([WRITES[0].key]),
        "1 items",
    ),
    ("dynamodb", "get_item", lambda c: reads(c).as_of(), "AS_OF"),
    (
        "dynamodb",
        "query",
        lambda c: reads(c).indexed_as_of(utc("2026-11-20T10:20:00")),
        "completed cuts",
    ),
    ("dynamodb", "query", lambda c: reads(c).balances(), "of m-7"),
    (
        "dynamodb",
        "query",
        lambda c: reads(c).marks("0", ":", after=None, newest_first=True, limit=1),
        "marks of m-7",
    ),
    (
        "dynamodb",
        "query",
        lambda c: reads(c).tagged(["ab12"], WantedMarks("0", ":", None, True, 1, 9)),
        "marks of m-7",
    ),
    ("dynamodb", "get_item", lambda c: reads(c).block("block-7"), "BLOCK#block-7"),
    ("dynamodb", "query", lambda c: reads(c).claims("operation-1"), "claims of operation-1"),
    (
        "dynamodb",
        "batch_get_item",
        lambda c: DynamoMerchantDirectory(c, "contexts").histories([context_of().key]),
        "1 merchants",
    ),
    (
        "dynamodb",
        "put_item",
        lambda c: DynamoMerchantDirectory(c, "c").replace(context_of().key, (), [context_of()]),
        "5553",
    ),
    (
        "s3",
        "put_object",
        lambda c: S3TransactionLog(c, "log").append("key-1", LogObject(b"secret", {})),
        "key-1",
    ),
    ("s3", "get_object", lambda c: S3TransactionLog(c, "log").read("key-1"), "key-1"),
    (
        "s3",
        "put_object",
        lambda c: S3Journal(c, "journal").write(PAGE),
        PAGE.name.key,
    ),
    (
        "s3",
        "list_objects_v2",
        lambda c: list(S3Journal(c, "journal").names("shard-7", 6)),
        "journal pages of shard-7",
    ),
    ("s3", "get_object", lambda c: S3Journal(c, "journal").read(PAGE.name), PAGE.name.key),
    (
        "dynamodb",
        "update_item",
        lambda c: DynamoBalanceStore(c, "balances").move_shard(
            "shard-7", BEGINNING, None, BEGINNING
        ),
        "move shard-7",
    ),
    (
        "dynamodb",
        "get_item",
        lambda c: DynamoBalanceStore(c, "balances").ends(utc("2026-11-20T10:20:00")),
        "journals at 2026-11-20T10:20:00Z",
    ),
    (
        "s3",
        "put_object",
        lambda c: S3Quarantine(c, "quarantine").put(
            QuarantinedBody("stream", b"secret", "E_RECORD", "r", utc("2026-11-20T10:20:00"))
        ),
        "stream/date=2026-11-20",
    ),
    (
        "stepfunctions",
        "start_sync_execution",
        lambda c: StepFunctionsExecutions(c, "arn").run(STEP),
        "0 messages",
    ),
]
EVERY_CALL = pytest.mark.parametrize(
    ("service", "operation", "call", "named"),
    CALLS,
    ids=[f"{service}-{operation}-{named}" for service, operation, _, named in CALLS],
)


@EVERY_CALL
@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ConditionalRequestConflict", 409),
        ("ThrottlingException", 400),
        ("AccessDenied", 403),
        ("InternalError", 500),
    ],
)
def test_what_aws_refuses_is_transient(service, operation, call, named, code, status):
    with Stubber(client(service)) as stubber:
        stubber.add_client_error(operation, code, "secret payload", http_status_code=status)
        with pytest.raises(TransientError, match=code) as raised:
            call(stubber.client)
    assert named in str(raised.value)
    assert "secret" not in str(raised.value)


@EVERY_CALL
@pytest.mark.parametrize(
    "message",
    [
        "User: secret is not authorized to perform: any-service:AnyAction on resource: secret",
        "secret is not authorized to perform any-service:AnyAction because secret",
    ],
)
def test_what_a_role_may_not_do_is_named_and_nothing_else_that_aws_says(
    service, operation, call, named, message
):
    with Stubber(client(service)) as stubber:
        stubber.add_client_error(operation, "AccessDenied", message, http_status_code=403)
        with pytest.raises(TransientError) as raised:
            call(stubber.client)
    said = "AccessDenied, not authorized to perform any-service:AnyAction"
    assert str(raised.value).endswith(f": {said}")
    assert named in str(raised.value)
    assert "secret" not in str(raised.value)


@EVERY_CALL
@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectTimeoutError, EndpointConnectionError])
def test_an_answer_that_never_came_is_transient(service, operation, call, named, error):
    def never_answer(**_: object) -> None:
        raise error(endpoint_url="https://secret")

    aws = client(service)
    event = f"before-call.*.{''.join(word.title() for word in operation.split('_'))}"
    aws.meta.events.register(event, never_answer)
    try:
        with pytest.raises(TransientError, match=error.__name__) as raised:
            call(aws)
    finally:
        aws.meta.events.unregister(event, never_answer)
    assert named in str(raised.value)
    assert "secret" not in str(raised.value)
