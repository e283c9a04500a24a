"""The chart of accounts: what each line of the log debits and credits (docs/accounts.md).

A line's stage and type alone decide how the company's own money is posted: traced in the bank
account, paid out, or adjusted. What a merchant is owed depends on both stages of an operation
together, so a line posts the *change* that it makes to that operation's agreement.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from falcon_balances.domain.available import Agreement
from falcon_balances.domain.operations import PSP_STAGES, PSP_TYPES, OperationType, Stage


class Account(StrEnum):
    """The accounts, in the order of a balance sheet; transit accounts last."""

    BANK = "bank"
    PSP_CLEARING = "psp_clearing"
    MERCHANT_PENDING = "merchant_pending"
    MERCHANT_UNAPPLIED = "merchant_unapplied"
    DEBITS_UNCONFIRMED = "debits_unconfirmed"
    DEBITS_UNTRACED = "debits_untraced"
    MERCHANT_AVAILABLE = "merchant_available"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit"
    MARKETPLACE_FEES = "marketplace_fees"
    FEE_INCOME = "fee_income"
    ADJUSTMENTS = "adjustments"


# The figure that a merchant's account holds as a credit; `available` is before blocks. All other
# accounts are the company's own.
OF_MERCHANTS: Final[Mapping[Account, str]] = {
    Account.MERCHANT_PENDING: "pending",
    Account.MERCHANT_UNAPPLIED: "unapplied",
    Account.DEBITS_UNCONFIRMED: "debits_unconfirmed",
    Account.DEBITS_UNTRACED: "debits_untraced",
    Account.MERCHANT_AVAILABLE: "available",
}

# The account that a line of this stage and type debits. A confirmed line is not in the bank yet, so
# it debits nothing by itself.
BOOKED: Final[Mapping[tuple[Stage, OperationType], Account]] = {
    **{(Stage.RECONCILED, each): Account.BANK for each in sorted(PSP_TYPES)},
    (Stage.RECONCILED, OperationType.PSP_FEE): Account.FEE_INCOME,
    (Stage.RECONCILED, OperationType.MARKETPLACE_FEE): Account.MARKETPLACE_FEES,
    (Stage.PAYOUT, OperationType.WITHDRAWAL): Account.PAYOUTS_IN_TRANSIT,
    (Stage.PAYOUT, OperationType.WITHDRAWAL_REVERSAL): Account.PAYOUTS_IN_TRANSIT,
    (Stage.ADJUSTMENT, OperationType.ADJUSTMENT): Account.ADJUSTMENTS,
}

TENDS_TO: Final[Mapping[Account, str]] = {
    Account.BANK: "grows: money from the PSPs' settlements",
    Account.PSP_CLEARING: "zero, as PSPs and the bank agree",
    Account.MERCHANT_PENDING: "zero, as money is traced",
    Account.MERCHANT_UNAPPLIED: "zero, as PSPs confirm what was traced",
    Account.DEBITS_UNCONFIRMED: "zero, as PSPs confirm what the bank took",
    Account.DEBITS_UNTRACED: "zero, as the bank pays what PSPs confirmed",
    Account.MERCHANT_AVAILABLE: "a credit: available and blocked money of merchants",
    Account.PAYOUTS_IN_TRANSIT: "the bank's own debits for the ordered payouts",
    Account.MARKETPLACE_FEES: "zero: marketplaces get what sellers pay",
    Account.FEE_INCOME: "a growing credit: fees earned",
    Account.ADJUSTMENTS: "the cost or gain of corrections",
}


class Booked(NamedTuple):
    """Lines of one stage and type; `minor` is their sum in minor units."""

    stage: Stage
    type: OperationType
    minor: int


def postings(lines: Iterable[Booked], changed: Agreement) -> Iterator[tuple[Account, int]]:
    """The postings of one balance's lines: accounts with amounts, debits positive. They sum to
    zero.

    `changed`: the agreement of their operations after the lines, less the agreement before them.
    Raises KeyError for a type that does not exist in its stage.
    """
    available = changed.counted
    for line in lines:
        if line.stage is not Stage.CONFIRMED:
            yield BOOKED[line.stage, line.type], line.minor
        if line.stage not in PSP_STAGES:
            available += line.minor
    # The PSP must explain a difference between the two stages, so the company's side holds it.
    yield Account.PSP_CLEARING, changed.pending + changed.debits_unconfirmed
    yield Account.MERCHANT_PENDING, -changed.pending
    yield Account.MERCHANT_UNAPPLIED, -changed.unapplied
    yield Account.DEBITS_UNCONFIRMED, -changed.debits_unconfirmed
    yield Account.DEBITS_UNTRACED, -changed.debits_untraced
    yield Account.MERCHANT_AVAILABLE, -available
