"""Events per second on one core: decoding, splitting, claim, log bytes, record, counting.

Every repetition runs the reference loop and the paths one after the other, so that the ratio to the
reference can be compared between machines, and between quiet and busy hours of one.
"""

import gc
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from bench.environment import BatchSizes
from bench.results import Bound, Column, Result, Row
from falcon_balances.adapters.ports import LogObject
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import (
    ExecutionResult,
    PersisterInput,
    PublisherInput,
    SplitterInput,
)
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.stream_records import (
    CutRecordV1,
    SegmentRecordV1,
    parse_stream_record,
)
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.operations import PspOperation, Stage
from falcon_balances.domain.parts import ArrivedSegment, CountablePart, countable_parts
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import sale_effect
from falcon_balances.domain.splitting import split
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.transactions import joined, transactions, writes_of
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import (
    MemoryAuthorizations,
    MemoryEventClaims,
    MemoryMerchantDirectory,
    MemoryQuarantine,
    MemoryTransactionLog,
)
from falcon_balances.fakes.stream import MemoryBalanceStream
from falcon_balances.observability import metrics
from falcon_balances.settings import DispatcherSettings
from generated import events
from lambdas.dispatcher.dispatching import dispatch
from lambdas.dispatcher.handler import queued_messages
from lambdas.persister.handler import persist
from lambdas.publisher.handler import publish
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from lambdas.splitter.handler import split_messages

EVENTS: Final = 4_000
MERCHANTS: Final = 100
REPETITIONS: Final = 7
EVENTS_PER_S_MIN: Final = 10_000


def reference(messages: Sequence[events.Message]) -> None:
    """Fixed for ever: what any such path must do at the least, by the standard library alone."""
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
        claimed = [
            ClaimV1.of(operation, events.RECEIVED_AT, split(operation, histories))
            for operation in operations
            if isinstance(operation, PspOperation)
        ]
        for claim in claimed:
            _persist(claim, claims, log)
        records += [
            SegmentRecordV1.of(claim, segment).model_dump_json().encode()
            for claim in claimed
            for segment in claim.segments
        ]
    for start in range(0, len(records), sizes.stream_records):
        _count(records[start : start + sizes.stream_records], store)
    return store


def _persist(claim: ClaimV1, claims: MemoryEventClaims, log: MemoryTransactionLog) -> None:
    assert claims.claim(claim) is None
    for segment in claim.segments:
        logged = LogObject(claim.body_of(segment).encode(), claim.log_metadata(segment))
        assert log.append(segment.log_key, logged)


def _count(records: Sequence[bytes], store: MemoryBalanceStore) -> None:
    window = quarter_of(events.SENT_AT)
    read = [parse_stream_record(data) for data in records]
    parts: list[CountablePart] = []
    for record in read:
        assert not isinstance(record, CutRecordV1)
        arrived = ArrivedSegment(
            record.to_segment(),
            window,
            record.log_key,
            record.fingerprint,
            sale=tuple(each.to_part() for each in record.sale),
        )
        parts += countable_parts(arrived)
    for group in transactions(parts):
        standings = {part.change.key for part in group if part.change is not None}
        of_sales = [each for part in group for each in part.sale_parts]
        operations = {each.operation_item for each in of_sales if each.operation_item is not None}
        found = store.items(standings | operations)
        counted, written = joined(
            group,
            {key: Standing.from_attributes(key, found[key]) for key in standings & set(found)},
        )
        seen = {
            key: SaleOperation.from_attributes(key, found[key]) for key in operations & set(found)
        }
        effect = sale_effect(of_sales, seen)
        assert not store.transact(writes_of(counted, [*written, *effect.writes()]))


class InProcessExecutions:
    """The state machine: each step takes and answers JSON, as the Lambda runtime hands it over."""

    def __init__(self, histories: events.Histories, stream: MemoryBalanceStream) -> None:
        self._directory = MemoryMerchantDirectory()
        self._directory.contexts |= histories
        self._claims = MemoryEventClaims()
        self._log = MemoryTransactionLog()
        self._authorizations = MemoryAuthorizations(MemoryBalanceStore())
        self._stream = stream

    def run(self, step: SplitterInput) -> ExecutionResult:
        state = step.model_dump_json()
        state = _json(
            split_messages(SplitterInput.model_validate(json.loads(state)), self._directory)
        )
        state = _json(
            persist(
                PersisterInput.model_validate(json.loads(state)),
                self._claims,
                self._log,
                self._authorizations,
                events.SENT_AT,
            )
        )
        persisted = PublisherInput.model_validate(json.loads(state))
        state = _json(publish(persisted, self._stream, self._claims))
        return ExecutionResult.model_validate_json(state)


def _json(answer: PersisterInput | PublisherInput | ExecutionResult) -> str:
    return json.dumps(answer.model_dump(mode="json"))


