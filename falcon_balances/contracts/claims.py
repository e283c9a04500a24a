"""The claim (design §5): the one decision of what an event means, made once."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.strictness import Fingerprint, Id
from falcon_balances.domain.errors import IntegrityError, RejectedOperation, RejectionCode
from falcon_balances.domain.identity import SCHEMA_VERSION, falcon_operation_id, fingerprint
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_format import csv_body, log_key, parse_csv_body
from falcon_balances.domain.operations import (
    Adjustment,
    BalanceOperation,
    PayoutRequest,
    Stage,
    StagedOperation,
)
from falcon_balances.domain.payouts import Refusal
from falcon_balances.domain.splitting import SplitEvent


class ClaimedSegment(BaseModel):
    """A segment as decided: where it lies in the log, and its bytes there."""

    # Claims are kept for ever: code must be able to read what a later version added to them.
    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Id
    part: int
    parts: int
    context_version: str
    log_key: str
    body: str

    def lines(self) -> tuple[BalanceOperation, ...]:
        """Raises IntegrityError where the body is none that we would have written."""
        try:
            return parse_csv_body(self.body)
        except ValueError as error:
            raise IntegrityError(f"{self.log_key}: {error}") from error


class RequestedPayoutV1(BaseModel):
    """What a payout request asked for: all that is kept of one that was refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    payout_id: Id
    merchant_id: Id
    balance_shop_id: Id
    amount: str
    currency: str
    requested_at: str

    @classmethod
    def of(cls, request: PayoutRequest) -> Self:
        return cls(
            payout_id=request.payout_id,
            merchant_id=request.merchant_id,
            balance_shop_id=request.balance_shop_id,
            amount=str(request.amount),
            currency=request.amount.currency.code,
            requested_at=rfc3339(request.requested_at),
        )


class ClaimV1(BaseModel):
    """What an event means. Written if absent under (falcon_operation_id, stage), never changed.

    `segments` are empty only while it is a question: was this refused event claimed before?
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal["1"] = SCHEMA_VERSION
    falcon_operation_id: str
    stage: Stage
    fingerprint: Fingerprint
    received_at: str
    context_versions: tuple[str, ...] = ()
    segments: tuple[ClaimedSegment, ...] = ()
    corrects: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    state: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a payout request. This moves on, `returned` and `returned_by` grow; nothing else does."""
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """On a refused payout request: what there was."""
    refusal: Annotated[Refusal | None, Field(exclude_if=lambda said: said is None)] = None
    """On a payout request that was refused, and not for lack of money."""
    requested: Annotated[RequestedPayoutV1 | None, Field(exclude_if=lambda said: said is None)] = (
        None
    )
    returned: Annotated[int | None, Field(exclude_if=lambda said: said is None)] = None
    """On a payout that was decided: what has come back of it, in minor units."""
    returned_by: Annotated[tuple[str, ...], Field(exclude_if=lambda said: not said)] = ()
    """The returns that it came back with, by their falcon_operation_ids."""

    @classmethod
    def of(
        cls,
        operation: StagedOperation,
        received_at: str,
        event: SplitEvent | None = None,
        state: str | None = None,
    ) -> Self:
        """`received_at`: when the message was sent to its queue, RFC 3339."""
        return cls(
            falcon_operation_id=(
                event.falcon_operation_id if event else falcon_operation_id(operation)
            ),
            stage=operation.stage,
            fingerprint=fingerprint(operation),
            received_at=received_at,
            context_versions=event.context_versions if event else (),
            segments=tuple(
                ClaimedSegment(
                    merchant_id=segment.merchant_id,
                    part=segment.part,
                    parts=segment.parts,
                    context_version=segment.context_version,
                    log_key=log_key(segment),
                    body=csv_body(segment),
                )
                for segment in (event.segments if event else ())
            ),
            state=state,
            requested=(
                RequestedPayoutV1.of(operation) if isinstance(operation, PayoutRequest) else None
            ),
            returned=None if state is None else 0,
            corrects=operation.corrects if isinstance(operation, Adjustment) else None,
        )

    def log_metadata(self, segment: ClaimedSegment) -> dict[str, str]:
        """Of the segment's log object (design §6)."""
        return {
            "fingerprint": self.fingerprint,
            "schema_version": self.schema_version,
            "context_version": segment.context_version,
        }


class Rejection(BaseModel):
    """An operation's refusal on its way back to the dispatcher."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: RejectionCode
    reason: str

    @classmethod
    def of(cls, rejected: RejectedOperation) -> Self:
        return cls(code=rejected.code, reason=rejected.reason)
