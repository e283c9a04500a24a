"""Balances added up from the log's segments, instead of read from the table (`source=log`)."""

from collections.abc import Sequence
from datetime import datetime

from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.history import Figures
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.table_keys import BalanceKey


def logged_balances(segments: Sequence[Segment], live: Sequence[Balance]) -> list[Balance]:
    """Balances from the log, less the blocks of `live`: blocks are not in the log."""
    blocked = {(each.balance_shop_id, each.currency.code): each.blocked for each in live}
    currencies = {line.currency.code: line.currency for each in segments for line in each.lines}
    balances = []
    for (_, balance_shop_id, code), counters in fold(segments).items():
        aside = blocked.get((balance_shop_id, code), 0)
        counted = {**counters, "blocked": aside, "available": counters.get("available", 0) - aside}
        balances.append(Balance.from_counters(balance_shop_id, currencies[code], counted))
    return balances


def logged_figures(segments: Sequence[Segment], at: datetime) -> dict[BalanceKey, Figures]:
    """Balances of the lines with an operation date before `at`."""
    earlier = [each for each in segments if each.booked_at < at]
    return {
        BalanceKey(balance_shop_id, code): Figures.of(counters)
        for (_, balance_shop_id, code), counters in fold(earlier).items()
    }
