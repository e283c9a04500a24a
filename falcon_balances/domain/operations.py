"""What PSPs tell us, and what becomes of it: the nouns of design §2 as plain values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Final, Literal

from falcon_balances.domain.money import Currency, Money


class Stage(StrEnum):
    CONFIRMED = "confirmed"
    RECONCILED = "reconciled"
    PAYOUT = "payout"
    ADJUSTMENT = "adjustment"


class OperationType(StrEnum):
    """What a line is; the first five are also what a PSP's operation is."""

    CAPTURE = "capture"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    CASHBACK = "cashback"
    PSP_FEE = "psp_fee"
    MARKETPLACE_FEE = "marketplace_fee"
    WITHDRAWAL = "withdrawal"
    WITHDRAWAL_REVERSAL = "withdrawal_reversal"
    ADJUSTMENT = "adjustment"


# Design §4, the table of types: which sign a line of this type has (0: either).
SIGN_BY_TYPE: Final = {
    OperationType.CAPTURE: 1,
    OperationType.CASHBACK: 1,
    OperationType.CHARGEBACK_REVERSAL: 1,
    OperationType.REFUND: -1,
    OperationType.CHARGEBACK: -1,
    OperationType.PSP_FEE: 0,
    OperationType.MARKETPLACE_FEE: 0,
    OperationType.WITHDRAWAL: -1,
    OperationType.WITHDRAWAL_REVERSAL: 1,
    OperationType.ADJUSTMENT: 0,
}

PSP_STAGES: Final = (Stage.CONFIRMED, Stage.RECONCILED)
_PAYOUT_TYPES: Final = {OperationType.WITHDRAWAL, OperationType.WITHDRAWAL_REVERSAL}
TYPES_BY_STAGE: Final = {
    Stage.PAYOUT: frozenset(_PAYOUT_TYPES),
    Stage.ADJUSTMENT: frozenset({OperationType.ADJUSTMENT}),
    **dict.fromkeys(
        PSP_STAGES, frozenset(OperationType) - _PAYOUT_TYPES - {OperationType.ADJUSTMENT}
    ),
}


@dataclass(frozen=True, slots=True)
class Split:
    """A seller's part of a marketplace's operation."""

    local_merchant_id: str
    shop_id: str
    amount: Money
    marketplace_fee: Money | None = None


@dataclass(frozen=True, slots=True)
class PspOperation:
    """The fields that a ConfirmedOperation and its ReconciledOperation share (design §4)."""

    psp_id: str
    external_reference: str
    type: OperationType
    amount: Money
    operation_date: datetime
    local_merchant_id: str
    shop_id: str
    original_reference: str | None = None
    mode: Literal["test", "live"] | None = None
    splits: tuple[Split, ...] = ()

    stage: ClassVar[Stage]

    @property
    def booked_at(self) -> datetime:
        """The date that the lines bear, and the log is filed under."""
        return self.operation_date


@dataclass(frozen=True, slots=True)
class ConfirmedOperation(PspOperation):
    stage: ClassVar[Stage] = Stage.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledOperation(PspOperation):
    reconciled_date: datetime
    bank_reference: str

    stage: ClassVar[Stage] = Stage.RECONCILED

    @property
    def booked_at(self) -> datetime:
        return self.reconciled_date


@dataclass(frozen=True, slots=True)
class BalanceOperation:
    """One signed line of one merchant: what an event does to one balance (design §6)."""

    uuid: str
    external_reference: str
    amount: Money
    type: OperationType
    falcon_operation_id: str
    operation_date: datetime
    local_merchant_id: str
    shop_id: str
    balance_shop_id: str
    psp_id: str

    @property
    def currency(self) -> Currency:
        return self.amount.currency


@dataclass(frozen=True, slots=True)
class Segment:
    """All BalanceOperations of one event for one merchant: one log object, one stream record.

    `part` of `parts` counts the event's merchants from 1, sorted by id. `context_version` says
    which versions of the merchant's contexts were in force, comma-separated.
    """

    stage: Stage
    merchant_id: str
    part: int
    parts: int
    lines: tuple[BalanceOperation, ...]
    context_version: str = ""

    @property
    def falcon_operation_id(self) -> str:
        return self.lines[0].falcon_operation_id

    @property
    def booked_at(self) -> datetime:
        return self.lines[0].operation_date
