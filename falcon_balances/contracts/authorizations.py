"""Refund authorizations: the request of a system, and its answer (design §8)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.blocks import BlockV1, ExpiresIn
from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.psp_operations import (
    SPLITS_MAX,
    Repetition,
    SplitV1,
    parse_psp_document,
)
from falcon_balances.contracts.strictness import (
    Amount,
    CurrencyCode,
    DateText,
    Id,
    Optionally,
    Reference,
    StrictModel,
)
from falcon_balances.domain.authorizations import ATTEMPT_MAX, Authorization, Shortfall
from falcon_balances.domain.block_expiry import refund_expiry_of
from falcon_balances.domain.blocks import Block, BlockStatus
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import OperationType, PspOperation, Stage
from falcon_balances.domain.sale_keys import SaleKey

_NOT_OF_THE_REFUND: Final = {"expires_in_seconds", "attempt"}


class RefundAuthorizationRequestV1(StrictModel):
    """Asks whether a refund can be made. It has the fields of the ConfirmedOperation that the
    refund will become, without a date: it is split as it would be now.
    """

    psp_id: Id
    external_reference: Reference
    amount: Amount
    currency: CurrencyCode
    local_merchant_id: Id
    shop_id: Id
    original_reference: Optionally[Reference] = None
    original_date: Optionally[DateText] = None
    occurrence: Optionally[Repetition] = None
    splits: Optionally[Annotated[list[SplitV1], Field(min_length=1, max_length=SPLITS_MAX)]] = None
    expires_in_seconds: Optionally[ExpiresIn] = None
    attempt: Optionally[Annotated[int, Field(ge=1, le=ATTEMPT_MAX)]] = None
    """1 by default. A decision is final for its attempt: a refund that was refused or whose
    authorization expired needs another attempt.
    """

    def to_operation(self, now: datetime) -> PspOperation:
        """The refund as an operation that happens at `now`. Raises RejectedOperation."""
        said = self.model_dump(mode="json", exclude=_NOT_OF_THE_REFUND, exclude_unset=True)
        document = {
            **said,
            "schema_version": "1",
            "type": OperationType.REFUND.value,
            "operation_date": rfc3339(now),
        }
        return parse_psp_document(document, Stage.CONFIRMED)

    def asked(self, refund: PspOperation) -> dict[str, object]:
        """The fields that a repeated request of this attempt must have; amounts and dates are
        compared by value, not as written.
        """
        said = self.model_dump(mode="json", exclude={"attempt"}, exclude_unset=True)
        said["amount"] = str(refund.amount)
        if refund.original_date is not None:
            said["original_date"] = rfc3339(refund.original_date)
        if refund.splits:
            said["splits"] = [
                {
                    "local_merchant_id": part.local_merchant_id,
                    "shop_id": part.shop_id,
                    "amount": str(part.amount),
                    "marketplace_fee": str(part.marketplace_fee or ""),
                }
                for part in refund.splits
            ]
        return said

    def expiry(self, now: datetime) -> datetime:
        return refund_expiry_of(now, self.expires_in_seconds)


class ShortfallV1(BaseModel):
    """A balance that has less than the refund would take from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merchant_id: str
    balance_shop_id: str
    currency: str
    amount: str
    available: str

    @classmethod
    def of(cls, short: Shortfall) -> "ShortfallV1":
        return cls(
            merchant_id=short.merchant_id,
            balance_shop_id=short.balance_shop_id,
            currency=short.currency,
            amount=scaled(short.amount, short.currency),
            available=scaled(short.available, short.currency),
        )


class RefundedSaleV1(BaseModel):
    """The sale that a refund belongs to. A sale that is not known yet does not limit the refund."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    original_reference: str
    falcon_operation_id: str
    is_known: bool
    left: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """What was left of the sale, if that is why the refund was refused."""

    @classmethod
    def of(cls, authorization: Authorization, sale: SaleKey) -> "RefundedSaleV1":
        left = authorization.left
        return cls(
            original_reference=sale.reference,
            falcon_operation_id=sale.sale_id,
            is_known=authorization.sale_is_known,
            left=None if left is None else scaled(left, authorization.currency),
        )


class RefundAuthorizationV1(BaseModel):
    """Authorized: `blocks` has a block for each balance that the refund will lower. Refused:
    `reason` says why.

    `short` lists each balance that has too little, with what was available; `available` repeats
    the amount of the first one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    authorized: bool
    falcon_operation_id: str
    attempt: int
    status: BlockStatus
    reason: Literal["insufficient_balance", "above_sale"] | None
    available: str | None
    short: tuple[ShortfallV1, ...]
    sale: RefundedSaleV1 | None
    expiry: str | None
    blocks: tuple[BlockV1, ...]

    @classmethod
    def of(cls, authorization: Authorization, blocks: Iterable[Block]) -> "RefundAuthorizationV1":
        is_refused = authorization.status is BlockStatus.REFUSED
        short = tuple(ShortfallV1.of(each) for each in authorization.short)
        sale = authorization.sale
        return cls(
            authorized=authorization.status is BlockStatus.ACTIVE,
            falcon_operation_id=authorization.falcon_operation_id,
            attempt=authorization.attempt,
            status=authorization.status,
            reason=_reason(authorization),
            available=short[0].available if short else None,
            short=short,
            sale=None if sale is None else RefundedSaleV1.of(authorization, sale),
            expiry=None if is_refused else rfc3339(authorization.expiry),
            blocks=tuple(BlockV1.of(block) for block in blocks),
        )


def _reason(
    authorization: Authorization,
) -> Literal["insufficient_balance", "above_sale"] | None:
    if authorization.left is not None:
        return "above_sale"
    return "insufficient_balance" if authorization.short else None
