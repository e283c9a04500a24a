"""Each port twice: the in-memory fake and the AWS adapter on moto, so that the fake cannot lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.directory_ports import MerchantDirectory
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.journal_ports import Journal
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.past_ports import Closings
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import (
    BalanceStore,
    BalanceStream,
    EventClaims,
    MerchantReads,
    PayoutClaims,
    TransactionLog,
)
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.adapters.stage_ports import Quarantine
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.domain.blocks import block_writes
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.closings import MemoryClosings
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from falcon_balances.fakes.storage import (
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryPayoutClaims,
    MemoryQuarantine,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream
from inprocess.aws import (
    BALANCES_TABLE,
    CLAIMS_TABLE,
    CONTEXT_TABLE,
    JOURNAL_BUCKET,
    LOG_BUCKET,
    QUARANTINE_BUCKET,
    STREAM,
)
from tests.component.ports.claimed_payouts import BLOCK, CLAIM, give
from tests.component.ports.tables import Tables
from tests.component.world import AwsWorld, Refused

MEMORY, MOTO = "memory", "moto"
ARRIVAL = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReadableStream:
    """A stream, what lies in its shards, and a way to split one in two."""

    port: BalanceStream
    read: Callable[[], Mapping[str, list[bytes]]]
    split: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class ReadableStore:
    """A store, and the item that lies under a key: attributes or counters, None if none.

    `completed_at`: when a cut was completed.
    """

    port: BalanceStore
    read: Callable[[ItemKey], Mapping[str, object] | None]
    completed_at: Callable[[datetime], str | None]


@dataclass(frozen=True, slots=True)
class ReadableQuarantine:
    port: Quarantine
    read: Callable[[], list[Refused]]


@pytest.fixture(params=[MEMORY, MOTO])
def world(request: pytest.FixtureRequest) -> AwsWorld | None:
    """None where the fakes are under test."""
    return request.getfixturevalue("aws") if request.param == MOTO else None


@pytest.fixture
def claims(world: AwsWorld | None) -> EventClaims:
    return DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE) if world else MemoryEventClaims()


@pytest.fixture
def log(world: AwsWorld | None) -> TransactionLog:
    return S3TransactionLog(client("s3"), LOG_BUCKET) if world else MemoryTransactionLog()


@pytest.fixture
def journal(world: AwsWorld | None) -> Journal:
    return S3Journal(client("s3"), JOURNAL_BUCKET) if world else MemoryJournal()


@pytest.fixture
def directory(world: AwsWorld | None) -> MerchantDirectory:
    if world:
        return DynamoMerchantDirectory(client("dynamodb"), CONTEXT_TABLE)
    return MemoryMerchantDirectory()


@pytest.fixture
def stream(world: AwsWorld | None) -> ReadableStream:
    if world is None:
        fake = MemoryBalanceStream(lambda: ARRIVAL)
        return ReadableStream(fake, lambda: _memory_records(fake), fake.split_shard)
    adapter = KinesisBalanceStream(client("kinesis"), STREAM)
    return ReadableStream(adapter, world.stream, lambda shard_id: _split(adapter, shard_id))


def _memory_records(fake: MemoryBalanceStream) -> dict[str, list[bytes]]:
    return {
        shard_id: [record.data for record in shard.records]
        for shard_id, shard in fake.by_id.items()
    }


def _split(adapter: KinesisBalanceStream, shard_id: str) -> None:
    """In the middle of the first half of all hash keys."""
    client("kinesis").split_shard(
        StreamName=STREAM, ShardToSplit=shard_id, NewStartingHashKey=str(2**126)
    )


@pytest.fixture
def store(world: AwsWorld | None) -> ReadableStore:
    if world is None:
        fake = MemoryBalanceStore()
        return ReadableStore(
            fake,
            lambda key: fake.marks.get(key) or fake.counters.get(key),
            lambda cut_at: _when(fake.cuts_completed.get(cut_at)),
        )
    adapter = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)

    def read(key: ItemKey) -> Mapping[str, object] | None:
        merchant_id = key.pk.removeprefix("MERCHANT#")
        return world.items(key.sk.partition("#")[0], merchant_id).get(key.sk)

    def completed_at(cut_at: datetime) -> str | None:
        return world.stream_item(f"CUT#{rfc3339(cut_at)}").get("completed_at")

    return ReadableStore(adapter, read, completed_at)


def _when(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


@pytest.fixture
def quarantine(world: AwsWorld | None) -> ReadableQuarantine:
    if world:
        return ReadableQuarantine(S3Quarantine(client("s3"), QUARANTINE_BUCKET), world.quarantined)
    fake = MemoryQuarantine()
    return ReadableQuarantine(fake, lambda: _memory_refusals(fake))


def _memory_refusals(fake: MemoryQuarantine) -> list[Refused]:
    return [
        Refused(
            key,
            refused.body,
            {
                "code": refused.code,
                "reason": refused.reason,
                "received_at": rfc3339(refused.received_at),
            },
        )
        for key, versions in sorted(fake.bodies.items())
        for refused in versions
    ]


@pytest.fixture
def closings(world: AwsWorld | None, store: ReadableStore) -> Closings:
    """Over the same table as the other fixtures."""
    if world:
        return DynamoClosings(client("dynamodb"), BALANCES_TABLE)
    assert isinstance(store.port, MemoryBalanceStore)
    return MemoryClosings(store.port)


@pytest.fixture
def tables(
    world: AwsWorld | None, store: ReadableStore, claims: EventClaims, closings: Closings
) -> Tables:
    def reads(merchant_id: str) -> MerchantReads:
        if world:
            return DynamoMerchantReads(
                client("dynamodb"), BALANCES_TABLE, CLAIMS_TABLE, merchant_id
            )
        return MemoryMerchantReads(store.port, claims, merchant_id)  # type: ignore[arg-type]

    return Tables(store.port, claims, reads, closings)


@pytest.fixture
def reads(tables: Tables) -> MerchantReads:
    return tables.reads("m-1")


@pytest.fixture
def payouts(world: AwsWorld | None, claims: EventClaims, store: ReadableStore) -> PayoutClaims:
    """Over the same claims and balances as the ports of the other fixtures."""
    if world:
        return DynamoPayoutClaims(client("dynamodb"), CLAIMS_TABLE, BALANCES_TABLE)
    assert isinstance(claims, MemoryEventClaims)
    assert isinstance(store.port, MemoryBalanceStore)
    return MemoryPayoutClaims(claims, store.port)


@pytest.fixture
def paying(payouts: PayoutClaims, store: ReadableStore) -> PayoutClaims:
    """Of 100.00, 40.00 are decided to be paid out."""
    give(store)
    assert payouts.decide(CLAIM, block_writes(BLOCK)) is None
    return payouts
