"""The whole path in one process: the real functions and state machine over the in-memory fakes.

Queues, event source mappings and the state machine behave as design §3 says of AWS: at least once,
in any order, a message leaves its queue only when its dispatcher answered so.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from falcon_balances.contracts.execution import ExecutionResult, SplitterInput
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.interruptions import Interrupt
from falcon_balances.settings import DispatcherSettings
from inprocess.functions import Functions
from inprocess.places import MemoryPlaces
from lambdas.cutter.handler import put_cuts
from lambdas.dispatcher.dispatching import QueuedMessage, dispatch

STATE_MACHINES = Path(__file__).parents[2] / "state_machines"
STATES: dict[str, Any] = json.loads((STATE_MACHINES / "balance_operations.asl.json").read_text())
PAYOUT_STATES: dict[str, Any] = json.loads((STATE_MACHINES / "payouts.asl.json").read_text())
RECEIVES_MAX = 5
BEGINNING = datetime(2026, 3, 5, 10, 7, tzinfo=UTC)
POISON = "poison"  # an external_reference at which the splitter breaks, as a bug would make it


@dataclass(slots=True)
class Queue:
    """`in_flight` are the messages that some dispatcher is working on."""

    waiting: dict[str, QueuedMessage] = field(default_factory=dict)
    in_flight: dict[str, QueuedMessage] = field(default_factory=dict)
    receives: dict[str, int] = field(default_factory=dict)
    dead: dict[str, QueuedMessage] = field(default_factory=dict)

    def redrive(self) -> None:
        """As an operator does: what is in the dead-letter queue is in flight still."""
        self.waiting |= self.dead
        self.dead.clear()
        self.receives.clear()


def _picked(expression: str, given: Any, result: Any) -> Any:
    """What the definitions' expressions pick: `$states.input`, a field of it, or the answer."""
    path = expression.removeprefix("{% $states.").removesuffix(" %}")
    if path == "result.Payload":
        return result
    root, _, name = path.partition(".")
    assert root == "input", expression
    return given[name] if name else given


class Pipeline:
    def __init__(self, interrupt: Interrupt, shard_count: int = 2) -> None:
        self.now = BEGINNING
        self.stream_clock_skew = timedelta()
        self.places = MemoryPlaces(
            lambda: self.now + self.stream_clock_skew, shard_count, interrupt
        )
        self.functions = Functions(self.places, lambda: self.now, wait=lambda _delay_s: None)
        self.claims, self.log = self.places.claims, self.places.log
        self.stream, self.store = self.places.stream, self.places.store
        self.directory, self.quarantine = self.places.directory, self.places.quarantine
        self.payouts, self.refunds = self.places.payouts, self.places.refunds
        self.outcomes = self.places.outcomes
        self.queues = {stage: Queue() for stage in Stage}
        self.read_until: dict[str, int] = {}
        self.being_read: set[str] = set()
        self._message_count = 0

    def tick(self, **step: int) -> None:
        self.now += timedelta(**step)

    def send(self, stage: Stage, body: bytes) -> None:
        self._message_count += 1
        message = QueuedMessage(f"message-{self._message_count}", body, self.now)
        self.queues[stage].waiting[message.message_id] = message

    def deliver_again(self, stage: Stage, position: int) -> None:
        """At least once: a message under way is seen by another dispatcher too."""
        queue = self.queues[stage]
        if queue.in_flight:
            message_id = list(queue.in_flight)[position % len(queue.in_flight)]
            queue.waiting[message_id] = queue.in_flight[message_id]

    def dispatcher(self, stage: Stage, batch_size: int) -> Callable[[], None]:
        """Takes a batch from the queue now; the answered work does the rest."""
        queue = self.queues[stage]
        taken = list(queue.waiting.values())[:batch_size]
        for message in taken:
            del queue.waiting[message.message_id]
            queue.in_flight[message.message_id] = message
            queue.receives[message.message_id] = queue.receives.get(message.message_id, 0) + 1
        settings = DispatcherSettings(
            stage=stage.value,
            mode="test",
            state_machine_arn="-",
            quarantine_bucket="-",
            queue_url="-",
            chunk_budget_bytes=180_000,
        )

        def work() -> None:
            failed = {message.message_id for message in taken}
            try:
                failed = set(dispatch(taken, settings, self, self.quarantine, lambda: 300.0))
            finally:
                self._give_back(queue, taken, failed)

        return work

    def _give_back(self, queue: Queue, taken: Sequence[QueuedMessage], failed: set[str]) -> None:
        for message in taken:
            queue.in_flight.pop(message.message_id, None)
            if message.message_id not in failed:
                queue.waiting.pop(message.message_id, None)
            elif queue.receives[message.message_id] >= RECEIVES_MAX:
                queue.dead[message.message_id] = message
            else:
                queue.waiting[message.message_id] = message

    # The port `Executions`: the state machine, as its definition says.
    def run(self, step: SplitterInput) -> ExecutionResult:
        states = PAYOUT_STATES if step.stage is Stage.PAYOUT else STATES
        document, name = json.loads(step.model_dump_json()), states["StartAt"]
        while True:
            state = states["States"][name]
            document = self._task(name, state, document)
            if state.get("End"):
                return ExecutionResult.model_validate(document)
            name = state["Next"]

    def _task(self, name: str, state: dict[str, Any], document: Any) -> Any:
        retried = {error for rule in state["Retry"] for error in rule["ErrorEquals"]}
        attempts = 1 + max(rule["MaxAttempts"] for rule in state["Retry"])
        for attempt in range(attempts):
            try:
                taken = _picked(state["Arguments"]["Payload"], document, {})
                answer = self._invoke(name, taken)
                return _picked(state["Output"], document, answer)
            except Exception as error:
                if type(error).__name__ not in retried or attempt == attempts - 1:
                    raise TransientError(f"execution failed in {name}") from error
        raise AssertionError

    def _invoke(self, name: str, document: Any) -> Any:
        if name == "Splitter" and any(
            m["event"].get("external_reference") == POISON for m in document["messages"]
        ):
            raise RuntimeError("a bug in the splitter")
        return json.loads(self.functions.invoke(name, json.dumps(document)))

    def reducer(self, shard_id: str, batch_size: int) -> Callable[[], None] | None:
        """One at a time per shard, children after their parents, from where the last one ended."""
        held = self.stream.by_id[shard_id]
        start = self.read_until.get(shard_id, 0)
        parents = [self.stream.by_id[parent] for parent in held.shard.parents]
        if shard_id in self.being_read or start == len(held.records):
            return None
        if any(self.read_until.get(p.shard.shard_id, 0) < len(p.records) for p in parents):
            return None
        batch = held.records[start : start + batch_size]
        self.being_read.add(shard_id)

        def work() -> None:
            try:
                records = [(record.data, record.arrived_at) for record in batch]
                self.functions.reduce(shard_id, records)
                self.read_until[shard_id] = start + len(batch)
            finally:
                self.being_read.discard(shard_id)

        return work

    def reduce_all(self) -> None:
        while works := [work for shard in self.stream.by_id if (work := self.reducer(shard, 10))]:
            for work in works:
                work()

    def cutter(self) -> Callable[[], None]:
        taken_at = self.now
        return lambda: put_cuts(taken_at, self.stream)
