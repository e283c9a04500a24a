"""Measures the functions between queue and balance, in batches of several sizes."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from math import ceil
from typing import Final

import numpy as np

from bench.core import dispatch_batch, sqs_events
from bench.environment import batch_sizes_of
from falcon_balances.capacity.counts import EXECUTION_MESSAGES_MAX
from falcon_balances.observability import metrics
from generated import events
from inprocess.aws import AwsPlaces, records_on_stream
from inprocess.functions import OPERATION_STEPS, Functions
from inprocess.places import Places
from lambdas.persister.handler import CONCURRENT_MESSAGES
from lambdas.persister.handler import Run as RunMessages
from simulation.account import ENVIRONMENT, Account, functions
from simulation.assumptions import assumptions
from simulation.metering import Cost, metered

MERCHANTS: Final = 100
SIZES: Final = (8, 64, 400)
"""Messages: each size is dispatched and counted on its own."""
REDUCER: Final = "reducer"
_STEPS: Final = tuple(step.lower() for step in OPERATION_STEPS)


@dataclass(frozen=True, slots=True)
class Line:
    """What a batch costs: `call` for the call, and `each` for each message of it."""

    call: float
    each: float

    def of(self, count: float) -> float:
        return self.call + self.each * count


@dataclass(frozen=True, slots=True)
class Path:
    """By function: seconds on AWS, and calls to AWS."""

    seconds: Mapping[str, Line]
    calls: Mapping[str, Line]

    def execution_s(self, count: float) -> float:
        between_s = len(_STEPS) * assumptions().express_state_ms / 1000
        return between_s + sum(self.seconds[step].of(count) for step in _STEPS)

    def dispatcher_s(self, messages: float) -> float:
        """Its executions follow one another, as it waits for each."""
        executions = ceil(messages / EXECUTION_MESSAGES_MAX)
        return executions * self.execution_s(messages / executions)

    def reducer_s(self, records: float) -> float:
        return self.seconds[REDUCER].of(records)

    def calls_of(self, execution: float, records: float) -> float:
        """Of one message, in executions and batches of the stream of these sizes."""
        steps = sum(self.calls[step].of(execution) for step in _STEPS)
        return (1 + steps) / execution + self.calls[REDUCER].of(records) / records


@cache
def path(sizes: Sequence[int] = SIZES) -> Path:
    account = Account(events.SENT_AT)
    with (
        account.opened(events.histories_of(MERCHANTS)),
        ThreadPoolExecutor(CONCURRENT_MESSAGES) as pool,
    ):
        measured = _Metered(AwsPlaces(), account, pool.map)
        for first, size in zip((0, *np.cumsum(sizes).tolist()), sizes, strict=False):
            measured.dispatch(first, size)
            measured.count()
    return Path(
        {name: _line(costs, _seconds(name)) for name, costs in measured.costs.items()},
        {name: _line(costs, _calls) for name, costs in measured.costs.items()},
    )


Costs = list[tuple[int, Cost]]


class _Metered(Functions):
    """Each function's costs, with the messages or records of its batch."""

    def __init__(self, places: Places, account: Account, run: RunMessages) -> None:
        super().__init__(places, lambda: account.now, run, lambda _s: None)
        self.costs: defaultdict[str, Costs] = defaultdict(list)
        self._read: dict[str, int] = {}
        self._sizes = batch_sizes_of(ENVIRONMENT)

    def dispatch(self, first: int, size: int) -> None:
        messages = list(events.captures(size, MERCHANTS, first))
        for stage, batch in sqs_events(messages, self._sizes.queue_messages):
            dispatch_batch(stage, batch, self, self._sizes)

    def count(self) -> None:
        for shard_id, records in records_on_stream().items():
            new = records[self._read.get(shard_id, 0) :]
            if new:
                self.reduce(shard_id, [(data, self.now()) for data in new])
                metrics.clear_metrics()
            self._read[shard_id] = len(records)

    def invoke(self, name: str, document: str) -> str:
        with metered() as cost:
            answer = super().invoke(name, document)
        self.costs[name.lower()].append((len(json.loads(document)["messages"]), cost))
        return answer

    def reduce(self, shard_id: str, records: Iterable[tuple[bytes, datetime]]) -> None:
        some = list(records)
        with metered() as cost:
            super().reduce(shard_id, some)
        self.costs[REDUCER].append((len(some), cost))


def _line(costs: Costs, figure: Callable[[Cost], float]) -> Line:
    """By least squares; what comes out below zero is noise."""
    counts = np.array([[1, count] for count, _ in costs], dtype=float)
    figures = np.array([figure(cost) for _, cost in costs])
    call, each = np.linalg.lstsq(counts, figures, rcond=None)[0].tolist()
    return Line(max(0.0, call), max(0.0, each))


def _seconds(name: str) -> Callable[[Cost], float]:
    memory_mb = functions()[name].memory_mb
    return lambda cost: cost.seconds(memory_mb)


def _calls(cost: Cost) -> float:
    return cost.calls.total()
