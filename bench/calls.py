"""AWS calls per 1,000 events by service and operation, with the template's batch sizes.

The functions and adapters are the real ones; moto stands for AWS. Event source mappings and the
state machine do not run: their calls are computed from the batches, and listed separately.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from bench import world
from bench.core import dispatch_batch, sqs_events
from bench.environment import BatchSizes, batch_sizes_of
from bench.results import Bound, Result, Row
from bench.world import Call, Calls
from falcon_balances.contracts.execution import ExecutionResult, SplitterInput
from falcon_balances.observability import metrics
from generated import events
from inprocess.aws import CLAIMS_TABLE, LOG_BUCKET, AwsPlaces, records_on_stream
from inprocess.functions import OPERATION_STEPS, Functions
from lambdas.persister.handler import CONCURRENT_MESSAGES, Run

EVENTS: Final = 1_000
OTHER_CALLS_MAX: Final = 0.5  # per event
# Besides its write, a counting transaction reads its standings. It has room for 48 of a PSP's
# segments, each with a mark and a standing, where 97 marks would fit; and each batch reads its
# sales, then writes a page of the journal and moves its shard. An eager reducer pays most, as its
# batches are small: 0.65 with the calls of SQS.
OTHER_CALLS_WITH_SQS_MAX: Final = 0.66
_SQS_MESSAGES_MAX: Final = 10  # of one ReceiveMessage or DeleteMessageBatch
_CLAIM: Final = ("dynamodb", "PutItem", CLAIMS_TABLE)
_PUT: Final = ("s3", "PutObject", LOG_BUCKET)
# Reads the claims of both stages, which may name different merchants.
_OTHER_STAGE: Final = ("dynamodb", "Query", CLAIMS_TABLE)
_EXPECTED: Final = {_CLAIM, _PUT, _OTHER_STAGE}


@dataclass(frozen=True, slots=True)
class Case:
    """`eager`: the reducer reads after every batch of the queue; otherwise once, at the end."""

    name: str
    environment: str
    merchants: int
    eager: bool = False


CASES: Final = (
    Case("100 merchants", "live", merchants=100),
    Case("100 merchants, eager reducer", "live", merchants=100, eager=True),
    Case("one hot merchant", "live", merchants=1),
    Case("100 merchants, local sizes", "local", merchants=100),
)


class CountedFunctions(Functions):
    """The functions on moto. Moto has no StartSyncExecution, so this class counts those calls."""

    def __init__(self, calls: Calls, run: Run) -> None:
        super().__init__(AwsPlaces(), lambda: events.SENT_AT, run)
        self._calls = calls

    def run(self, step: SplitterInput) -> ExecutionResult:
        self._calls.count("stepfunctions", "StartSyncExecution", "balance-operations")
        return super().run(step)


def run_case(case: Case, sizes: BatchSizes) -> Calls:
    """The calls of cold functions for all events, from the queue to the balances."""
    messages = list(events.captures(EVENTS, case.merchants))
    histories = events.histories_of(case.merchants)
    with (
        world.environment(sizes.shards, histories),
        world.counted() as calls,
        ThreadPoolExecutor(CONCURRENT_MESSAGES) as pool,
    ):
        reducer = _Reducer(CountedFunctions(calls, pool.map), sizes)
        for stage, batch in sqs_events(messages, sizes.queue_messages):
            dispatch_batch(stage, batch, reducer.functions, sizes)
            if case.eager:
                reducer.read(calls)
        reducer.read(calls)
    assert calls.counts[_CLAIM] == EVENTS
    return calls


@dataclass(slots=True)
class _Reducer:
    functions: Functions
    sizes: BatchSizes
    read_until: dict[str, int] = field(default_factory=dict)

    def read(self, calls: Calls) -> None:
        """Reduces all new records. Reads of the stream are the mapping's own, and not counted."""
        with calls.paused():
            found = records_on_stream()
        for shard_id, records in found.items():
            for start in range(
                self.read_until.get(shard_id, 0), len(records), self.sizes.stream_records
            ):
                batch = records[start : start + self.sizes.stream_records]
                self.functions.reduce(shard_id, [(each, events.SENT_AT) for each in batch])
                metrics.clear_metrics()
            self.read_until[shard_id] = len(records)


def _of_services(calls: Calls, sizes: BatchSizes) -> dict[Call, int]:
    """The calls that AWS makes for us: the fewest possible, each with a full batch."""
    batches = ceil(EVENTS / min(sizes.queue_messages, _SQS_MESSAGES_MAX))
    steps = len(OPERATION_STEPS)
    return {
        ("sqs", "ReceiveMessage", "event source mapping"): batches,
        ("sqs", "DeleteMessage", "event source mapping, batched"): batches,
        ("lambda", "Invoke", "event source mapping, dispatcher"): ceil(
            EVENTS / sizes.queue_messages
        ),
        ("lambda", "Invoke", f"state machine, {steps} steps"): (
            steps * calls.by_operation()["StartSyncExecution"]
        ),
    }


def run(cases: Sequence[Case] = CASES) -> list[Result]:
    return [_result(case, batch_sizes_of(case.environment)) for case in cases]


def _result(case: Case, sizes: BatchSizes) -> Result:
    calls = run_case(case, sizes)
    computed = _of_services(calls, sizes)
    others = sum(count for call, count in calls.counts.items() if call not in _EXPECTED)
    with_sqs = others + sum(count for call, count in computed.items() if call[0] == "sqs")
    return Result(
        name=f"calls: {case.name}",
        title=(
            f"AWS calls per {EVENTS:,} events: {case.name} ({sizes.environment}: queue batch "
            f"{sizes.queue_messages}, stream batch {sizes.stream_records}, {sizes.shards} shards)"
        ),
        columns={
            "service": "service",
            "operation": "operation",
            "on": "on",
            "calls": "calls",
            "per_event": ("per event", 3),
            "counted": "counted",
        },
        rows=[
            *(_row(call, count, "client") for call, count in sorted(calls.counts.items())),
            _row(("", "all but claim, read and PUT", ""), others, "client"),
            *(_row(call, count, "computed") for call, count in computed.items()),
            _row(("", "all but claim, read and PUT, with SQS", ""), with_sqs, "both"),
        ],
        bounds=(
            Bound("1.0 claim per event", calls.counts[_CLAIM] == EVENTS),
            Bound("1.0 PUT per event", calls.counts[_PUT] == EVENTS),
            Bound("1.0 read of both stages per event", calls.counts[_OTHER_STAGE] == EVENTS),
            Bound(
                f"at most {OTHER_CALLS_MAX} other calls per event",
                others <= OTHER_CALLS_MAX * EVENTS,
            ),
            Bound(
                f"at most {OTHER_CALLS_WITH_SQS_MAX} other calls per event with those of SQS",
                with_sqs <= OTHER_CALLS_WITH_SQS_MAX * EVENTS,
            ),
        ),
    )


def _row(call: Call, count: int, counted: str) -> Row:
    names = dict(zip(("service", "operation", "on"), call, strict=True))
    return {**names, "calls": count, "per_event": round(count / EVENTS, 3), "counted": counted}
