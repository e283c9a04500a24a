"""Persister: claims each event, then writes what the claim says to the transaction log.

Input     per message the claim it would make, or why it is refused, from the splitter
Output    per message the claim in force, its segments all in the log, for the publisher
Retries   safe: the claim is made once and objects are write-once; a second run writes nothing
Errors    TransientError (the message comes back), E_ID_CONFLICT (quarantine, nothing overwritten),
          IntegrityError (the log holds other bytes under the key: an alarm, nothing overwritten)
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import EventClaims, LogObject, TransactionLog
from falcon_balances.adapters.transaction_log import S3TransactionLog, append_once
from falcon_balances.contracts.claims import ClaimV1, Rejection
from falcon_balances.contracts.execution import (
    PersistedMessage,
    PersisterInput,
    PublisherInput,
    SplitMessage,
)
from falcon_balances.domain.errors import RejectionCode
from falcon_balances.observability import metrics
from falcon_balances.settings import PersisterSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CONCURRENT_MESSAGES: Final = 8
Persist = Callable[[SplitMessage], PersistedMessage]
Run = Callable[[Persist, Iterable[SplitMessage]], Iterable[PersistedMessage]]


def persist(
    step: PersisterInput, claims: EventClaims, log: TransactionLog, run: Run = map
) -> PublisherInput:
    """`run` may work on several messages at a time: they have nothing to do with each other."""
    metrics.add_metric(name="MessagesToPersist", unit="Count", value=len(step.messages))
    messages = tuple(run(partial(_persist_message, claims, log), step.messages))
    segments = sum(len(message.claim.segments) for message in messages if message.claim)
    metrics.add_metric(name="SegmentsLogged", unit="Count", value=segments)
    return PublisherInput(messages=messages)


def _persist_message(
    claims: EventClaims, log: TransactionLog, message: SplitMessage
) -> PersistedMessage:
    decided = _decide(claims, message)
    if isinstance(decided, Rejection):
        return PersistedMessage(message_id=message.message_id, rejection=decided)
    for segment in decided.segments:
        logged = LogObject(decided.body_of(segment).encode(), decided.log_metadata(segment))
        append_once(log, segment.log_key, logged)
    return PersistedMessage(message_id=message.message_id, claim=decided)


def _decide(claims: EventClaims, message: SplitMessage) -> ClaimV1 | Rejection:
    """The claim in force. One made earlier wins over what was worked out now, refusal or lines."""
    ours = message.claim
    if message.rejection is not None:
        existing = claims.find(ours.falcon_operation_id, ours.staged)
        if existing is not None and existing.fingerprint == ours.fingerprint:
            return existing
        return message.rejection
    existing = claims.claim(ours)
    if existing is None:
        return ours
    if existing.fingerprint != ours.fingerprint:
        return Rejection(
            code=RejectionCode.ID_CONFLICT,
            reason="external_reference: known already, with another content",
        )
    return existing


@cache
def _adapters() -> tuple[EventClaims, TransactionLog, Run]:
    settings = PersisterSettings.load()
    return (
        DynamoEventClaims(client("dynamodb"), settings.claims_table),
        S3TransactionLog(client("s3"), settings.log_bucket),
        ThreadPoolExecutor(CONCURRENT_MESSAGES).map,
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    claims, log, run = _adapters()
    step = PersisterInput.model_validate(event)
    return persist(step, claims, log, run).model_dump(mode="json")
