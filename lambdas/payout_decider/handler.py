"""Payout decider: decides once how much is paid out, and sets it aside in the same write.

Input     valid payout requests and returns, from the dispatcher
Output    per message the claim in force, or why it is rejected, for the payout logger
Retries   safe: claim, block and balance are one transaction; a retry finds the decision
Errors    TransientError (the messages come back). A message comes back alone if its merchant's log
          cannot be checked now, if others write to its balance for too long, and if it is a return
          of a payout that is not paid yet
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.checked_marks import NotCheckedNowError
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.listed_marks import DynamoMarkReads
from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import (
    ConditionFailed,
    PayoutClaims,
    WriteOutcome,
)
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import SplitterInput, ValidMessage
from falcon_balances.contracts.payouts import DecidedMessage, PayoutLoggerInput
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.blocks import Block, LoggedMoney, block_writes, spendable
from falcon_balances.domain.direct_operations import DirectOperation, PayoutRequest, PayoutReturn
from falcon_balances.domain.errors import (
    IntegrityError,
    RejectedOperation,
    RejectionCode,
)
from falcon_balances.domain.identity import fingerprint, payout_operation_id
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import UNDER_WAY, PayoutState
from falcon_balances.domain.payouts import Refusal, is_expired, payable, payout_block, withdrawal_of
from falcon_balances.domain.splitting import check_balance, split_direct
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import PayoutDeciderSettings
from lambdas.payout_decider.patience import NotDecidedNowError, Patience

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(frozen=True, slots=True)
class DeciderPorts:
    """The ports of the decider. `read_log` is used for merchants of high risk only, and answers
    None if it must be asked again.
    """

    claims: PayoutClaims
    read_log: Callable[[Block], LoggedMoney | None]
    now: datetime
    wait: Callable[[float], object] = sleep
    clock: Callable[[], float] = monotonic


def decide_payouts(
    step: SplitterInput, directory: ContextReader, ports: DeciderPorts
) -> PayoutLoggerInput:
    patience = Patience(ports.clock)
    operations = [_direct(message) for message in step.messages]
    merchants = directory.merchants(sorted({each.merchant_id for each in operations}))
    decided, not_checked = [], 0
    for message, operation in zip(step.messages, operations, strict=True):
        said = {"message_id": message.message_id, "event": message.event}
        merchant = merchants.get(operation.merchant_id)
        try:
            claim = _decide(message, operation, merchant, ports, patience)
        except RejectedOperation as rejected:
            decided.append(DecidedMessage(**said, rejection=Rejection.of(rejected)))
        except (NotCheckedNowError, NotDecidedNowError) as not_now:
            not_checked += isinstance(not_now, NotCheckedNowError)
            logger.warning("not decided", message_id=message.message_id, why=str(not_now))
            decided.append(DecidedMessage(**said, is_later=True))
        else:
            # Its returns, which can be many, are not needed by the next steps.
            claim = claim.model_copy(update={"returned_by": ()})
            is_ours = claim.fingerprint == fingerprint(operation)
            more = (
                {"claim": claim} if is_ours else {"rejection": _conflict(operation), "first": claim}
            )
            decided.append(DecidedMessage(**said, **more))
    metrics.add_metric(name="PayoutsNotChecked", unit="Count", value=not_checked)
    return PayoutLoggerInput(messages=tuple(decided))


def _direct(message: ValidMessage) -> DirectOperation:
    operation = parse_document(message.event, Stage.PAYOUT)
    assert isinstance(operation, DirectOperation)  # noqa: S101 - the stage has no others
    return operation


def _conflict(operation: DirectOperation) -> Rejection:
    named = "payout_id, return_id" if isinstance(operation, PayoutReturn) else "payout_id"
    return Rejection(
        code=RejectionCode.ID_CONFLICT, reason=f"{named}: already known with different content"
    )


def _decide(
    message: ValidMessage,
    operation: DirectOperation,
    merchant: Merchant | None,
    ports: DeciderPorts,
    patience: Patience,
) -> ClaimV1:
    """The claim in force, whatever its content."""
    check_balance(operation, merchant)
    if isinstance(operation, PayoutRequest):
        asked = ClaimV1.of(operation, message.received_at)
        if merchant is None or not merchant.is_high_risk:
            return _decide_request(asked, operation, ports, patience, is_high_risk=False)
        # What was decided before stays so, whether or not the log can be asked now.
        known = ports.claims.find(asked.falcon_operation_id, Stage.PAYOUT)
        return known or _decide_request(asked, operation, ports, patience, is_high_risk=True)
    assert isinstance(operation, PayoutReturn)  # noqa: S101 - the stage has no others
    asked = ClaimV1.of(operation, message.received_at, split_direct(operation, merchant))
    return _decide_return(asked, operation, ports, patience)


def _decide_request(
    asked: ClaimV1,
    request: PayoutRequest,
    ports: DeciderPorts,
    patience: Patience,
    *,
    is_high_risk: bool,
) -> ClaimV1:
    """The claim in force. A refusal for lack of money is recorded too, so every retry finds it."""
    if is_expired(request, parse_rfc3339(asked.received_at), ports.now):
        return _refused(asked, ports.claims, refusal=Refusal.EXPIRED)
    amount = request.amount.minor
    while True:
        event = withdrawal_of(request, amount)
        ours = ClaimV1.of(request, asked.received_at, event, state=PayoutState.DECIDED)
        block = payout_block(request, amount, ports.now)
        logged = _logged(block, ports, patience) if is_high_risk else None
        found = ports.claims.decide(ours, block_writes(block, logged))
        if found is None:
            return ours
        if isinstance(found, ClaimV1):
            return found
        available = _short_of(found, logged, asked.falcon_operation_id)
        if available is None or available >= amount:
            delay_s = next(patience.contention, None)
            if delay_s is None:
                raise NotDecidedNowError(f"payout {asked.falcon_operation_id} not decided")
            ports.wait(delay_s)
            continue
        less = payable(request, available)
        if less is None:
            scaled = str(replace(request.amount, minor=available))
            return _refused(asked, ports.claims, available=scaled)
        amount = less


def _logged(block: Block, ports: DeciderPorts, patience: Patience) -> LoggedMoney:
    """What the log says of the block's balance. Raises NotCheckedNowError if asking takes too long,
    or if closing and marks do not make the balance within the delays.
    """
    while (logged := ports.read_log(block)) is None:
        delay_s = next(patience.listing(block.merchant_id), None)
        if delay_s is None:
            raise NotCheckedNowError(f"payout {block.block_id}: its balance is not explained now")
        ports.wait(delay_s)
    return logged


def _refused(asked: ClaimV1, claims: PayoutClaims, **why: str) -> ClaimV1:
    """The claim refused for good, or the earlier decision if there is one."""
    refused = asked.model_copy(update={"state": PayoutState.REFUSED.value, **why})
    return claims.claim(refused) or refused


def _short_of(
    outcomes: Sequence[WriteOutcome], logged: LoggedMoney | None, operation_id: str
) -> int | None:
    """What was available if it was too little; None after a conflict with another write."""
    there, short = outcomes
    if isinstance(there, ConditionFailed):
        raise IntegrityError(f"block {operation_id} has no claim")
    return spendable(short.attributes, logged) if isinstance(short, ConditionFailed) else None


def _settled_payout(operation_id: str, ports: DeciderPorts, patience: Patience) -> ClaimV1 | None:
    """Waits for a request that arrives just after its return: the queue does not keep the order."""
    while True:
        payout = ports.claims.find(operation_id, Stage.PAYOUT)
        if payout is not None and payout.state not in UNDER_WAY:
            return payout
        delay_s = next(patience.returns, None)
        if delay_s is None:
            return payout
        ports.wait(delay_s)


def _decide_return(
    asked: ClaimV1, returned: PayoutReturn, ports: DeciderPorts, patience: Patience
) -> ClaimV1:
    """The claim in force. The write that raises the sum of returns also checks it."""
    payout_id, paid = _paid(returned, ports, patience)
    while True:
        there = ports.claims.claim_return(asked, payout_id, returned.amount.minor, paid)
        if there is None:
            return asked
        if isinstance(there, ClaimV1):
            return there
        if isinstance(there, ConditionFailed):
            raise RejectedOperation(
                RejectionCode.NOT_PAID,
                "amount: must not exceed what was paid and has not been returned",
            )
        delay_s = next(patience.contention, None)
        if delay_s is None:
            raise NotDecidedNowError(f"return {asked.falcon_operation_id} not decided")
        ports.wait(delay_s)


def _paid(returned: PayoutReturn, ports: DeciderPorts, patience: Patience) -> tuple[str, int]:
    """The payout's falcon_operation_id and what was paid, in minor units. `paid` is final."""
    operation_id = payout_operation_id(returned.merchant_id, returned.payout_id)
    payout = _settled_payout(operation_id, ports, patience)
    if payout is not None and payout.state in UNDER_WAY:
        raise NotDecidedNowError(f"payout {payout.falcon_operation_id} is {payout.state}")
    if payout is None or payout.state != PayoutState.PAID:
        raise RejectedOperation(
            RejectionCode.NOT_PAID, "payout_id: no payout with this id was paid"
        )
    (line,) = payout.lines_of(payout.segments[0])
    if (line.balance_shop_id, line.currency) != (
        returned.balance_shop_id,
        returned.amount.currency,
    ):
        raise RejectedOperation(
            RejectionCode.NOT_PAID,
            "balance_shop_id, currency: the payout was paid from another balance",
        )
    return operation_id, -line.amount.minor


@cache
def _adapters() -> tuple[ContextReader, PayoutClaims, Callable[[], LogCheck]]:
    settings = PayoutDeciderSettings.load()
    dynamodb = client("dynamodb")
    store = DynamoBalanceStore(dynamodb, settings.balances_table)
    log = S3TransactionLog(client("s3"), settings.log_bucket)

    def reads_of(merchant_id: str) -> DynamoMarkReads:
        return DynamoMarkReads(dynamodb, settings.balances_table, merchant_id)

    return (
        CachedMerchantDirectory(DynamoMerchantDirectory(dynamodb, settings.context_table)),
        DynamoPayoutClaims(dynamodb, settings.claims_table, settings.balances_table),
        lambda: LogCheck(store, log, reads_of),
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    step = SplitterInput.model_validate(event)
    directory, claims, log_check = _adapters()
    ports = DeciderPorts(claims, log_check().logged_money, utc_now())
    return decide_payouts(step, directory, ports).model_dump(mode="json")
