"""Reads a merchant's past: its balances when the last quarter closed, and its windows before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from time import sleep
from typing import Final

from falcon_balances.adapters.ports import MerchantReads, TryAgain
from falcon_balances.adapters.retries import delays
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import (
    Figures,
    NotClosedError,
    NothingCountedError,
    Past,
    Window,
    quarters,
)
from falcon_balances.domain.instants import QUARTER, quarter_of
from falcon_balances.domain.table_keys import BalanceKey

ITEMS_AT_ONCE_MAX: Final = 100  # of TransactGetItems
ATTEMPTS: Final = 8
_FIRST_DELAY_S: Final = 0.02
Wait = Callable[[float], object]


def read_past(
    reads: MerchantReads, since: datetime, now: datetime, wait: Wait = sleep
) -> tuple[datetime, Past]:
    """`as_of`, and the merchant's past from `since` on. Raises NotClosedError, NothingCountedError.

    The quarters that are still open are read in one transaction with the balances; the closed ones
    can be read afterwards, because they never change.
    """
    as_of = reads.as_of()
    closed = None if as_of is None else closed_until(as_of)
    if as_of is None or closed is None or since > closed:
        raise NotClosedError(closed)
    balances = [BalanceKey(each.balance_shop_id, each.currency.code) for each in reads.balances()]
    if not balances:
        raise NothingCountedError
    # One quarter more than our clock gives, because windows follow Kinesis' clock.
    still_open = quarters(closed, quarter_of(now) + QUARTER)
    if len(still_open) >= ITEMS_AT_ONCE_MAX:
        raise TransientError(f"the last {len(still_open)} quarters of an hour are not closed")
    closing: dict[BalanceKey, Figures] = {}
    for group in _batched(balances, ITEMS_AT_ONCE_MAX // (1 + len(still_open))):
        figures, since_closing = _at_once(reads, group, still_open, wait)
        closing |= figures
        for window in since_closing:
            closing[window.balance] = closing[window.balance] - window.change
    windows = [window for each in balances for window in reads.windows(each, since, closed)]
    windows.sort(key=lambda each: each.start)
    return as_of, Past(since, closed, closing, tuple(windows))


def _at_once(
    reads: MerchantReads, balances: Sequence[BalanceKey], starts: Sequence[datetime], wait: Wait
) -> tuple[Mapping[BalanceKey, Figures], Sequence[Window]]:
    for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S, is_spread=True):
        found = reads.at_once(balances, starts)
        if not isinstance(found, TryAgain):
            return found
        wait(delay_s)
    raise TransientError(
        f"balances of {reads.merchant_id}: gave up after {ATTEMPTS} conflicting transactions"
    )


def _batched(balances: Sequence[BalanceKey], size: int) -> Iterator[list[BalanceKey]]:
    rest = iter(balances)
    while group := list(islice(rest, size)):
        yield group
