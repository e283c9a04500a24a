"""AWS calls per 1,000 events by service and operation, with the template's batch sizes.

The functions and adapters are the real ones, AWS is moto. Event source mappings and the state
machine are not: what they call is worked out from the batches, and told apart.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

from pydantic import BaseModel

from bench import world
from bench.core import dispatcher_settings, sqs_events
from bench.environment import BatchSizes
from bench.results import Bound, Column, Result, Row
from bench.world import Call, Calls
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.adapters.refund_claims import DynamoAuthorizations
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.execution import (
    ExecutionResult,
    PersisterInput,
    PublisherInput,
    SplitterInput,
)
from falcon_balances.observability import metrics
from generated import events
from lambdas.dispatcher.dispatching import dispatch
from lambdas.dispatcher.handler import queued_messages
from lambdas.persister.handler import CONCURRENT_MESSAGES, persist
from lambdas.publisher.handler import publish
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from lambdas.splitter.handler import split_messages

EVENTS: Final = 1_000
OTHER_CALLS_MAX: Final = 0.5  # per event
# A counting transaction costs a read of its standings besides, and has room for 48 of a PSP's
# segments, each a mark and a standing, where 97 marks would fit; and each batch reads what it
# needs of sales. That weighs most on an eager reducer, whose batches are small: 0.58 with the
# calls of SQS.
OTHER_CALLS_WITH_SQS_MAX: Final = 0.6
_SQS_MESSAGES_MAX: Final = 10  # of one ReceiveMessage or DeleteMessageBatch
_STEPS: Final = 3  # functions in the state machine
_CLAIM: Final = ("dynamodb", "PutItem", world.CLAIMS_TABLE)
_PUT: Final = ("s3", "PutObject", world.LOG_BUCKET)
# What the other stage claims of the operation: whether the two name different merchants.
_OTHER_STAGE: Final = ("dynamodb", "Query", world.CLAIMS_TABLE)
_EXPECTED: Final = {_CLAIM, _PUT, _OTHER_STAGE}


@dataclass(frozen=True, slots=True)
class Case:
    """`eager`: the reducer reads after every batch of the queue; else when all are published."""

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


class CountedExecutions:
    """StartSyncExecution, which moto does not have: the three steps, with JSON between them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._directory = CachedMerchantDirectory(
            DynamoMerchantDirectory(client("dynamodb"), world.CONTEXT_TABLE)
        )
        self._claims = DynamoEventClaims(client("dynamodb"), world.CLAIMS_TABLE)
        self._log = S3TransactionLog(client("s3"), world.LOG_BUCKET)
        self._stream = KinesisBalanceStream(client("kinesis"), world.STREAM)
        self._authorizations = DynamoAuthorizations(client("dynamodb"), world.BALANCES_TABLE)
        self._pool = ThreadPoolExecutor(CONCURRENT_MESSAGES)

    def run(self, step: SplitterInput) -> ExecutionResult:
        self._calls.count("stepfunctions", "StartSyncExecution", "balance-operations")
        split_up = split_messages(_handed_on(SplitterInput, step), self._directory)
        persisted = persist(
            _handed_on(PersisterInput, split_up),
            self._claims,
            self._log,
            self._authorizations,
            events.SENT_AT,
            self._pool.map,
        )
        return publish(_handed_on(PublisherInput, persisted), self._stream, self._claims)

    def close(self) -> None:
        self._pool.shutdown()


Step = TypeVar("Step", bound=BaseModel)


def _handed_on(kind: type[Step], answer: BaseModel) -> Step:
    return kind.model_validate(json.loads(answer.model_dump_json()))


def run_case(case: Case, sizes: BatchSizes) -> Calls:
    """From the queue to the balances; the calls are those of cold functions."""
    messages = list(events.captures(EVENTS, case.merchants))
    with world.environment(sizes, events.histories_of(case.merchants)), world.counted() as calls:
        quarantine = S3Quarantine(client("s3"), world.QUARANTINE_BUCKET)
        reducer = _Reducer(sizes, quarantine)
        with _executions(calls) as executions:
            for stage, batch in sqs_events(messages, sizes.queue_messages):
                assert not dispatch(
                    queued_messages(batch),
                    dispatcher_settings(stage, sizes),
                    executions,
                    quarantine,
                    lambda: 300.0,
                )
                metrics.clear_metrics()
                if case.eager:
                    reducer.read(calls)
        reducer.read(calls)
    assert calls.counts[_CLAIM] == EVENTS
    return calls


