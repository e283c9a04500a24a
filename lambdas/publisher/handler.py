"""Publisher: puts every segment on the stream, also segments that were in the log before.

Input     per message the claim in force, its segments all in the log, from the persister
Output    per message that it is published, or why it was refused, for the dispatcher
Retries   safe: the reducer counts a segment once, however often it is on the stream
Errors    TransientError (the message comes back) while the stream does not take every record
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import BalanceStream, EventClaims, StreamEntry, TransactionLog
from falcon_balances.adapters.retries import delays
from falcon_balances.adapters.transaction_log import S3TransactionLog, claimed_versions
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import (
    ExecutionResult,
    MessageResult,
    PersistedMessage,
    PublisherInput,
)
from falcon_balances.contracts.links import LinksV1
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.operations import staged
from falcon_balances.settings import PublisherSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
RECORDS_PER_PUT: Final = 500
ATTEMPTS: Final = 5
_FIRST_DELAY_S: Final = 0.1


def publish(
    step: PublisherInput,
    stream: BalanceStream,
    claims: EventClaims,
    log: TransactionLog,
    wait: Callable[[float], object] = sleep,
) -> ExecutionResult:
    """Publishes the messages; one is done when Kinesis has acknowledged each of its records.

    The order matters. Kinesis acknowledges the records of earlier revisions before those of a later
    one are sent: the later one is counted after them, and their own messages may never have got
    this far. Earlier records carry the later one's links, because the operation's blocks end with
    the record that is counted first.
    """
    waves: dict[int, list[StreamEntry]] = {}
    for message in step.messages:
        for claim, versions in _claims_of(message, claims, log):
            wave = waves.setdefault(claim.revision, [])
            wave.extend(_entries(claim, versions, message.links))
    for _, entries in sorted(waves.items()):
        for start in range(0, len(entries), RECORDS_PER_PUT):
            _publish_all(entries[start : start + RECORDS_PER_PUT], stream, wait)
    return ExecutionResult(
        results=tuple(
            MessageResult(
                message_id=message.message_id,
                rejection=message.rejection,
                is_later=message.is_later,
            )
            for message in step.messages
        )
    )


def _claims_of(
    message: PersistedMessage, claims: EventClaims, log: TransactionLog
) -> Iterator[tuple[ClaimV1, Sequence[str]]]:
    """The claims with the versions of their log objects. Those of earlier revisions are read again,
    because a state could not hold all of them.
    """
    ours = message.claim
    if ours is None:
        return
    for revision in message.earlier:
        in_stage = staged(ours.stage, revision)
        earlier = claims.find(ours.falcon_operation_id, in_stage)
        if earlier is None:
            raise IntegrityError(f"the claim of {ours.falcon_operation_id} {in_stage} is missing")
        yield earlier, claimed_versions(log, earlier)
    yield ours, message.versions


def _entries(claim: ClaimV1, versions: Sequence[str], links: LinksV1) -> Iterator[StreamEntry]:
    for segment, version_id in zip(claim.segments, versions, strict=True):
        record = SegmentRecordV1.of(claim, segment, version_id, links)
        yield StreamEntry(record.merchant_id, record.model_dump_json().encode())


def _publish_all(
    entries: Sequence[StreamEntry], stream: BalanceStream, wait: Callable[[float], object]
) -> None:
    """Sends records; only failed ones are sent again."""
    for delay_s in (0.0, *delays(ATTEMPTS - 1, _FIRST_DELAY_S)):
        if not entries:
            return
        if delay_s:
            wait(delay_s)
        entries = [entries[position] for position in stream.publish(entries)]
    if entries:
        raise TransientError(f"the stream refused {len(entries)} of the records")


@cache
def _adapters() -> tuple[BalanceStream, EventClaims, TransactionLog]:
    settings = PublisherSettings.load()
    return (
        KinesisBalanceStream(client("kinesis"), settings.stream),
        DynamoEventClaims(client("dynamodb"), settings.claims_table),
        S3TransactionLog(client("s3"), settings.log_bucket),
    )


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = PublisherInput.model_validate(event)
    return publish(step, *_adapters()).model_dump(mode="json")
