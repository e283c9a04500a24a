"""One environment on moto, with the adapters' own clients, and every call counted at the client."""

import copy
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from types import SimpleNamespace
from typing import Any, Final, cast
from unittest.mock import patch

from moto import mock_aws
from moto.dynamodb import models
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from bench.environment import REGION, BatchSizes
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey

LOG_BUCKET: Final = "falcon-log"
QUARANTINE_BUCKET: Final = "falcon-quarantine"
CLAIMS_TABLE: Final = "event-claims"
CONTEXT_TABLE: Final = "merchant-contexts"
BALANCES_TABLE: Final = "balances"
STREAM: Final = "balance-stream"
_SERVICES: Final = ("dynamodb", "kinesis", "s3", "sns")
_KEYS: Final = {
    CLAIMS_TABLE: ("falcon_operation_id", "stage"),
    CONTEXT_TABLE: ("context_key",),
    BALANCES_TABLE: ("pk", "sk"),
}
_INDEXES: Final = {
    BALANCES_TABLE: {
        "by-expiry": ("expiring", "expiry"),
        "by-window": ("merchant_id", "counted_order"),
        "by-open": ("open", "sk"),
        "by-reference": ("referenced", "sk"),
    }
}

Call = tuple[str, str, str]


@dataclass(slots=True)
class Calls:
    """Calls by (service, operation, resource); the persister makes them from several threads."""

    counts: Counter[Call] = field(default_factory=Counter)
    _is_paused: bool = False
    _lock: Lock = field(default_factory=Lock)

    def count(self, service: str, operation: str, resource: str) -> None:
        with self._lock:
            self.counts[service, operation, resource] += 1

    @contextmanager
    def paused(self) -> Iterator[None]:
        """For what somebody else calls with the same clients."""
        self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def on_parameters(self, params: dict[str, Any], model: Any, **_more: object) -> None:  # noqa: ANN401 - botocore's
        """Botocore's event before each call, with the parameters as the adapter gave them."""
        if not self._is_paused:
            self.count(model.service_model.service_name, model.name, _resource(params))


def _resource(params: dict[str, Any]) -> str:
    for name in ("TableName", "Bucket", "StreamName"):
        if name in params:
            return str(params[name])
    if "RequestItems" in params:
        return ", ".join(params["RequestItems"])
    tables = {
        write["TableName"] for item in params.get("TransactItems", ()) for write in item.values()
    }
    return ", ".join(sorted(tables))


@contextmanager
def counted() -> Iterator[Calls]:
    """All that the adapters' clients call meanwhile."""
    calls = Calls()
    registered = [_client(service).meta.events for service in _SERVICES]
    for emitter in registered:
        emitter.register("before-parameter-build", calls.on_parameters)
    try:
        yield calls
    finally:
        for emitter in registered:
            emitter.unregister("before-parameter-build", calls.on_parameters)


@contextmanager
def environment(sizes: BatchSizes, histories: dict[ContextKey, ContextHistory]) -> Iterator[None]:
    """Buckets, tables and stream, empty but for the merchants' contexts."""
    with mock_aws(), _tables_copied_once(), _one_call_at_a_time():
        _create_resources(sizes)
        directory = DynamoMerchantDirectory(client("dynamodb"), CONTEXT_TABLE)
        for key, history in histories.items():
            assert directory.replace(key, (), history)
        yield


@contextmanager
def _tables_copied_once() -> Iterator[None]:
    """Before a transaction moto copies the whole table, anew for every item of it: a hundred times
    the same. Once is as good, and most of the time that moto takes.
    """
    transact = models.DynamoDBBackend.transact_write_items

    def with_one_copy(backend: Any, items: Any) -> None:  # noqa: ANN401 - moto's
        copies: dict[int, object] = {}

        def copied(value: object, *memo: Any) -> object:  # noqa: ANN401 - copy's
            if not isinstance(value, Table):
                return copy.deepcopy(value, *memo)
            if id(value) not in copies:
                copies[id(value)] = copy.deepcopy(value)
            return copies[id(value)]

        with patch.object(models, "copy", SimpleNamespace(deepcopy=copied, copy=copy.copy)):
            transact(backend, items)

    with patch.object(models.DynamoDBBackend, "transact_write_items", with_one_copy):
        yield


@contextmanager
def _one_call_at_a_time() -> Iterator[None]:
    """Moto goes through its dictionaries while another thread's call adds to them."""
    call_action, lock = DynamoHandler.call_action, Lock()

    def locked(handler: Any) -> Any:  # noqa: ANN401 - moto's
        with lock:
            return call_action(handler)

    with patch.object(DynamoHandler, "call_action", locked):
        yield


def _create_resources(sizes: BatchSizes) -> None:
    for bucket in (LOG_BUCKET, QUARANTINE_BUCKET):
        client("s3").create_bucket(
            Bucket=bucket,
            ObjectLockEnabledForBucket=True,
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )
    for table, keys in _KEYS.items():
        _create_table(table, keys, _INDEXES.get(table, {}))
    client("kinesis").create_stream(StreamName=STREAM, ShardCount=sizes.shards)


def _create_table(table: str, keys: tuple[str, ...], indexes: dict[str, tuple[str, str]]) -> None:
    more: Any = {}
    if indexes:
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": name,
                "KeySchema": _key_schema(index_keys),
                "Projection": {"ProjectionType": "ALL"},
            }
            for name, index_keys in indexes.items()
        ]
    attributes = {*keys, *(key for index_keys in indexes.values() for key in index_keys)}
    client("dynamodb").create_table(
        TableName=table,
        KeySchema=_key_schema(keys),
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in sorted(attributes)
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def _key_schema(keys: tuple[str, ...]) -> Any:  # noqa: ANN401 - boto3's
    return [
        {"AttributeName": key, "KeyType": "RANGE" if position else "HASH"}
        for position, key in enumerate(keys)
    ]


@dataclass(slots=True)
class StreamReader:
    """The event source mapping: every record once, in its shard's order. Its calls are not ours."""

    read_until: dict[str, int] = field(default_factory=dict)

    def new_records(self) -> Iterator[tuple[str, list[bytes]]]:
        kinesis = client("kinesis")
        for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]:
            shard_id = shard["ShardId"]
            iterator = kinesis.get_shard_iterator(
                StreamName=STREAM, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = kinesis.get_records(ShardIterator=iterator, Limit=10_000)["Records"]
            new = [record["Data"] for record in records[self.read_until.get(shard_id, 0) :]]
            self.read_until[shard_id] = len(records)
            yield shard_id, new


def _client(service: str) -> Any:  # noqa: ANN401 - of whichever service
    return cast("Any", client)(service)
