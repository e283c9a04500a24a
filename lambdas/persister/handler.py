"""Persister: claims each event, then writes what the claim says to the transaction log.

Input     per message the claim it would make, or why it is refused, from the splitter
Output    per message the claim in force, its segments all in the log, for the publisher
Retries   safe: the claim is made once and objects are write-once; a second run writes nothing
Errors    TransientError (the message comes back), E_ID_CONFLICT (quarantine, nothing overwritten),
          IntegrityError (the log holds other bytes under the key: an alarm, nothing overwritten)
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import Authorizations, EventClaims, TransactionLog
from falcon_balances.adapters.refund_claims import DynamoAuthorizations
from falcon_balances.adapters.transaction_log import S3TransactionLog, append_claimed
from falcon_balances.contracts.execution import (
    PersistedMessage,
    PersisterInput,
    PublisherInput,
    SplitMessage,
)
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.observability import metrics
from falcon_balances.settings import PersisterSettings
from lambdas.persister.deciding import NotYetError, decide
from lambdas.persister.linking import links_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

CONCURRENT_MESSAGES: Final = 8
Persist = Callable[[SplitMessage], PersistedMessage]
Run = Callable[[Persist, Iterable[SplitMessage]], Iterable[PersistedMessage]]


def persist(
    step: PersisterInput,
    claims: EventClaims,
    log: TransactionLog,
    authorizations: Authorizations,
    now: datetime,
    run: Run = map,
) -> PublisherInput:
    """Handles messages concurrently, but earlier revisions before the later ones that build on
    them.
    """
    metrics.add_metric(name="MessagesToPersist", unit="Count", value=len(step.messages))
    work = partial(_persist_message, claims, log, authorizations, now)
    done: dict[str, PersistedMessage] = {}
    for _, group in groupby(sorted(step.messages, key=_revision), key=_revision):
        done |= {message.message_id: message for message in run(work, list(group))}
    messages = tuple(done[message.message_id] for message in step.messages)
    segments = sum(len(message.claim.segments) for message in messages if message.claim)
    metrics.add_metric(name="SegmentsLogged", unit="Count", value=segments)
    return PublisherInput(messages=messages)


def _revision(message: SplitMessage) -> int:
    return message.claim.revision


def _persist_message(
    claims: EventClaims,
    log: TransactionLog,
    authorizations: Authorizations,
    now: datetime,
    message: SplitMessage,
) -> PersistedMessage:
    message_id = message.message_id
    try:
        decided = decide(claims, message, now)
    except RejectedOperation as rejected:
        return PersistedMessage(message_id=message_id, rejection=Rejection.of(rejected))
    except NotYetError:
        return PersistedMessage(message_id=message_id, is_later=True)
    for claim in decided.earlier:
        append_claimed(log, claim)
    return PersistedMessage(
        message_id=message_id,
        claim=decided.claim,
        versions=append_claimed(log, decided.claim),
        earlier=tuple(claim.revision for claim in decided.earlier),
        links=links_of(decided.claim, claims, authorizations),
    )


@cache
def _adapters() -> tuple[EventClaims, TransactionLog, Authorizations, Run]:
    settings = PersisterSettings.load()
    return (
        DynamoEventClaims(client("dynamodb"), settings.claims_table),
        S3TransactionLog(client("s3"), settings.log_bucket),
        DynamoAuthorizations(client("dynamodb"), settings.balances_table),
        ThreadPoolExecutor(CONCURRENT_MESSAGES).map,
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    claims, log, authorizations, run = _adapters()
    step = PersisterInput.model_validate(event)
    return persist(step, claims, log, authorizations, utc_now(), run).model_dump(mode="json")
