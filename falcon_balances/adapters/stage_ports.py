"""Ports around the functions of a stage: its queue, its executions, and quarantine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from falcon_balances.contracts.execution import ExecutionResult, SplitterInput


@dataclass(frozen=True, slots=True)
class QuarantinedBody:
    """Refused raw bytes. `source` is a stage, or `stream`; `received_at` is UTC."""

    source: str
    body: bytes
    code: str
    reason: str
    received_at: datetime


class Quarantine(Protocol):
    def put(self, refused: QuarantinedBody) -> None: ...


class Executions(Protocol):
    def run(self, step: SplitterInput) -> ExecutionResult:
        """Splits, persists and publishes. Raises TransientError unless everything was done."""


@dataclass(frozen=True, slots=True)
class FailedMessage:
    receipt_handle: str
    delay_s: int


class MessageQueue(Protocol):
    def return_after(self, failed: Sequence[FailedMessage]) -> None:
        """Makes failed messages come back after their delays."""