@contextmanager
def _executions(calls: Calls) -> Iterator[CountedExecutions]:
    executions = CountedExecutions(calls)
    try:
        yield executions
    finally:
        executions.close()


class _Reducer:
    def __init__(self, sizes: BatchSizes, quarantine: S3Quarantine) -> None:
        self._sizes = sizes
        self._mapping = world.StreamReader()
        self._world = ReducerPorts(
            DynamoBalanceStore(client("dynamodb"), world.BALANCES_TABLE),
            KinesisBalanceStream(client("kinesis"), world.STREAM),
            quarantine,
        )

    def read(self, calls: Calls) -> None:
        """All that is new; the event source mapping's own reading of the stream is not counted."""
        with calls.paused():
            found = list(self._mapping.new_records())
        for shard_id, data in found:
            for start in range(0, len(data), self._sizes.stream_records):
                batch = data[start : start + self._sizes.stream_records]
                records = [StreamRecord(each, events.SENT_AT) for each in batch]
                reduce_batch(shard_id, records, self._world)
                metrics.clear_metrics()


def _of_services(calls: Calls, sizes: BatchSizes) -> dict[Call, int]:
    """What AWS itself calls for us, at the fewest: in whole batches of what one call can carry."""
    batches = ceil(EVENTS / min(sizes.queue_messages, _SQS_MESSAGES_MAX))
    executions = sum(
        count for call, count in calls.counts.items() if call[1] == "StartSyncExecution"
    )
    return {
        ("sqs", "ReceiveMessage", "event source mapping"): batches,
        ("sqs", "DeleteMessage", "event source mapping, batched"): batches,
        ("lambda", "Invoke", "event source mapping, dispatcher"): ceil(
            EVENTS / sizes.queue_messages
        ),
        ("lambda", "Invoke", "state machine, 3 steps"): _STEPS * executions,
    }


def run(sizes_of: Mapping[str, BatchSizes], cases: Sequence[Case] = CASES) -> list[Result]:
    return [_result(case, sizes_of[case.environment]) for case in cases]


def _result(case: Case, sizes: BatchSizes) -> Result:
    calls = run_case(case, sizes)
    computed = _of_services(calls, sizes)
    others = sum(count for call, count in calls.counts.items() if call not in _EXPECTED)
    with_sqs = others + sum(
        count for (service, _, _), count in computed.items() if service == "sqs"
    )
    rows = [
        *(_row(call, count, "client") for call, count in sorted(calls.counts.items())),
        _row(("", "all but claim, read and PUT", ""), others, "client"),
        *(_row(call, count, "computed") for call, count in computed.items()),
        _row(("", "all but claim, read and PUT, with SQS", ""), with_sqs, "both"),
    ]
    return Result(
        name=f"calls: {case.name}",
        title=(
            f"AWS calls per {EVENTS:,} events: {case.name} ({sizes.environment}: queue batch "
            f"{sizes.queue_messages}, stream batch {sizes.stream_records}, {sizes.shards} shards)"
        ),
        columns=(
            Column("service", "service"),
            Column("operation", "operation"),
            Column("on", "on"),
            Column("calls", "calls"),
            Column("per_event", "per event", decimals=3),
            Column("counted", "counted"),
        ),
        rows=rows,
        bounds=(
            _bound("1.0 claim per event", calls.counts[_CLAIM] == EVENTS),
            _bound("1.0 PUT per event", calls.counts[_PUT] == EVENTS),
            _bound("1.0 read of both stages per event", calls.counts[_OTHER_STAGE] == EVENTS),
            _bound(
                f"at most {OTHER_CALLS_MAX} other calls per event",
                others <= OTHER_CALLS_MAX * EVENTS,
            ),
            _bound(
                f"at most {OTHER_CALLS_WITH_SQS_MAX} other calls per event with those of SQS",
                with_sqs <= OTHER_CALLS_WITH_SQS_MAX * EVENTS,
            ),
        ),
    )


def _bound(text: str, holds: bool) -> Bound:  # noqa: FBT001 - what is bound to hold
    return Bound(text, holds, fails_the_run=True)


def _row(call: Call, count: int, counted: str) -> Row:
    service, operation, resource = call
    return {
        "service": service,
        "operation": operation,
        "on": resource,
        "calls": count,
        "per_event": round(count / EVENTS, 3),
        "counted": counted,
    }
