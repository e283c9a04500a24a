"""What stands around the functions of a stage: its queue, its executions, and the quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from falcon_balances.contracts.execution import ExecutionResult, SplitterInput


@dataclass(frozen=True, slots=True)
class QuarantinedBody:
    """Raw bytes that were refused. `source` is a stage, or `stream`; `received_at` is UTC."""

    source: str
    body: bytes
    code: str
    reason: str
    received_at: datetime


class Quarantine(Protocol):
    def put(self, refused: QuarantinedBody) -> None: ...


class Executions(Protocol):
    def run(self, step: SplitterInput) -> ExecutionResult:
        """Split, persist and publish; raises TransientError unless all of it was done."""


@dataclass(frozen=True, slots=True)
class FailedMessage:
    receipt_handle: str
    delay_s: int


class MessageQueue(Protocol):
    def return_after(self, failed: Sequence[FailedMessage]) -> None:
        """Let messages that failed come back after their delays."""
