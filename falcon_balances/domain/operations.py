"""Operations of PSPs and the lines made of them: the nouns of design §2 as plain values."""

from collections.abc import Sequence
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


def staged(stage: Stage, revision: int) -> str:
    """Stage and revision, as uuids and keys write them: `confirmed`, `confirmed.2`."""
    return stage.value if revision == 1 else f"{stage.value}.{revision}"


def read_staged(text: str) -> tuple[Stage, int]:
    """Stage and revision of a text of `staged`. Raises ValueError for anything else."""
    stage, _, revision = text.partition(".")
    found = Stage(stage), int(revision or 1)
    if staged(*found) != text:
        raise ValueError("stage: differs from what this system writes")
    return found


class OperationType(StrEnum):
    """The types of lines; the first five are also types of a PSP's operation."""

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


# The sign of this type's lines in a first revision; 0 allows both, and so do later revisions.
SIGN_BY_TYPE: Final = {
    OperationType.CAPTURE: 1,
    OperationType.CASHBACK: 1,
    OperationType.CHARGEBACK_REVERSAL: 1,
    OperationType.REFUND: -1,
    OperationType.CHARGEBACK: -1,
    OperationType.PSP_FEE: -1,
    OperationType.MARKETPLACE_FEE: 0,
    OperationType.WITHDRAWAL: -1,
    OperationType.WITHDRAWAL_REVERSAL: 1,
    OperationType.ADJUSTMENT: 0,
}

# The types of a PSP's operation itself; fees are lines beside it.
PSP_TYPES: Final = frozenset(
    {
        OperationType.CAPTURE,
        OperationType.REFUND,
        OperationType.CHARGEBACK,
        OperationType.CHARGEBACK_REVERSAL,
        OperationType.CASHBACK,
    }
)
# The types that belong to an earlier sale.
TYPES_WITH_ORIGINAL: Final = frozenset(
    {OperationType.REFUND, OperationType.CHARGEBACK, OperationType.CHARGEBACK_REVERSAL}
)
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
    original_date: datetime | None = None
    occurrence: int = 1
    """1 for the first operation of its kind under the reference, 2 for the second, and so on."""
    revision: int = 1
    """From 2 on: this event is the whole truth about the operation in this stage as of now."""
    revised_at: datetime | None = None

    stage: ClassVar[Stage]

    @property
    def staged_at(self) -> datetime:
        """The date of the operation in its stage, in its first revision."""
        return self.operation_date

    @property
    def booked_at(self) -> datetime:
        """The date of the lines, which is also the day in the log key."""
        return self.staged_at if self.revised_at is None else self.revised_at

    @property
    def contexts_at(self) -> datetime:
        """The instant whose merchant contexts apply, in every stage and revision."""
        return self.operation_date if self.original_date is None else self.original_date


@dataclass(frozen=True, slots=True)
class ConfirmedOperation(PspOperation):
    stage: ClassVar[Stage] = Stage.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledOperation(PspOperation):
    reconciled_date: datetime
    bank_reference: str

    stage: ClassVar[Stage] = Stage.RECONCILED

    @property
    def staged_at(self) -> datetime:
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
    original_reference: str = ""
    occurrence: int = 1
    bank_reference: str = ""
    reason_code: str = ""
    requested_by: str = ""

    @property
    def currency(self) -> Currency:
        return self.amount.currency


def main_line(lines: Sequence[BalanceOperation]) -> BalanceOperation:
    """The line of the operation itself; the others are its fees."""
    return next((line for line in lines if line.type in PSP_TYPES), lines[0])


@dataclass(frozen=True, slots=True)
class Segment:
    """All BalanceOperations of one event for one merchant: one log object, one stream record.

    `part` of `parts` counts the event's merchants from 1, sorted by id. `context_version` says
    which versions of the merchant's contexts were in force, comma-separated, each with the first
    digits of its hash.
    """

    stage: Stage
    merchant_id: str
    part: int
    parts: int
    lines: tuple[BalanceOperation, ...]
    context_version: str = ""
    revision: int = 1

    @property
    def staged(self) -> str:
        return staged(self.stage, self.revision)

    @property
    def falcon_operation_id(self) -> str:
        return self.lines[0].falcon_operation_id

    @property
    def booked_at(self) -> datetime:
        return self.lines[0].operation_date
