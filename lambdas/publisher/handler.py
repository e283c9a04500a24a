"""Publisher: puts every segment on the stream, already-logged ones again.

Input     per message the claim in force, its segments all in the log, from the persister
Output    per message that it is published, or why it was refused, for the dispatcher
Retries   safe: the reducer counts a segment once, however often it is on the stream
Errors    TransientError (the message comes back) while the stream does not take every record
"""

from collections.abc import Callable, Sequence
from functools import cache
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.ports import BalanceStream, StreamEntry
from falcon_balances.contracts.execution import ExecutionResult, MessageResult, PublisherInput
from falcon_balances.domain.errors import TransientError
from falcon_balances.settings import PublisherSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RECORDS_PER_PUT: Final = 500  # of PutRecords
ATTEMPTS: Final = 5
_FIRST_DELAY_S: Final = 0.1


def publish(
    step: PublisherInput, stream: BalanceStream, wait: Callable[[float], object] = sleep
) -> ExecutionResult:
    """A message is published when Kinesis has acknowledged each of its records."""
    entries = [
        StreamEntry(record.merchant_id, record.model_dump_json().encode())
        for message in step.messages
        for record in message.records
    ]
    for start in range(0, len(entries), RECORDS_PER_PUT):
        _publish_all(entries[start : start + RECORDS_PER_PUT], stream, wait)
    return ExecutionResult(
        results=tuple(
            MessageResult(message_id=message.message_id, rejection=message.rejection)
            for message in step.messages
        )
    )


def _publish_all(
    entries: Sequence[StreamEntry], stream: BalanceStream, wait: Callable[[float], object]
) -> None:
    """Only the records that failed are sent again."""
    for attempt in range(ATTEMPTS):
        if not entries:
            return
        if attempt:
            wait(_FIRST_DELAY_S * 2 ** (attempt - 1))
        entries = [entries[position] for position in stream.publish(entries)]
    if entries:
        raise TransientError(f"{len(entries)} records not taken by the stream")


@cache
def _stream() -> BalanceStream:
    return KinesisBalanceStream(client("kinesis"), PublisherSettings.load().stream)


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = PublisherInput.model_validate(event)
    return publish(step, _stream()).model_dump(mode="json")
