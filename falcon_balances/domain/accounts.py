"""The chart of accounts: what every line of the log debits and credits (docs/accounts.md).

A line with a positive amount debits the first account of each pair and credits the second by it; a
negative one does the opposite. So every currency sums to zero over all accounts, by construction.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

from falcon_balances.domain.operations import OperationType, Stage


class Account(StrEnum):
    """In the order of a balance sheet, and then what passes through."""

    BANK = "bank"
    PSP_CLEARING = "psp_clearing"
    MERCHANT_PENDING = "merchant_pending"
    MERCHANT_AVAILABLE = "merchant_available"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit"
    MARKETPLACE_FEES = "marketplace_fees"
    FEE_INCOME = "fee_income"
    ADJUSTMENTS = "adjustments"


# Of one merchant each; all others are the company's own.
OF_MERCHANTS: Final = frozenset({Account.MERCHANT_PENDING, Account.MERCHANT_AVAILABLE})

Pairs = tuple[tuple[Account, Account], ...]

_OWED_BY_PSP: Final[Pairs] = ((Account.PSP_CLEARING, Account.MERCHANT_PENDING),)
_IN_THE_BANK: Final[Pairs] = (
    (Account.BANK, Account.PSP_CLEARING),
    (Account.MERCHANT_PENDING, Account.MERCHANT_AVAILABLE),
)
_RELEASED: Final[Pairs] = ((Account.MERCHANT_PENDING, Account.MERCHANT_AVAILABLE),)
_TAKEN_BACK: Final[Pairs] = ((Account.PSP_CLEARING, Account.MERCHANT_AVAILABLE),)
_TAKEN_FROM_BANK: Final[Pairs] = ((Account.BANK, Account.PSP_CLEARING),)
_PAID_OUT: Final[Pairs] = ((Account.PAYOUTS_IN_TRANSIT, Account.MERCHANT_AVAILABLE),)

_SALES: Final = (
    OperationType.CAPTURE,
    OperationType.CASHBACK,
    OperationType.CHARGEBACK_REVERSAL,
)
_RETURNS: Final = (OperationType.REFUND, OperationType.CHARGEBACK)

PAIRS: Final[Mapping[tuple[Stage, OperationType], Pairs]] = {
    **{(Stage.CONFIRMED, each): _OWED_BY_PSP for each in _SALES},
    **{(Stage.RECONCILED, each): _IN_THE_BANK for each in _SALES},
    **{(Stage.CONFIRMED, each): _TAKEN_BACK for each in _RETURNS},
    **{(Stage.RECONCILED, each): _TAKEN_FROM_BANK for each in _RETURNS},
    (Stage.CONFIRMED, OperationType.PSP_FEE): ((Account.FEE_INCOME, Account.MERCHANT_PENDING),),
    (Stage.RECONCILED, OperationType.PSP_FEE): _RELEASED,
    (Stage.CONFIRMED, OperationType.MARKETPLACE_FEE): (
        (Account.MARKETPLACE_FEES, Account.MERCHANT_PENDING),
    ),
    (Stage.RECONCILED, OperationType.MARKETPLACE_FEE): _RELEASED,
    (Stage.PAYOUT, OperationType.WITHDRAWAL): _PAID_OUT,
    (Stage.PAYOUT, OperationType.WITHDRAWAL_REVERSAL): _PAID_OUT,
    (Stage.ADJUSTMENT, OperationType.ADJUSTMENT): (
        (Account.ADJUSTMENTS, Account.MERCHANT_AVAILABLE),
    ),
}

TENDS_TO: Final[Mapping[Account, str]] = {
    Account.BANK: "what the PSPs' settlements brought; grows",
    Account.PSP_CLEARING: "zero, as money is reconciled",
    Account.MERCHANT_PENDING: "zero, as money is reconciled",
    Account.MERCHANT_AVAILABLE: "what merchants can be paid, with what is blocked; a credit",
    Account.PAYOUTS_IN_TRANSIT: "what the bank was told to pay; meets the bank's own debits",
    Account.MARKETPLACE_FEES: "zero at all times: what a seller gives its marketplace gets",
    Account.FEE_INCOME: "what was earned; a credit that grows",
    Account.ADJUSTMENTS: "what corrections cost or brought",
}


def postings(stage: Stage, line_type: OperationType, minor: int) -> Iterator[tuple[Account, int]]:
    """Of lines that add up to `minor`: accounts with amounts, debits positive. They sum to zero.

    Raises KeyError for a type that its stage does not have.
    """
    for debited, credited in PAIRS[stage, line_type]:
        yield debited, minor
        yield credited, -minor
