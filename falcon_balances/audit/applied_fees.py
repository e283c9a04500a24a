"""Calculates the fees by an operation's contexts, to compare them with the charged ones."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from falcon_balances.domain.fees import Fee
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import PSP_TYPES, BalanceOperation, OperationType


class AppliedFees(NamedTuple):
    """`fees`: the context's fees for this type of operation; amounts are deductions.

    `expected` is the sum of the fees of every leg, `charged` that of the lines; they must be equal.
    """

    fees: Sequence[Fee]
    expected: Money
    charged: Money


def applied_fees(context: MerchantContext, lines: Iterable[BalanceOperation]) -> AppliedFees | None:
    """The fees of the lines of the context's shop; None if it has no lines."""
    own = [
        line
        for line in lines
        if (line.local_merchant_id, line.shop_id)
        == (context.key.local_merchant_id, context.key.shop_id)
    ]
    legs = [line for line in own if line.type in PSP_TYPES]
    if not legs:
        return None
    fees = [fee for fee in context.fees if fee.on == legs[0].type]
    currency = legs[0].currency
    expected = sum(
        charge.minor
        for leg in legs
        for fee in fees
        if (charge := fee.of(Money(abs(leg.amount.minor), currency))) is not None
    )
    charged = -sum(line.amount.minor for line in own if line.type is OperationType.PSP_FEE)
    return AppliedFees(fees, Money(expected, currency), Money(charged, currency))
