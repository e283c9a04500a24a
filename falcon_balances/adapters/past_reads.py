"""Reads a merchant's past: balances at the border of a closed quarter, and windows since then."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from falcon_balances.adapters.past_ports import PastReads
from falcon_balances.domain.closings import Closing, counted_since, day_of, figures_after
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.history import NotClosedError, NothingCountedError, Past, Window
from falcon_balances.domain.table_keys import BalanceKey

BALANCES_MAX: Final = 300
"""The most balances in an answer if the query names no balance shop. Each balance takes up to three
calls, and 16 balances are read at once; a shop has a balance for each of its currencies.
"""


class TooManyBalancesError(Exception):
    """The merchant has more balances than one answer about the past can have."""

    def __init__(self, balances_max: int) -> None:
        super().__init__(f"more than {balances_max} balances")
        self.balances_max = balances_max


def read_closed(reads: PastReads, wanted: datetime | None = None) -> tuple[datetime, datetime]:
    """`as_of`, and the end of the last closed quarter. Raises NotClosedError if there is none, or
    if the wanted time is after it.
    """
    as_of = reads.as_of()
    closed = None if as_of is None else closed_until(as_of)
    if as_of is None or closed is None or (wanted is not None and wanted > closed):
        raise NotClosedError(closed)
    return as_of, closed


def read_balance_keys(reads: PastReads, balance_shop_id: str | None = None) -> list[BalanceKey]:
    """The merchant's balances, or those of one balance shop. Raises NothingCountedError if the
    merchant has none at all, and TooManyBalancesError above BALANCES_MAX without a balance shop.
    """
    balances = [BalanceKey(each.balance_shop_id, each.currency.code) for each in reads.balances()]
    if not balances:
        raise NothingCountedError
    if balance_shop_id is None and len(balances) > BALANCES_MAX:
        raise TooManyBalancesError(BALANCES_MAX)
    return sorted(each for each in balances if balance_shop_id in (None, each.balance_shop_id))


def read_past(
    reads: PastReads, balances: Sequence[BalanceKey], start: datetime, end: datetime
) -> Past:
    """The balances at `start`, and their windows until `end`; both must be closed already.

    Two queries per balance: its last closing before the day of `start`, and the windows since then.
    These windows are those of the day of `start`, at most 96, and those until `end`, at any age;
    for recent times, also those of days that are over but not closed yet.
    """
    day = day_of(start)
    found = reads.of_each(balances, lambda each: reads.closings(each, day, 1))
    before = {key: next(iter(each), None) for key, each in zip(balances, found, strict=True)}
    return past_since(reads, before, start, end)


def past_since(
    reads: PastReads,
    closings: Mapping[BalanceKey, Closing | None],
    start: datetime,
    end: datetime,
) -> Past:
    """The past of balances whose last closing before `start` is known: one query for each."""
    opening, windows = {}, list[Window]()
    balances = list(closings)
    read = reads.of_each(
        balances, lambda each: reads.windows(each, counted_since(closings[each]), end)
    )
    for balance, found in zip(balances, read, strict=True):
        closing = closings[balance]
        opening[balance] = figures_after(closing, (w for w in found if w.start < start))
        windows += (window for window in found if window.start >= start)
    windows.sort(key=lambda each: each.start)
    return Past(start, opening, tuple(windows))
