"""What the steps of a payout hand to each other, and the outcome that is announced (design §4)."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.claims import ClaimV1, Rejection
from falcon_balances.contracts.execution import MessageResult, PublisherInput
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.operations import DirectOperation, PayoutReturn, Stage
from falcon_balances.domain.payouts import Outcome, PayoutState, outcome_id


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecidedMessage(_Step):
    """A request's or return's claim as decided, or why the message is refused."""

    message_id: str
    event: dict[str, object]
    claim: ClaimV1 | None = None
    rejection: Rejection | None = None

    @property
    def result(self) -> MessageResult:
        return MessageResult(message_id=self.message_id, rejection=self.rejection)


class PayoutLoggerInput(_Step):
    messages: tuple[DecidedMessage, ...]


class PayoutLoggerOutput(_Step):
    """`publish` goes to the publisher, `announce` past it to the announcer."""

    publish: PublisherInput
    announce: PayoutLoggerInput


class PayoutOutcomeV1(BaseModel):
    """What became of a payout. Announced at least once, always with the same `outcome_id`.

    `amount` is what was withdrawn or came back, null where nothing was; `available` says on a
    refusal what there was. Money as strings at full scale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    outcome_id: str
    outcome: Outcome
    payout_id: str
    falcon_operation_id: str
    merchant_id: str
    balance_shop_id: str
    currency: str
    requested_amount: str
    amount: str | None
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None

    @classmethod
    def of(cls, event: dict[str, object], claim: ClaimV1) -> Self:
        operation = parse_document(event, Stage.PAYOUT)
        assert isinstance(operation, DirectOperation)  # noqa: S101 - the stage has no others
        outcome = _outcome(operation, claim)
        moved = outcome in (Outcome.ACCEPTED, Outcome.RETURNED)
        return cls(
            outcome_id=outcome_id(operation.reference, outcome),
            outcome=outcome,
            payout_id=operation.reference,
            falcon_operation_id=claim.falcon_operation_id,
            merchant_id=operation.merchant_id,
            balance_shop_id=operation.balance_shop_id,
            currency=operation.amount.currency.code,
            requested_amount=str(operation.amount),
            amount=claimed_amount(claim) if moved else None,
            available=claim.available,
        )


def claimed_amount(claim: ClaimV1) -> str:
    """Of the claim's one line, without its sign."""
    (line,) = claim.lines_of(claim.segments[0])
    return str(line.amount).removeprefix("-")


def _outcome(operation: DirectOperation, claim: ClaimV1) -> Outcome:
    if isinstance(operation, PayoutReturn):
        return Outcome.RETURNED
    if claim.state == PayoutState.REFUSED:
        return Outcome.REFUSED
    return Outcome.GIVEN_UP if claim.state == PayoutState.GIVEN_UP else Outcome.ACCEPTED
