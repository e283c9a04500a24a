"""Reads a merchant statement page by page, as others count, and checks it as a whole."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from falcon_balances.adapters.merchant_statements import WantedMerchantStatement, read_statement
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import NotClosedError, NothingCountedError
from falcon_balances.domain.merchant_statements import StatedLine
from falcon_balances.domain.statement_positions import MerchantStatementPosition
from tests.property.read_checks import (
    Request,
    check_balances,
    check_lines,
    check_statement,
    key_of,
)

if TYPE_CHECKING:
    from tests.property.reading import Reading


def check_whole_statement(
    reading: "Reading",
    request: Request,
    period: tuple[datetime, datetime],
    limit: int,
    *,
    by_shop: bool,
) -> None:
    """The index follows while it is read: its first page may be behind, the others are not."""
    start, end = period
    merchant_id = request.merchant_id
    shops = sorted(each.sk.split("#")[1] for each in reading.balances_there(merchant_id))
    shop = shops[0] if by_shop and shops else None
    counted = [mark for mark in reading.marks(merchant_id) if start <= mark.window < end]
    position: MerchantStatementPosition | None = None
    lines = list[StatedLine]()
    while True:
        reads, now = reading.reads(request)
        past = reading.past(reads, start)
        try:
            said = read_statement(
                reads, now, WantedMerchantStatement(start, end, limit, shop), position
            )
        except (NotClosedError, NothingCountedError):
            return
        except TransientError as error:
            check_lines(counted, lines, shop, are_all=False)
            if "possibly incomplete" in str(error):
                indexed = reads.indexed_as_of(now)
                assert indexed is None or closed_until(indexed) < end, "complete, and denied"
                return
            if "is not complete" not in str(error):
                raise
            has_all = all(reads.is_indexed(key_of(reads, mark)) for mark in counted)
            assert not has_all, "complete, and denied"
            reading.note("a statement that the index had not all of yet")
            return
        page, position, _ = said.page
        assert len({each.mark.order for each in page}) <= limit
        lines += page
        if position is None:
            break
        request = replace(request, index_delay_s=0)
    assert past is not None
    check_statement(past, period, counted, lines, shop)
    check_balances(past, period, said.balances, shop)
    if lines:
        reading.note(f"a statement of {min(len(lines), 5)} lines")
