"""Events per second on one core: decoding, splitting, claim, log bytes, record, counting.

Every repetition runs the reference loop and the paths one after the other. So the ratio to the
reference can be compared between machines, and between a machine's quiet and busy hours.
"""

import json
from collections.abc import Sequence
from hashlib import sha256
from statistics import median
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from bench.environment import BatchSizes, batch_sizes_of
from bench.results import Result, Row, reported
from bench.timing import Times, measure, ratio
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import MemoryEventClaims, MemoryTransactionLog
from falcon_balances.observability import metrics
from falcon_balances.settings import DispatcherSettings
from generated import events
from inprocess.functions import Functions
from inprocess.places import MemoryPlaces
from inprocess.pure import claim_of, count, persist_claim, records_of
from lambdas.dispatcher.dispatching import dispatch
from lambdas.dispatcher.handler import queued_messages

EVENTS: Final = 4_000
MERCHANTS: Final = 100
REPETITIONS: Final = 7
EVENTS_PER_S_MIN: Final = 10_000


def reference(messages: Sequence[events.Message]) -> None:
    """The least that any such path must do, with the standard library only. Must never change."""
    for message in messages:
        document = json.loads(message.body)
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
        digest = sha256(canonical.encode()).hexdigest()
        for n in range(3):
            str(uuid5(NAMESPACE_URL, f"{digest}|{n}"))


def pure_path(
    messages: Sequence[events.Message], histories: events.Histories, sizes: BatchSizes
) -> MemoryBalanceStore:
    """The functions of domain and contracts, called directly, batch by batch as deployed."""
    claims, log, store = MemoryEventClaims(), MemoryTransactionLog(), MemoryBalanceStore()
    records: list[bytes] = []
    for start in range(0, len(messages), sizes.queue_messages):
        batch = messages[start : start + sizes.queue_messages]
        operations = [
            parse_message(message.body, message.stage, mode="test", sent_at=events.SENT_AT)
            for message in batch
        ]
        claimed = [claim_of(each, events.RECEIVED_AT, histories) for each in operations]
        for claim in claimed:
            persist_claim(claim, claims, log)
        for claim in claimed:
            records += records_of(claim)
    for start in range(0, len(records), sizes.stream_records):
        batch_of_stream = records[start : start + sizes.stream_records]
        count(batch_of_stream, quarter_of(events.SENT_AT), store)
    return store


def sqs_events(messages: Sequence[events.Message], size: int) -> list[tuple[Stage, dict[str, Any]]]:
    """Batches of one stage each, as the event source mapping hands them over."""
    attributes = {"SentTimestamp": str(int(events.SENT_AT.timestamp()) * 1000)}
    found: list[tuple[Stage, dict[str, Any]]] = []
    for stage, bodies in events.by_stage(messages).items():
        records = [
            {"messageId": f"{stage}-{n}", "body": body.decode(), "attributes": attributes}
            for n, body in enumerate(bodies)
        ]
        found += [
            (stage, {"Records": records[start : start + size]})
            for start in range(0, len(records), size)
        ]
    return found


def dispatch_batch(
    stage: Stage, batch: dict[str, Any], functions: Functions, sizes: BatchSizes
) -> None:
    """Takes a batch from the queue to the stream; no message may fail."""
    settings = DispatcherSettings(
        stage=stage.value,
        mode="test",
        state_machine_arn="-",
        quarantine_bucket="-",
        queue_url="-",
        chunk_budget_bytes=sizes.chunk_budget_bytes,
    )
    quarantine = functions.places.quarantine
    assert not dispatch(queued_messages(batch), settings, functions, quarantine, lambda: 300.0)
    metrics.clear_metrics()  # as at the end of an invocation


def whole_functions(
    batches: Sequence[tuple[Stage, dict[str, Any]]], histories: events.Histories, sizes: BatchSizes
) -> MemoryBalanceStore:
    """The functions as deployed, on the fakes: dispatcher, three steps as JSON, reducer."""
    places = MemoryPlaces(lambda: events.SENT_AT, sizes.shards)
    places.directory.contexts |= histories
    functions = Functions(places, lambda: events.SENT_AT)
    for stage, batch in batches:
        dispatch_batch(stage, batch, functions, sizes)
    for shard_id, shard in places.stream.by_id.items():
        for start in range(0, len(shard.records), sizes.stream_records):
            records = shard.records[start : start + sizes.stream_records]
            functions.reduce(shard_id, [(each.data, each.arrived_at) for each in records])
            metrics.clear_metrics()
    assert not places.quarantine.bodies
    return places.store


def check_equal(
    messages: Sequence[events.Message], histories: events.Histories, sizes: BatchSizes
) -> None:
    """Checks that the measured paths do the work: both end in the same balances and marks."""
    direct = pure_path(messages, histories, sizes)
    deployed = whole_functions(sqs_events(messages, sizes.queue_messages), histories, sizes)
    assert direct.counters == deployed.counters
    assert direct.marks == deployed.marks


def run() -> list[Result]:
    sizes, histories = batch_sizes_of("live"), events.histories_of(MERCHANTS)
    mixed = list(events.mixed(EVENTS, MERCHANTS))
    captures = list(events.captures(EVENTS, MERCHANTS))
    marketplaces = list(events.marketplaces(EVENTS, MERCHANTS))
    batches = sqs_events(mixed, sizes.queue_messages)
    check_equal(mixed, histories, sizes)
    times = measure(
        {
            "reference loop": lambda: reference(mixed),
            "pure path": lambda: pure_path(mixed, histories, sizes),
            "pure path, captures only": lambda: pure_path(captures, histories, sizes),
            "pure path, marketplaces only": lambda: pure_path(marketplaces, histories, sizes),
            "whole functions": lambda: whole_functions(batches, histories, sizes),
        },
        REPETITIONS,
    )
    pure_per_s = EVENTS / median(times["pure path"].cpu_s)
    return [
        Result(
            name="core",
            title="Events per second on one core",
            columns={
                "path": "path",
                "per_cpu_s": "events/s of CPU time",
                "per_wall_s": "events/s on the clock",
                "us_per_event": ("us/event", 1),
                "of_reference": ("times the reference's time", 2),
            },
            rows=[_row(name, each, times["reference loop"]) for name, each in times.items()],
            notes=(
                f"{EVENTS} generated events of {MERCHANTS} merchants; {events.MIX}",
                f"median of {REPETITIONS} repetitions of all in turn; ratios are within one",
                "pure path: parse, split, claim, log bytes, record bytes, read back, count",
                "whole functions: from the SQS event to the reducer, with JSON between the steps",
                "reference loop: json.loads, json.dumps, SHA-256 and three uuid5 of each message",
            ),
            bounds=(
                reported(
                    f"pure path: at least {EVENTS_PER_S_MIN:,} events/s of CPU time",
                    holds=pure_per_s >= EVENTS_PER_S_MIN,
                ),
            ),
        )
    ]


def _row(name: str, taken: Times, beside: Times) -> Row:
    cpu_s, wall_s = median(taken.cpu_s), median(taken.wall_s)
    return {
        "path": name,
        "per_cpu_s": round(EVENTS / cpu_s),
        "per_wall_s": round(EVENTS / wall_s),
        "us_per_event": round(cpu_s / EVENTS * 1e6, 1),
        "of_reference": ratio(taken.cpu_s, beside.cpu_s),
    }
