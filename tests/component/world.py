"""One environment on moto: its buckets, tables and stream, and the functions' real handlers on it.

What moto does not do is done here: queues, event source mappings and the state machine only hand
JSON from one handler to the next. Everything else is read back from AWS, as an auditor would.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.event_claims import read_claim
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.adapters.stage_ports import Executions
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import ExecutionResult, SplitterInput
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.merchant_context import ContextKey, MerchantContext, merchants_of
from inprocess.aws import (
    BALANCES_TABLE,
    CLAIMS_TABLE,
    CONTEXT_TABLE,
    JOURNAL_BUCKET,
    LOG_BUCKET,
    QUARANTINE_BUCKET,
    REGION,
    STREAM,
    create_environment,
    records_on_stream,
)
from lambdas.dispatcher import handler as dispatcher
from lambdas.persister import handler as persister
from lambdas.publisher import handler as publisher
from lambdas.reducer import handler as reducer
from lambdas.splitter import handler as splitter
from tests.builders import SENT_AT, histories_of
from tests.component.lambda_events import (
    ARRIVED_AT,
    SHARD,
    kinesis_event,
    lambda_context,
    sqs_event,
)

QUEUE = "confirmed"
QUEUES = {QUEUE: (QUEUE, f"{QUEUE}-dead"), "payout": ("payout", "payout-dead")}
_QUEUE_ROOT = f"https://sqs.{REGION}.amazonaws.com/123456789012"
CURSOR_SEAL = b"0000-of-the-tests-0000-0000-0000"
ENVIRONMENT = {
    "STAGE": "confirmed",
    "MODE": "test",
    "STATE_MACHINE_ARN": f"arn:aws:states:{REGION}:123456789012:stateMachine:confirmed",
    "CHUNK_BUDGET_BYTES": "200000",
    "QUEUE_URL": f"{_QUEUE_ROOT}/{QUEUE}",
    "QUEUE_URLS": json.dumps(
        {stage: [f"{_QUEUE_ROOT}/{name}" for name in names] for stage, names in QUEUES.items()}
    ),
    "JOURNAL_BUCKET": JOURNAL_BUCKET,
    "LOG_BUCKET": LOG_BUCKET,
    "LOG_OBJECTS_MAX": "1000",
    "CURSOR_SEAL": CURSOR_SEAL.decode(),
    "QUARANTINE_BUCKET": QUARANTINE_BUCKET,
    "CLAIMS_TABLE": CLAIMS_TABLE,
    "CONTEXT_TABLE": CONTEXT_TABLE,
    "BALANCES_TABLE": BALANCES_TABLE,
    "STREAM": STREAM,
}


class InProcessExecutions:
    """Splitter, persister, publisher, one after the other, with JSON between them."""

    def run(self, step: SplitterInput) -> ExecutionResult:
        state = json.loads(step.model_dump_json())
        try:
            for function in (splitter, persister, publisher):
                state = json.loads(json.dumps(function.lambda_handler(state, lambda_context())))
        except Exception as error:
            raise TransientError(f"execution FAILED: {type(error).__name__}") from error
        return ExecutionResult.model_validate(state)


@dataclass(frozen=True, slots=True)
class Refused:
    """One version of a quarantined body."""

    key: str
    body: bytes
    metadata: dict[str, str]

    @property
    def code(self) -> str:
        return self.metadata["code"]


@dataclass(slots=True)
class AwsWorld:
    executions: Executions = field(default_factory=InProcessExecutions)
    read_until: dict[str, int] = field(default_factory=dict)

    def create(self, shards: int = 2) -> None:
        create_environment(shards)
        for names in QUEUES.values():
            for name in names:
                client("sqs").create_queue(QueueName=name)

    def load(self, *contexts: MerchantContext) -> None:
        """Replace whatever is known of these contexts' keys."""
        directory = DynamoMerchantDirectory(client("dynamodb"), CONTEXT_TABLE)
        for key, history in histories_of(*contexts).items():
            self.remove(key)
            assert directory.replace(key, (), history)
        for merchant_id, merchant in merchants_of(contexts).items():
            directory.name_merchant(merchant_id, merchant)

    def remove(self, key: ContextKey) -> None:
        client("dynamodb").delete_item(
            TableName=CONTEXT_TABLE, Key={"context_key": {"S": str(key)}}
        )

    def dispatch(
        self, *bodies: bytes, sent_at: datetime = SENT_AT, seconds_left: float = 300
    ) -> list[str]:
        """The ids of the messages that come back to the queue."""
        answer = dispatcher.lambda_handler(sqs_event(bodies, sent_at), lambda_context(seconds_left))
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def reduce(
        self, *records: bytes, arrived_at: datetime = ARRIVED_AT, shard_id: str = SHARD
    ) -> None:
        self.reduce_arrivals(*((data, arrived_at) for data in records), shard_id=shard_id)

    def reduce_arrivals(self, *records: tuple[bytes, datetime], shard_id: str = SHARD) -> None:
        """One batch, in which each record has an arrival time of its own."""
        reducer.lambda_handler(kinesis_event(records, shard_id), lambda_context())

    def drain(self) -> None:
        """The reducer gets everything that is new on the stream, one batch per shard."""
        for shard_id, records in self.stream().items():
            new = records[self.read_until.get(shard_id, 0) :]
            if new:
                self.reduce(*new, shard_id=shard_id)
            self.read_until[shard_id] = len(records)

    def stream(self) -> dict[str, list[bytes]]:
        return records_on_stream()

    def published(self) -> list[dict[str, Any]]:
        """All segments on the stream, parsed."""
        return [json.loads(data) for records in self.stream().values() for data in records]

    def log(self) -> dict[str, str]:
        return {key: body.decode() for key, _, body, _ in _versions(LOG_BUCKET)}

    def log_versions(self) -> list[tuple[str, str]]:
        """Key and version id of every version: what must not grow when something repeats."""
        return sorted((key, version) for key, version, _, _ in _versions(LOG_BUCKET))

    def quarantined(self) -> list[Refused]:
        return [
            Refused(key, body, metadata) for key, _, body, metadata in _versions(QUARANTINE_BUCKET)
        ]

    def claims(self) -> list[ClaimV1]:
        found = client("dynamodb").scan(TableName=CLAIMS_TABLE, ConsistentRead=True)["Items"]
        return [read_claim(item) for item in found]

    def items(self, kind: str, merchant_id: str = "m-5553") -> dict[str, dict[str, Any]]:
        """A merchant's items of one kind by sort key: numbers as int, text as str."""
        found = client("dynamodb").query(
            TableName=BALANCES_TABLE,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": {"S": f"MERCHANT#{merchant_id}"},
                ":sk": {"S": f"{kind}#"},
            },
            ConsistentRead=True,
        )["Items"]
        return {item["sk"]["S"]: _plain(item) for item in found}

    def balance(self, local_merchant_id: str = "5553", currency: str = "EUR") -> dict[str, int]:
        """The counters of a balance by the names that `context_of` gives; empty if none."""
        sk = f"BALANCE#bs-{local_merchant_id}-{currency.lower()}#{currency}"
        item = self.items("BALANCE", f"m-{local_merchant_id}").get(sk, {})
        return {name: value for name, value in item.items() if name != "negative_since"}

    def stream_item(self, sk: str) -> dict[str, Any]:
        answer = client("dynamodb").get_item(
            TableName=BALANCES_TABLE,
            Key={"pk": {"S": "STREAM"}, "sk": {"S": sk}},
            ConsistentRead=True,
        )
        return _plain(answer.get("Item", {}))

    def as_of(self) -> str | None:
        return self.stream_item("AS_OF").get("as_of")


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Callable[[Any], Any]] = {"N": int, "S": str, "SS": set}
    return {
        name: read[kind](value)
        for name, typed in item.items()
        if name not in {"pk", "sk"}
        for kind, value in typed.items()
    }


def _versions(bucket: str) -> Iterator[tuple[str, str, bytes, dict[str, str]]]:
    """Key, version id, body and metadata of every version, oldest first within a key."""
    s3 = client("s3")
    listed = s3.list_object_versions(Bucket=bucket).get("Versions", [])
    for version in sorted(listed, key=lambda version: (version["Key"], version["LastModified"])):
        stored = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        yield version["Key"], version["VersionId"], stored["Body"].read(), stored["Metadata"]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
