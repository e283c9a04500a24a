"""Checks a batch of one stage's messages, executes it in chunks, quarantines refused messages."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from falcon_balances.adapters.stage_ports import Executions, Quarantine, QuarantinedBody
from falcon_balances.contracts.execution import MessageResult, SplitterInput, ValidMessage
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.direct_operations import StagedOperation
from falcon_balances.domain.errors import RejectedOperation, RejectionCode, TransientError
from falcon_balances.domain.identity import event_document
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import Stage
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import DispatcherSettings
from lambdas.dispatcher.chunking import chunks, output_bytes_max

# The longest wait for an execution's answer (its client's time-outs), plus time for quarantine.
# With less time left, this function begins no execution, because it could end first.
EXECUTION_S_MAX: Final = 115


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    message_id: str
    body: bytes
    sent_at: datetime


def dispatch(
    messages: Sequence[QueuedMessage],
    settings: DispatcherSettings,
    executions: Executions,
    quarantine: Quarantine,
    seconds_left: Callable[[], float],
) -> list[str]:
    """The ids of the messages that must come back, in their order."""
    queued = {message.message_id: message for message in messages}
    valid, refused = _check(messages, settings)
    done: set[str] = set()
    for chunk in _chunks(valid, settings):
        for result in _execute(chunk, settings, executions, seconds_left):
            if result.rejection is not None:
                refused[result.message_id] = result.rejection
            elif not result.is_later:
                done.add(result.message_id)
    done |= {
        message_id
        for message_id, rejection in refused.items()
        if _quarantine(queued[message_id], rejection, settings.stage, quarantine)
    }
    metrics.add_metric(name="MessagesDone", unit="Count", value=len(done))
    metrics.add_metric(name="MessagesRefused", unit="Count", value=len(refused))
    conflicts = sum(each.code is RejectionCode.ID_CONFLICT for each in refused.values())
    metrics.add_metric(name="IdentityConflicts", unit="Count", value=conflicts)
    return [message_id for message_id in queued if message_id not in done]


def _check(
    messages: Sequence[QueuedMessage], settings: DispatcherSettings
) -> tuple[list[tuple[int, ValidMessage]], dict[str, Rejection]]:
    """The valid messages, each with the bytes of its largest output; and the refused ones."""
    valid: list[tuple[int, ValidMessage]] = []
    refused: dict[str, Rejection] = {}
    for message in messages:
        try:
            operation = parse_message(
                message.body, Stage(settings.stage), mode=settings.mode, sent_at=message.sent_at
            )
        except RejectedOperation as rejected:
            refused[message.message_id] = Rejection.of(rejected)
        else:
            valid.append((output_bytes_max(operation), _valid_message(message, operation)))
    return valid, refused


def _chunks(
    valid: Sequence[tuple[int, ValidMessage]], settings: DispatcherSettings
) -> Iterator[list[ValidMessage]]:
    """Payout requests before returns, because a return may belong to a payout of this batch."""
    for are_returns in (False, True):
        wave = [each for each in valid if (each[1].event.get("type") == "return") is are_returns]
        yield from chunks(wave, settings.chunk_budget_bytes)


def _valid_message(message: QueuedMessage, operation: StagedOperation) -> ValidMessage:
    return ValidMessage(
        message_id=message.message_id,
        received_at=rfc3339(message.sent_at),
        event=event_document(operation),
    )


def _execute(
    chunk: list[ValidMessage],
    settings: DispatcherSettings,
    executions: Executions,
    seconds_left: Callable[[], float],
) -> Iterator[MessageResult]:
    """The result of each message; failed ones are missing.

    If an execution of several messages fails, each message is run again on its own, so that one bad
    message never delays the good ones.
    """
    if seconds_left() < EXECUTION_S_MAX:
        logger.warning("not enough time left to begin an execution", messages=len(chunk))
        return
    try:
        answer = executions.run(SplitterInput(stage=Stage(settings.stage), messages=tuple(chunk)))
    except TransientError as error:
        logger.warning("execution failed", messages=len(chunk), error=str(error))
        if len(chunk) > 1:
            for message in chunk:
                yield from _execute([message], settings, executions, seconds_left)
        return
    asked = {message.message_id for message in chunk}
    yield from (result for result in answer.results if result.message_id in asked)


def _quarantine(
    message: QueuedMessage, rejection: Rejection, stage: str, quarantine: Quarantine
) -> bool:
    try:
        quarantine.put(
            QuarantinedBody(stage, message.body, rejection.code, rejection.reason, message.sent_at)
        )
    except TransientError as error:
        logger.warning("quarantine failed", message_id=message.message_id, error=str(error))
        return False
    logger.info(
        "refused",
        message_id=message.message_id,
        code=rejection.code,
        reason=rejection.reason,
    )
    return True
