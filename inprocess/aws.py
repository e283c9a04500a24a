"""One environment on AWS as the adapters see it: buckets, tables and stream, for moto to answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.outcome_topic import SnsOutcomeTopic
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.adapters.refund_claims import DynamoAuthorizations, DynamoRefundClaims
from falcon_balances.adapters.transaction_log import S3TransactionLog

REGION: Final = "eu-central-1"
LOG_BUCKET: Final = "falcon-log"
JOURNAL_BUCKET: Final = "falcon-journal"
QUARANTINE_BUCKET: Final = "falcon-quarantine"
CLAIMS_TABLE: Final = "event-claims"
CONTEXT_TABLE: Final = "merchant-contexts"
BALANCES_TABLE: Final = "balances"
STREAM: Final = "balance-stream"
_TABLES: Final = {
    CLAIMS_TABLE: ("falcon_operation_id", "stage"),
    CONTEXT_TABLE: ("context_key",),
    BALANCES_TABLE: ("pk", "sk"),
}


class Index(NamedTuple):
    """A global secondary index; `includes`: the attributes that it holds beside keys, None for
    all.
    """

    partition_key: str
    sort_key: str
    includes: tuple[str, ...] | None = None


INDEXES: Final = {
    "by-expiry": Index("expiring", "expiry"),
    "by-window": Index("spread", "counted_order", includes=("tags",)),
    "by-open": Index("open", "sk"),
    "by-reference": Index("referenced", "sk", includes=()),
}


def create_environment(shards: int) -> None:
    for bucket in (LOG_BUCKET, JOURNAL_BUCKET, QUARANTINE_BUCKET):
        create_bucket(client("s3"), bucket, REGION)
    for name, keys in _TABLES.items():
        create_table(client("dynamodb"), name, keys, INDEXES if name == BALANCES_TABLE else {})
    client("kinesis").create_stream(StreamName=STREAM, ShardCount=shards)


def create_bucket(s3: Any, bucket: str, region: str) -> None:  # noqa: ANN401 - boto3's
    s3.create_bucket(
        Bucket=bucket,
        ObjectLockEnabledForBucket=True,
        CreateBucketConfiguration={"LocationConstraint": region},
    )


def create_table(
    dynamodb: Any,  # noqa: ANN401 - boto3's
    name: str,
    keys: Sequence[str],
    indexes: Mapping[str, Index],
) -> None:
    more: dict[str, Any] = {}
    if indexes:
        more["GlobalSecondaryIndexes"] = [
            {
                "IndexName": name_of_index,
                "KeySchema": _schema(index[:2]),
                "Projection": _projection(index.includes),
            }
            for name_of_index, index in indexes.items()
        ]
    attributes = {*keys, *(each for index in indexes.values() for each in index[:2])}
    dynamodb.create_table(
        TableName=name,
        KeySchema=_schema(keys),
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": "S"} for attribute in sorted(attributes)
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def _projection(includes: tuple[str, ...] | None) -> dict[str, Any]:
    if includes is None:
        return {"ProjectionType": "ALL"}
    if not includes:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(includes)}


def _schema(keys: Sequence[str]) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=False)]


def records_on_stream() -> dict[str, list[bytes]]:
    """The data of all records by shard, from each shard's first record on."""
    kinesis = client("kinesis")
    found = {}
    for shard in kinesis.list_shards(StreamName=STREAM)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator, Limit=10_000)["Records"]
        found[shard["ShardId"]] = [record["Data"] for record in records]
    return found


class AwsPlaces:
    """The adapters of this environment, with a directory that caches as in a deployed function."""

    def __init__(self, outcome_topic: str = "") -> None:
        dynamodb, s3 = client("dynamodb"), client("s3")
        self.directory = CachedMerchantDirectory(DynamoMerchantDirectory(dynamodb, CONTEXT_TABLE))
        self.claims = DynamoEventClaims(dynamodb, CLAIMS_TABLE)
        self.log = S3TransactionLog(s3, LOG_BUCKET)
        self.stream = KinesisBalanceStream(client("kinesis"), STREAM)
        self.store = DynamoBalanceStore(dynamodb, BALANCES_TABLE)
        self.quarantine = S3Quarantine(s3, QUARANTINE_BUCKET)
        self.journal = S3Journal(s3, JOURNAL_BUCKET)
        self.authorizations = DynamoAuthorizations(dynamodb, BALANCES_TABLE)
        self.payouts = DynamoPayoutClaims(dynamodb, CLAIMS_TABLE, BALANCES_TABLE)
        self.refunds = DynamoRefundClaims(dynamodb, CLAIMS_TABLE, BALANCES_TABLE)
        self.outcomes = SnsOutcomeTopic(client("sns"), outcome_topic)

    def reads_of(self, merchant_id: str) -> DynamoMerchantReads:
        tables = (BALANCES_TABLE, CLAIMS_TABLE)
        return DynamoMerchantReads(client("dynamodb"), *tables, merchant_id)
