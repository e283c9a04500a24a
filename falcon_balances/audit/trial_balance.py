"""The trial balance: what every account of the company holds, currency by currency."""

from collections.abc import Mapping
from typing import NamedTuple

from falcon_balances.audit.balances import BalanceId, currency_of
from falcon_balances.audit.replay import Sum, SumKey
from falcon_balances.domain.accounts import TENDS_TO, Account, postings
from falcon_balances.domain.money import at_full_scale


class AccountRow(NamedTuple):
    """Amounts at full scale; `balance` is debit less credit."""

    currency: str
    account: Account
    debit: str
    credit: str
    balance: str
    tends_to: str


def trial_balance(sums: Mapping[SumKey, Sum]) -> list[AccountRow]:
    """Every account of every currency, in the chart's order; each currency adds up to zero.

    Debits and credits are of each merchant's, stage's and type's lines together.
    """
    debited: dict[tuple[str, Account], int] = {}
    credited: dict[tuple[str, Account], int] = {}
    exponents: dict[str, int] = {}
    for key, total in sums.items():
        balance = BalanceId(key.merchant_id, key.balance_shop_id, key.currency)
        exponents[key.currency] = currency_of(balance).exponent
        for account, minor in postings(key.stage, key.type, total.minor):
            side = debited if minor > 0 else credited
            side[key.currency, account] = side.get((key.currency, account), 0) + abs(minor)
    return [
        _row(
            (currency, exponent),
            account,
            debited.get((currency, account), 0),
            credited.get((currency, account), 0),
        )
        for currency, exponent in sorted(exponents.items())
        for account in Account
    ]


def _row(currency: tuple[str, int], account: Account, debit: int, credit: int) -> AccountRow:
    code, exponent = currency
    return AccountRow(
        code,
        account,
        at_full_scale(debit, exponent),
        at_full_scale(credit, exponent),
        at_full_scale(debit - credit, exponent),
        TENDS_TO[account],
    )
