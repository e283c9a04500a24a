"""Payout logger: moves a decided payout to `logging`, then writes its claim's segments to the log.

Input     per message the claim in force, from the payout decider
Output    the claims to publish, and for the announcer, past the publisher, the claims to announce
Retries   safe: after `logging` a payout only goes forward, and objects are write-once
Errors    TransientError (the message comes back), IntegrityError (the log holds other bytes)
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import ConditionFailed, PayoutClaims, TransactionLog
from falcon_balances.adapters.transaction_log import S3TransactionLog, append_claimed
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import PersistedMessage, PublisherInput
from falcon_balances.contracts.payouts import (
    DecidedMessage,
    PayoutLoggerInput,
    PayoutLoggerOutput,
)
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.payout_states import DECIDED_AGAINST, LOG
from falcon_balances.settings import PayoutLoggerSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def log_payouts(
    step: PayoutLoggerInput, claims: PayoutClaims, log: TransactionLog
) -> PayoutLoggerOutput:
    announce, publish = [], []
    for message in step.messages:
        claim = None if message.claim is None else _to_be_logged(message.claim, claims)
        logged = message.model_copy(update={"claim": claim})
        announce.append(logged)
        publish.append(_log(logged, log))
    return PayoutLoggerOutput(
        publish=PublisherInput(messages=tuple(publish)),
        announce=PayoutLoggerInput(messages=tuple(announce)),
    )


def _to_be_logged(claim: ClaimV1, claims: PayoutClaims) -> ClaimV1:
    """The claim with its present state: a payout that was given up stays given up."""
    if claim.state != LOG.source:
        return claim
    outcomes = claims.move(claim.falcon_operation_id, *LOG)
    state: object = LOG.target
    if outcomes:
        (outcome,) = outcomes
        if not isinstance(outcome, ConditionFailed):
            raise TransientError(
                f"payout {claim.falcon_operation_id}: another process changed it first"
            )
        state = outcome.attributes["state"]
    return claim.model_copy(update={"state": str(state)})


def _log(message: DecidedMessage, log: TransactionLog) -> PersistedMessage:
    claim = message.claim
    if claim is None or claim.state in DECIDED_AGAINST:
        return PersistedMessage(
            message_id=message.message_id, rejection=message.rejection, is_later=message.is_later
        )
    versions = append_claimed(log, claim)
    return PersistedMessage(message_id=message.message_id, claim=claim, versions=versions)


@cache
def _adapters() -> tuple[PayoutClaims, TransactionLog]:
    settings = PayoutLoggerSettings.load()
    return (
        DynamoPayoutClaims(client("dynamodb"), settings.claims_table, settings.balances_table),
        S3TransactionLog(client("s3"), settings.log_bucket),
    )


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = PayoutLoggerInput.model_validate(event)
    return log_payouts(step, *_adapters()).model_dump(mode="json")
