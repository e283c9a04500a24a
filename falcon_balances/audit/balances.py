"""Balances from the log, and their differences from other balances."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.standings import NOTHING
from falcon_balances.audit.sums import Sum, SumKey
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.available import Agreement
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.counting import BY_STAGE, COUNTERS
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.money import Currency, at_full_scale, minor_units


@dataclass(frozen=True, slots=True)
class FigureDifference:
    """One figure of one balance on both sides; None for a side that does not have the balance."""

    balance: BalanceId
    figure: str
    log: str | None
    other: str | None


def balances_of(
    sums: Mapping[SumKey, Sum], agreements: Mapping[BalanceId, Agreement]
) -> dict[BalanceId, Balance]:
    """The balances that follow from sums and agreements, without blocks: the log has none.

    `agreements` are those of operations whose stages differ. Raises IntegrityError if lines and
    operations add up to different figures.
    """
    counters: dict[BalanceId, dict[str, int]] = {}
    for key, total in sums.items():
        balance = counters.setdefault(key.balance, dict.fromkeys(COUNTERS, 0))
        counted = BY_STAGE[key.stage]
        balance[counted.figure] += counted.sign * total.minor
        balance["operations_count"] += total.lines
    for each, figures in counters.items():
        figures.update(_joint(each, figures, agreements.get(each, NOTHING)))
    return {
        each: Balance.from_counters(each.balance_shop_id, currency_of(each), counters[each])
        for each in sorted(counters)
    }


def _joint(each: BalanceId, sums: Mapping[str, int], apart: Agreement) -> dict[str, int]:
    """The figures that need both stages. Raises IntegrityError if their agreed sums differ."""
    counted = sums["confirmed"] - apart.pending - apart.debits_unconfirmed
    if counted != sums["reconciled"] - apart.unapplied - apart.debits_untraced:
        raise IntegrityError(f"{each}: its operations and its lines add up to different figures")
    return {
        "pending": apart.pending,
        "unapplied": apart.unapplied,
        "debits_unconfirmed": apart.debits_unconfirmed,
        "debits_untraced": apart.debits_untraced,
        "available": counted - sums["withdrawn"] + sums["adjusted"],
    }


def currency_of(balance: BalanceId) -> Currency:
    currency = written_currency(balance.currency)
    assert currency is not None  # noqa: S101 - the log was read with it
    return currency


def differences(
    log: Mapping[BalanceId, Balance], other: Iterable[tuple[str, Balance]]
) -> list[FigureDifference]:
    """The differences between the log and the table or the API, sorted; blocks are not compared."""
    said = {
        BalanceId(merchant_id, balance.balance_shop_id, balance.currency.code): balance
        for merchant_id, balance in other
    }
    found: list[FigureDifference] = []
    for each in sorted(log.keys() | said.keys()):
        ours, theirs = _figures(log.get(each)), _figures(said.get(each))
        found += [
            FigureDifference(each, figure, ours.get(figure), theirs.get(figure))
            for figure in COUNTERS
            if ours.get(figure) != theirs.get(figure)
        ]
    return found


def _figures(balance: Balance | None) -> dict[str, str]:
    """Figures at full scale. A balance without counted lines is treated as absent."""
    if balance is None or not any(getattr(balance, name) for name in (*COUNTERS, "blocked")):
        return {}
    exponent = balance.currency.exponent
    figures = {name: getattr(balance, name) for name in COUNTERS}
    figures["available"] = balance.available_before_blocks
    return {
        name: str(value) if name == "operations_count" else at_full_scale(value, exponent)
        for name, value in figures.items()
    }


def read_document(row: Mapping[str, str | int]) -> Balance:
    """The balance in a document of the API (design §8)."""
    code = str(row["currency"])
    currency = written_currency(code)
    if currency is None:
        raise IntegrityError(f"the API answered with the unknown currency {code!r}")
    figures = {
        name: int(value) if name == "operations_count" else signed_minor_units(str(value), currency)
        for name, value in row.items()
        if name in (*COUNTERS, "blocked")
    }
    return Balance.from_counters(str(row["balance_shop_id"]), currency, figures)


def signed_minor_units(text: str, currency: Currency) -> int:
    """Minor units of a text of `at_full_scale`."""
    minor = minor_units(text.removeprefix("-"), currency.exponent)
    return -minor if text.startswith("-") else minor
