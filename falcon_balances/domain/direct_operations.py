"""Direct operations (design §4): payouts, returns and adjustments, each one line of a balance."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import SIGN_BY_TYPE, OperationType, PspOperation, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectOperation:
    """An operation that names one balance of a merchant, and becomes one line of it (design §4)."""

    merchant_id: str
    balance_shop_id: str
    amount: Money

    stage: ClassVar[Stage]
    line_type: ClassVar[OperationType]

    @property
    def reference(self) -> str:
        """The sender's id of the operation."""
        raise NotImplementedError

    @property
    def booked_at(self) -> datetime:
        raise NotImplementedError

    @property
    def movement(self) -> Money:
        """The change of the balance, signed."""
        return -self.amount if SIGN_BY_TYPE[self.line_type] < 0 else self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRequest(DirectOperation):
    """Pays out `amount`, or the available money if that is less, but at least `minimum_amount`."""

    payout_id: str
    requested_at: datetime
    minimum_amount: Money | None = None
    valid_until: datetime | None = None
    mode: Literal["test", "live"] | None = None

    stage: ClassVar[Stage] = Stage.PAYOUT
    line_type: ClassVar[OperationType] = OperationType.WITHDRAWAL

    @property
    def reference(self) -> str:
        return self.payout_id

    @property
    def booked_at(self) -> datetime:
        return self.requested_at


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutReturn(DirectOperation):
    """The bank returned a payout, or a part of it; `return_id` distinguishes several parts."""

    payout_id: str
    returned_at: datetime
    bank_reference: str
    return_id: str | None = None

    stage: ClassVar[Stage] = Stage.PAYOUT
    line_type: ClassVar[OperationType] = OperationType.WITHDRAWAL_REVERSAL

    @property
    def reference(self) -> str:
        return self.payout_id

    @property
    def booked_at(self) -> datetime:
        return self.returned_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment(DirectOperation):
    """A correction by a person. `corrects` is the falcon_operation_id of the wrong operation."""

    adjustment_id: str
    direction: Literal["credit", "debit"]
    adjusted_at: datetime
    reason_code: str
    reason: str
    requested_by: str
    corrects: str | None = None

    stage: ClassVar[Stage] = Stage.ADJUSTMENT
    line_type: ClassVar[OperationType] = OperationType.ADJUSTMENT

    @property
    def reference(self) -> str:
        return self.adjustment_id

    @property
    def booked_at(self) -> datetime:
        return self.adjusted_at

    @property
    def movement(self) -> Money:
        return -self.amount if self.direction == "debit" else self.amount


StagedOperation = PspOperation | DirectOperation
