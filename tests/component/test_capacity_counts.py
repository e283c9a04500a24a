"""The model of `falcon capacity` says what the bench counts."""

from decimal import Decimal
from statistics import mean

import pytest
from boto3.dynamodb.types import TypeDeserializer

from bench.environment import batch_sizes_of
from bench.units import CLAIM, EVENTS, Case, Work, counted
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.capacity import counts, durations, limits
from falcon_balances.capacity.item_units import ITEM_OVERHEAD_BYTES, item_bytes
from falcon_balances.capacity.limits import index_units, table_units
from falcon_balances.capacity.workload import Batching
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain import merged_marks
from falcon_balances.domain.closings import Closing
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.history import Figures
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.operations import PSP_STAGES
from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.domain.transactions import TRANSACTION_ITEMS_MAX
from generated import events
from infra.environments import environment_named
from inprocess.aws import BALANCES_TABLE
from lambdas.dispatcher.chunking import output_bytes_max

LIVE = batch_sizes_of("live")
STAGES = 2


@pytest.fixture(scope="module")
def hot() -> Work:
    return counted(Case("hot", events.both_stages, merchants=1, stream_records=1_000), LIVE)


def close(said: float, found: float) -> bool:
    return abs(said - found) <= 0.05 * found


def test_units_by_kind_of_item_are_those_that_the_functions_write(hot):
    found = {kind: each.units / EVENTS for kind, each in hot.written.items()}
    assert found.pop(CLAIM) == counts.CLAIM_UNITS
    counters = {found.pop(kind) for kind in counts.COUNTER_KINDS}
    assert found == counts.UNITS
    assert len(counters) == 1


@pytest.mark.parametrize(
    ("merchants", "stream_records"), [(1, 1_000), (1, 100), (10, 50), (100, 1_000), (100, 25)]
)
def test_units_and_reads_follow_from_the_sizes_of_batches(merchants, stream_records):
    case = Case("-", events.both_stages, merchants, stream_records)
    work = counted(case, LIVE)
    shards = min(LIVE.shards, merchants)
    records = min(stream_records, EVENTS / STAGES / shards)
    batch = counts.reducer_batch(records, min(merchants / shards, records))
    said = counts.CLAIM_UNITS + table_units(batch) + index_units()
    assert close(said, work.units / EVENTS)
    assert close(batch.reads, work.reads / EVENTS)


def test_bytes_of_records_objects_and_items_are_those_that_are_written(hot):
    assert close(counts.RECORD_BYTES, mean(hot.record_bytes))
    assert close(counts.OBJECT_BYTES, mean(hot.object_bytes))
    for kind, said in (
        (CLAIM, counts.CLAIM_BYTES),
        ("OPERATION", counts.MARK_BYTES),
        ("index by-window", counts.MARK_ENTRY_BYTES),
        ("index by-reference", STAGES * counts.REFERENCE_ENTRY_BYTES),
    ):
        assert close(said - ITEM_OVERHEAD_BYTES, mean(hot.written[kind].sizes)), kind
    last = [max(hot.written[kind].sizes) for kind in ("STANDING", "SALE")]
    assert close(STAGES * counts.SHARED_BYTES - STAGES * ITEM_OVERHEAD_BYTES, sum(last))
    of_counters = [mean(hot.written[kind].sizes) for kind in ("WINDOW", "DAY")]
    assert close(counts.COUNTER_BYTES - ITEM_OVERHEAD_BYTES, mean(of_counters))


def test_bytes_of_a_shard_in_a_cut_are_those_that_are_written(aws):
    cut = Cut(events.SENT_AT, ("shardId-000000000000", "shardId-000000000001"))
    sizes = []
    for shard_id in cut.shards:
        DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE).meet_cut(cut, shard_id, BEGINNING)
        sizes.append(size_of_the_one("CUT#"))
    assert sizes[1] - sizes[0] == limits.MET_BYTES


def test_bytes_of_a_closing_are_those_that_are_written(aws):
    balance = BalanceKey(events.balance_shop_id(0), "EUR")
    figures = Figures(confirmed=123_456_789, reconciled=123_456_789, operations_count=12_345)
    closings = DynamoClosings(client("dynamodb"), BALANCES_TABLE)
    closings.put(events.merchant_id(0), Closing(balance, "2026-11-20", figures))
    assert close(counts.CLOSING_BYTES - ITEM_OVERHEAD_BYTES, size_of_the_one("CLOSING#"))


def size_of_the_one(prefix: str) -> int:
    items = client("dynamodb").scan(TableName=BALANCES_TABLE)["Items"]
    [item] = [each for each in items if each["sk"]["S"].startswith(prefix)]
    read = TypeDeserializer().deserialize
    plain = {name: read(value) for name, value in item.items()}
    numbers = {name: int(value) for name, value in plain.items() if isinstance(value, Decimal)}
    return item_bytes(plain | numbers)


def test_an_execution_takes_as_many_messages_as_the_dispatcher_plans():
    sizes = {
        output_bytes_max(parse_message(each.body, each.stage, mode="test", sent_at=events.SENT_AT))
        for each in events.both_stages(2, 1)
    }
    planned = {LIVE.chunk_budget_bytes // size for size in sizes}
    assert planned == {counts.EXECUTION_MESSAGES_MAX}


def test_the_limits_and_batches_of_the_model_are_those_of_the_code():
    live = environment_named("live")
    assert Batching() == Batching(
        queue_messages=live.queue.batch_size,
        queue_window_s=live.queue.window_s,
        stream_records=live.stream.batch_size,
        stream_window_s=live.stream.window_s,
    )
    assert live.queue.max_concurrency == limits.DISPATCHERS
    assert limits.INDEX_PARTITIONS == merged_marks.PARTITIONS
    assert counts.TRANSACTION_ITEMS_MAX == TRANSACTION_ITEMS_MAX
    assert len(PSP_STAGES) == counts.STAGES
    steps = {name: live.functions[name].memory_mb / 1024 for name in durations.STEPS}
    assert steps == {name: step.memory_gb for name, step in durations.STEPS.items()}
    assert live.functions["dispatcher"].memory_mb / 1024 == durations.DISPATCHER_GB
    assert live.functions["reducer"].memory_mb / 1024 == durations.REDUCER_GB