def sqs_events(messages: Sequence[events.Message], size: int) -> list[tuple[Stage, dict[str, Any]]]:
    """Batches of one stage each, as the event source mapping hands them over."""
    sent_at_ms = str(int(events.SENT_AT.timestamp()) * 1000)
    return [
        (
            stage,
            {
                "Records": [
                    {
                        "messageId": f"{stage}-{start + n}",
                        "body": body.decode(),
                        "attributes": {"SentTimestamp": sent_at_ms},
                    }
                    for n, body in enumerate(bodies[start : start + size])
                ]
            },
        )
        for stage, bodies in events.by_stage(messages).items()
        for start in range(0, len(bodies), size)
    ]


def dispatcher_settings(stage: Stage, sizes: BatchSizes) -> DispatcherSettings:
    return DispatcherSettings(
        stage=stage.value,
        mode="test",
        state_machine_arn="-",
        quarantine_bucket="-",
        queue_url="-",
        chunk_budget_bytes=sizes.chunk_budget_bytes,
    )


def whole_functions(
    batches: Sequence[tuple[Stage, dict[str, Any]]], histories: events.Histories, sizes: BatchSizes
) -> MemoryBalanceStore:
    """The functions as deployed, on the fakes: dispatcher, three steps as JSON, reducer."""
    stream = MemoryBalanceStream(lambda: events.SENT_AT, sizes.shards)
    executions, quarantine = InProcessExecutions(histories, stream), MemoryQuarantine()
    for stage, batch in batches:
        settings = dispatcher_settings(stage, sizes)
        failed = dispatch(queued_messages(batch), settings, executions, quarantine, lambda: 300.0)
        assert not failed
        metrics.clear_metrics()  # as at the end of an invocation
    world = ReducerPorts(MemoryBalanceStore(), stream, quarantine)
    for shard_id, shard in stream.by_id.items():
        for start in range(0, len(shard.records), sizes.stream_records):
            arrived = shard.records[start : start + sizes.stream_records]
            records = [StreamRecord(record.data, record.arrived_at) for record in arrived]
            reduce_batch(shard_id, records, world)
            metrics.clear_metrics()
    assert not quarantine.bodies
    assert isinstance(world.store, MemoryBalanceStore)
    return world.store


@dataclass(frozen=True, slots=True)
class Times:
    """Of each repetition: seconds of the process's own CPU time, and by the clock on the wall."""

    cpu_s: list[float]
    wall_s: list[float]


def measure(paths: dict[str, Callable[[], object]], repetitions: int) -> dict[str, Times]:
    """Each path once to warm up, then one after the other, again and again.

    What was there before is kept out of garbage collections, as nothing of it will go.
    """
    gc.collect()
    gc.freeze()
    times = {name: Times([], []) for name in paths}
    for repetition in range(repetitions + 1):
        for name, run in paths.items():
            wall_s, cpu_s = perf_counter(), process_time()
            run()
            if repetition:
                times[name].cpu_s.append(process_time() - cpu_s)
                times[name].wall_s.append(perf_counter() - wall_s)
    return times


def check_equal(
    messages: Sequence[events.Message], histories: events.Histories, sizes: BatchSizes
) -> None:
    """What is measured does the work: both paths end in the same balances and marks."""
    direct = pure_path(messages, histories, sizes)
    deployed = whole_functions(sqs_events(messages, sizes.queue_messages), histories, sizes)
    assert direct.counters == deployed.counters
    assert direct.marks == deployed.marks


def run(sizes: BatchSizes) -> Result:
    histories = events.histories_of(MERCHANTS)
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
    beside = times["reference loop"].cpu_s
    rows = [_row(name, taken, beside) for name, taken in times.items()]
    pure_per_s = next(row for row in rows if row["path"] == "pure path")["per_cpu_s"]
    assert isinstance(pure_per_s, int)
    return Result(
        name="core",
        title="Events per second on one core",
        columns=(
            Column("path", "path"),
            Column("per_cpu_s", "events/s of CPU time"),
            Column("per_wall_s", "events/s on the clock"),
            Column("us_per_event", "us/event", decimals=1),
            Column("of_reference", "times the reference's time", decimals=2),
        ),
        rows=rows,
        notes=(
            f"{EVENTS} generated events of {MERCHANTS} merchants; {events.MIX}",
            f"median of {REPETITIONS} repetitions of all in turn; ratios are within a repetition",
            "pure path: parse, split, claim, log bytes, record bytes, read back, count",
            "whole functions: from the SQS event to the reducer, with JSON between the steps",
            "reference loop: json.loads, json.dumps, SHA-256 and three uuid5 of each message",
        ),
        bounds=(
            Bound(
                f"pure path: at least {EVENTS_PER_S_MIN:,} events/s of CPU time",
                holds=pure_per_s >= EVENTS_PER_S_MIN,
                fails_the_run=False,
            ),
        ),
    )


def _row(name: str, taken: Times, beside: Sequence[float]) -> Row:
    cpu_s, wall_s = median(taken.cpu_s), median(taken.wall_s)
    ratios = [own / other for own, other in zip(taken.cpu_s, beside, strict=True)]
    return {
        "path": name,
        "per_cpu_s": round(EVENTS / cpu_s),
        "per_wall_s": round(EVENTS / wall_s),
        "us_per_event": round(cpu_s / EVENTS * 1e6, 1),
        "of_reference": round(median(ratios), 2),
    }
