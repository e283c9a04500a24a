"""The inputs and outputs of a payout's steps, and the outcome that is announced (design §4)."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import MessageResult, PublisherInput
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.direct_operations import DirectOperation, PayoutReturn
from falcon_balances.domain.errors import RejectionCode
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import UNDER_WAY, PayoutState
from falcon_balances.domain.payouts import Outcome, Refusal, outcome_id, rejection_id


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecidedMessage(_Step):
    """The claim of a request or return as decided, or why the message is rejected.

    `first`: on a conflict, the claim that existed before. `is_later`: nothing is decided, and the
    message comes back.
    """

    message_id: str
    event: dict[str, object]
    claim: ClaimV1 | None = None
    rejection: Rejection | None = None
    first: ClaimV1 | None = None
    is_later: bool = False

    @property
    def result(self) -> MessageResult:
        return MessageResult(
            message_id=self.message_id, rejection=self.rejection, is_later=self.is_later
        )


class PayoutLoggerInput(_Step):
    messages: tuple[DecidedMessage, ...]


class PayoutLoggerOutput(_Step):
    """`publish` goes to the publisher; `announce` goes directly to the announcer."""

    publish: PublisherInput
    announce: PayoutLoggerInput


class FirstRequestV1(BaseModel):
    """The state of the request or return that was claimed first. `outcome` is null while the
    request is undecided.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Outcome | None
    received_at: str
    balance_shop_id: str
    currency: str
    requested_amount: str
    amount: str | None

    @classmethod
    def of(cls, claim: ClaimV1) -> Self:
        outcome = None if claim.state in UNDER_WAY else _outcome(claim)
        amount = claimed_amount(claim) if outcome in _MOVED else None
        said = {"received_at": claim.received_at, "amount": amount}
        if claim.requested is None:
            (line,) = claim.lines_of(claim.segments[0])
            balance = {"balance_shop_id": line.balance_shop_id, "currency": line.currency.code}
            return cls(**said, **balance, outcome=outcome, requested_amount=claimed_amount(claim))
        asked = claim.requested
        return cls(
            **said,
            outcome=outcome,
            balance_shop_id=asked.balance_shop_id,
            currency=asked.currency,
            requested_amount=asked.amount,
        )


class PayoutOutcomeV1(BaseModel):
    """The outcome of a payout. It is announced at least once, always with the same `outcome_id`.

    `amount` is what was withdrawn or returned, null if nothing was. A refusal has what was
    `available`, or a `reason` if that was not checked. A rejection decides nothing: it has a `code`
    and a `detail`, and on a conflict the state of the `first` request or return. Amounts are
    strings at full scale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    outcome_id: str
    outcome: Outcome
    payout_id: str
    return_id: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    falcon_operation_id: str
    merchant_id: str
    balance_shop_id: str
    currency: str
    requested_amount: str
    amount: str | None
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    reason: Annotated[Refusal | None, Field(exclude_if=lambda said: said is None)] = None
    code: Annotated[RejectionCode | None, Field(exclude_if=lambda said: said is None)] = None
    detail: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    first: Annotated[FirstRequestV1 | None, Field(exclude_if=lambda said: said is None)] = None

    @classmethod
    def of(cls, event: dict[str, object], claim: ClaimV1) -> Self:
        outcome = _outcome(claim)
        return cls(
            **_asked(event),
            outcome_id=outcome_id(claim.falcon_operation_id, outcome),
            outcome=outcome,
            amount=claimed_amount(claim) if outcome in _MOVED else None,
            available=claim.available,
            reason=claim.refusal,
        )

    @classmethod
    def of_rejected(
        cls, event: dict[str, object], rejection: Rejection, first: ClaimV1 | None
    ) -> Self:
        operation = _direct(event)
        operation_id, content = falcon_operation_id(operation), fingerprint(operation)
        return cls(
            **_asked(event),
            outcome_id=rejection_id(operation_id, rejection.code, content),
            outcome=Outcome.REJECTED,
            amount=None,
            code=rejection.code,
            detail=rejection.reason,
            first=None if first is None else FirstRequestV1.of(first),
        )


def _direct(event: dict[str, object]) -> DirectOperation:
    operation = parse_document(event, Stage.PAYOUT)
    assert isinstance(operation, DirectOperation)  # noqa: S101 - the stage has no others
    return operation


def _asked(event: dict[str, object]) -> dict[str, Any]:
    """The fields of a request or return that its outcome repeats."""
    operation = _direct(event)
    return {
        "payout_id": operation.reference,
        "return_id": operation.return_id if isinstance(operation, PayoutReturn) else None,
        "falcon_operation_id": falcon_operation_id(operation),
        "merchant_id": operation.merchant_id,
        "balance_shop_id": operation.balance_shop_id,
        "currency": operation.amount.currency.code,
        "requested_amount": str(operation.amount),
    }


def claimed_amount(claim: ClaimV1) -> str:
    """The amount of the claim's one line, without its sign."""
    (line,) = claim.lines_of(claim.segments[0])
    return str(line.amount).removeprefix("-")


_MOVED: Final = {Outcome.ACCEPTED, Outcome.RETURNED}
_AGAINST: Final = {
    PayoutState.REFUSED: Outcome.REFUSED,
    PayoutState.GIVEN_UP: Outcome.GIVEN_UP,
}


def _outcome(claim: ClaimV1) -> Outcome:
    """The outcome that a decided, unpaid request will have. Only requests have a state."""
    if claim.state is None:
        return Outcome.RETURNED
    return _AGAINST.get(PayoutState(claim.state), Outcome.ACCEPTED)
