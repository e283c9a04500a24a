"""Dispatcher: decodes queued messages, checks the contract, runs them through the state machine.

Input     an SQS batch of one stage, raw delivery
Output    batchItemFailures: the messages whose segments are not known to be on the stream
Retries   safe: a message leaves its queue only when published or quarantined; all else is derived
Errors    a single message causes none; a missing setting or grant fails the whole batch
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.executions import StepFunctionsExecutions
from falcon_balances.adapters.message_queue import SqsMessageQueue
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.adapters.stage_ports import Executions, FailedMessage, MessageQueue, Quarantine
from falcon_balances.domain.errors import TransientError
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import DispatcherSettings
from lambdas.dispatcher.dispatching import QueuedMessage, dispatch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_FIRST_RETURN_S: Final = 30
_LAST_RETURN_S: Final = 1_800


def return_later(event: dict[str, Any], failed: Sequence[str], queue: MessageQueue) -> None:
    """Sets when failed messages come back: soon at first, then later each time, for up to a day."""
    records = {record["messageId"]: record for record in event["Records"]}
    returning = [
        FailedMessage(
            record["receiptHandle"],
            return_delay_s(int(record["attributes"]["ApproximateReceiveCount"])),
        )
        for record in (records[message_id] for message_id in failed)
    ]
    try:
        queue.return_after(returning)
    except TransientError as error:
        # The messages then come back when the queue's visibility time-out ends.
        logger.warning("delay not set", messages=len(returning), error=str(error))


def return_delay_s(receives: int) -> int:
    """Seconds until the message returns: 30 s, 2 min, 8 min, then half an hour each time."""
    return min(_FIRST_RETURN_S << 2 * min(receives - 1, 8), _LAST_RETURN_S)


@cache
def _queue() -> MessageQueue:
    return SqsMessageQueue(client("sqs"), DispatcherSettings.load().queue_url)


@cache
def _adapters() -> tuple[DispatcherSettings, Executions, Quarantine]:
    settings = DispatcherSettings.load()
    return (
        settings,
        StepFunctionsExecutions(client("stepfunctions"), settings.state_machine_arn),
        S3Quarantine(client("s3"), settings.quarantine_bucket),
    )


def queued_messages(event: dict[str, Any]) -> list[QueuedMessage]:
    """The messages of an SQS event. Half a surrogate pair in a body is kept, so that the body is
    refused as invalid JSON.
    """
    return [
        QueuedMessage(
            message_id=record["messageId"],
            body=record["body"].encode("utf-8", "surrogatepass"),
            sent_at=datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) // 1000, UTC),
        )
        for record in event["Records"]
    ]


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    settings, executions, quarantine = _adapters()
    failed = dispatch(
        queued_messages(event),
        settings,
        executions,
        quarantine,
        lambda: context.get_remaining_time_in_millis() / 1000,
    )
    if failed:
        return_later(event, failed, _queue())
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}
