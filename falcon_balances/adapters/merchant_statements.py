"""Reads the lines of a merchant statement from the index of counted operations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from falcon_balances.adapters.operation_pages import MARKS_A_PAGE_MAX, MARKS_A_QUERY
from falcon_balances.adapters.ports import MerchantReads
from falcon_balances.domain.history import Mark, Past
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_statements import (
    MerchantStatementPage,
    WantedPage,
    first_quarter,
    statement_page,
)


def read_statement_page(
    reads: MerchantReads,
    past: Past,
    end: datetime,
    limit: int,
    *,
    after: str | None,
    balance_shop_id: str | None,
) -> MerchantStatementPage:
    """The lines of at most `limit` operations. Raises TransientError while the index lags."""
    wanted = WantedPage(limit, MARKS_A_PAGE_MAX, after, balance_shop_id)
    return statement_page(past, end, _marks(reads, first_quarter(past, after), end), wanted)


def _marks(reads: MerchantReads, start: datetime, end: datetime) -> Iterator[Mark]:
    position = None
    while True:
        page = reads.marks(
            rfc3339(start), rfc3339(end), after=position, newest_first=False, limit=MARKS_A_QUERY
        )
        yield from (_with_all_effects(reads, mark) for mark in page.marks)
        if page.is_last:
            return
        position = page.marks[-1].order if page.marks else position


def _with_all_effects(reads: MerchantReads, mark: Mark) -> Mark:
    """A mark holds the effects on its first 24 balances; its parts hold the others."""
    balances = {(line.balance_shop_id, line.currency.code) for line in mark.lines}
    if len(mark.effect) == len(balances):
        return mark
    return replace(mark, effect=reads.effect_of(mark))
