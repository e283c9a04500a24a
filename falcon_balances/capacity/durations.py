"""How long functions run. These are estimates: nothing was measured in an account of AWS.

Each estimate has a time per call and a time per message of the call, for a function with the memory
that `live` gives it. Lambda bills memory times duration, an Express execution 64 MB times its
duration.
"""

from dataclasses import dataclass
from typing import Final

from falcon_balances.capacity.counts import Batches


@dataclass(frozen=True, slots=True)
class Estimate:
    memory_gb: float
    call_s: float
    message_s: float

    def seconds(self, messages: float) -> float:
        return self.call_s + self.message_s * messages


STEPS: Final = {
    "splitter": Estimate(1.0, 0.003, 0.001),
    "persister": Estimate(1.0, 0.060, 0.004),
    "publisher": Estimate(0.5, 0.015, 0.0005),
}
MACHINE_S: Final = 0.040
"""The time between the steps of an execution, all together."""
DISPATCHER_GB: Final = 0.5
REDUCER_GB: Final = 1.0
REDUCER_CALL_S: Final = 0.060
TRANSACTION_S: Final = 0.060
"""One counting transaction of a hundred items, with the read before it."""
EXPRESS_GB: Final = 0.0625
LOGS_BYTES: Final = 700
"""What an invocation logs: START, END, REPORT and its metrics."""


@dataclass(frozen=True, slots=True)
class Running:
    """What a message takes: calls, GB-seconds and seconds of functions, seconds of executions."""

    invocations: float
    gb_s: float
    dispatcher_s: float
    seconds: float
    execution_s: float


def execution_s(batches: Batches) -> float:
    count = batches.execution_messages
    return MACHINE_S + sum(step.seconds(count) for step in STEPS.values())


def reducer_s(batches: Batches) -> float:
    """Seconds for a batch. Its transactions follow one another: they share merchants' items."""
    return REDUCER_CALL_S + TRANSACTION_S * batches.transactions


def running(batches: Batches) -> Running:
    """The dispatcher waits for its executions, which follow one another."""
    count, whole_s = batches.execution_messages, execution_s(batches)
    steps_s = sum(step.seconds(count) for step in STEPS.values())
    steps_gb_s = sum(step.memory_gb * step.seconds(count) for step in STEPS.values())
    reducing_s = reducer_s(batches) / batches.records
    return Running(
        invocations=(1 / batches.messages + len(STEPS) / count + 1 / batches.records),
        gb_s=(DISPATCHER_GB * whole_s + steps_gb_s) / count + REDUCER_GB * reducing_s,
        dispatcher_s=whole_s / count,
        seconds=(whole_s + steps_s) / count + reducing_s,
        execution_s=whole_s / count,
    )
