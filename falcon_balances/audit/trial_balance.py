"""The trial balance: debit and credit of every account, by currency."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from falcon_balances.audit.balances import balances_of, currency_of
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.standings import NOTHING
from falcon_balances.audit.sums import Sum, SumKey
from falcon_balances.domain.accounts import TENDS_TO, Account, Booked, postings
from falcon_balances.domain.available import Agreement
from falcon_balances.domain.money import at_full_scale


class AccountRow(NamedTuple):
    """A row; amounts are at full scale, `balance` is debit less credit."""

    currency: str
    account: Account
    debit: str
    credit: str
    balance: str
    tends_to: str


def trial_balance(
    sums: Mapping[SumKey, Sum], agreements: Mapping[BalanceId, Agreement]
) -> list[AccountRow]:
    """Every account of every currency in the chart's order; each currency sums to zero.

    Each balance is posted in sums: one for its lines of each stage and type, and one for each of
    its figures. `agreements` are as in `balances_of`, which also names the errors.
    """
    debited: dict[tuple[str, Account], int] = {}
    credited: dict[tuple[str, Account], int] = {}
    exponents: dict[str, int] = {}
    for balance, account, minor in _postings(sums, agreements):
        exponents[balance.currency] = currency_of(balance).exponent
        side = debited if minor > 0 else credited
        name = balance.currency, account
        side[name] = side.get(name, 0) + abs(minor)
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


def _postings(
    sums: Mapping[SumKey, Sum], agreements: Mapping[BalanceId, Agreement]
) -> Iterator[tuple[BalanceId, Account, int]]:
    booked: dict[BalanceId, list[Booked]] = {}
    for key, total in sums.items():
        booked.setdefault(key.balance, []).append(Booked(key.stage, key.type, total.minor))
    for each, balance in balances_of(sums, agreements).items():
        # Agreeing operations contribute to `counted` only.
        counted = balance.available_before_blocks + balance.withdrawn - balance.adjusted
        agreed = agreements.get(each, NOTHING)._replace(counted=counted)
        for account, minor in postings(booked[each], agreed):
            yield each, account, minor


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
