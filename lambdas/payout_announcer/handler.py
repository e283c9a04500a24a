"""Payout announcer: moves logged and published payouts to `paid`, announces every outcome.

Input     per message the claim, whose segments are all in the log and on the stream
Output    per message that it is done, or why it was rejected, for the dispatcher
Retries   safe: an outcome is announced at least once, with the same id each time
Errors    TransientError (the message comes back)
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.outcome_topic import SnsOutcomeTopic
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import ConditionFailed, OutcomeTopic, PayoutClaims
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import ExecutionResult
from falcon_balances.contracts.payouts import DecidedMessage, PayoutLoggerInput, PayoutOutcomeV1
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.payout_states import PAY
from falcon_balances.observability import logger
from falcon_balances.settings import PayoutAnnouncerSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def announce_outcomes(
    step: PayoutLoggerInput, claims: PayoutClaims, topic: OutcomeTopic
) -> ExecutionResult:
    for message in step.messages:
        if message.is_later:
            continue
        outcome = _outcome(message, claims)
        topic.announce(outcome)
        logger.info("announced", outcome=outcome.outcome, outcome_id=outcome.outcome_id)
    return ExecutionResult(results=tuple(message.result for message in step.messages))


def _outcome(message: DecidedMessage, claims: PayoutClaims) -> PayoutOutcomeV1:
    if message.rejection is not None:
        return PayoutOutcomeV1.of_rejected(message.event, message.rejection, message.first)
    if message.claim is None:
        raise IntegrityError(f"message {message.message_id}: was neither decided nor rejected")
    _to_paid(message.claim, claims)
    return PayoutOutcomeV1.of(message.event, message.claim)


def _to_paid(claim: ClaimV1, claims: PayoutClaims) -> None:
    if claim.state != PAY.source:
        return
    outcomes = claims.move(claim.falcon_operation_id, *PAY)
    for outcome in outcomes:
        # After `logging`, the payout can only be paid already, by another attempt at this message.
        if not isinstance(outcome, ConditionFailed):
            raise TransientError(
                f"payout {claim.falcon_operation_id}: another process changed it first"
            )


@cache
def _adapters() -> tuple[PayoutClaims, OutcomeTopic]:
    settings = PayoutAnnouncerSettings.load()
    return (
        DynamoPayoutClaims(client("dynamodb"), settings.claims_table, settings.balances_table),
        SnsOutcomeTopic(client("sns"), settings.outcome_topic_arn),
    )


def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = PayoutLoggerInput.model_validate(event)
    return announce_outcomes(step, *_adapters()).model_dump(mode="json")
