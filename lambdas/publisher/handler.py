"""Publisher: puts every segment on the stream, also segments that were in the log before.

Input     per message the claim in force, its segments all in the log, from the persister
Output    per message that it is published, or why it was refused, for the dispatcher
Retries   safe: the reducer counts a segment once, however often it is on the stream
Errors    TransientError (the message comes back) while the stream does not take every record, or
          if earlier revisions cannot be read in time: then nothing is published
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
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
from falcon_balances.observability import metrics
from falcon_balances.settings import PublisherSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

# https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
RECORDS_PER_PUT: Final = 500
ATTEMPTS: Final = 5
_FIRST_DELAY_S: Final = 0.1
_CONCURRENT_READS: Final = 16
# Reading begins nothing more when this is left: all attempts to publish wait for 1.5 s together.
_PUBLISHING_MS: Final = 6_000

# An operation's id, and a stage with its revision.
EarlierClaim = tuple[str, str]
Published = tuple[ClaimV1, Sequence[str]]
Read = Callable[[EarlierClaim], Published]
Run = Callable[[Read, Iterable[EarlierClaim]], Iterable[Published]]


def publish(
    step: PublisherInput,
    stream: BalanceStream,
    claims: EventClaims,
    log: TransactionLog,
    wait: Callable[[float], object] = sleep,
    *,
    run: Run = map,
    is_late: Callable[[], bool] = lambda: False,
) -> ExecutionResult:
    """Publishes the messages; one is done when Kinesis has acknowledged each of its records.

    The order matters. Kinesis acknowledges the records of earlier revisions before those of a later
    one are sent: the later one is counted after them, and their own messages may never have got
    this far. Earlier records carry the later one's links, because the operation's blocks end with
    the record that is counted first.
    """
    metrics.add_metric(name="MessagesToPublish", unit="Count", value=len(step.messages))
    earlier = _earlier(step.messages, partial(_read, claims, log, is_late), run)
    waves: dict[int, list[StreamEntry]] = {}
    for message in step.messages:
        for claim, versions in _claims_of(message, earlier):
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


def _earlier(
    messages: Sequence[PersistedMessage], read: Read, run: Run
) -> Mapping[EarlierClaim, Published]:
    """The earlier revisions of all messages, each once, with the versions of their log objects.
    They are read again, because a state could not hold all of them: at most 98 claims for each of
    the 32 messages, a read for each claim and for each of its segments.
    """
    wanted = list(dict.fromkeys(each for message in messages for each in _named_by(message)))
    return dict(zip(wanted, run(read, wanted), strict=True))


def _named_by(message: PersistedMessage) -> Iterator[EarlierClaim]:
    ours = message.claim
    if ours is not None:
        for revision in message.earlier:
            yield ours.falcon_operation_id, staged(ours.stage, revision)


def _read(
    claims: EventClaims, log: TransactionLog, is_late: Callable[[], bool], wanted: EarlierClaim
) -> Published:
    if is_late():
        raise TransientError("the earlier revisions could not be read in time")
    claim = claims.find(*wanted)
    if claim is None:
        raise IntegrityError(f"the claim of {' '.join(wanted)} is missing")
    return claim, claimed_versions(log, claim)


def _claims_of(
    message: PersistedMessage, earlier: Mapping[EarlierClaim, Published]
) -> Iterator[Published]:
    """The claims with the versions of their log objects."""
    yield from (earlier[each] for each in _named_by(message))
    if message.claim is not None:
        yield message.claim, message.versions


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
def _adapters() -> tuple[BalanceStream, EventClaims, TransactionLog, Run]:
    settings = PublisherSettings.load()
    return (
        KinesisBalanceStream(client("kinesis"), settings.stream),
        DynamoEventClaims(client("dynamodb"), settings.claims_table),
        S3TransactionLog(client("s3"), settings.log_bucket),
        ThreadPoolExecutor(_CONCURRENT_READS).map,
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    stream, claims, log, run = _adapters()
    step = PublisherInput.model_validate(event)

    def is_late() -> bool:
        return context.get_remaining_time_in_millis() < _PUBLISHING_MS

    published = publish(step, stream, claims, log, run=run, is_late=is_late)
    return published.model_dump(mode="json")
