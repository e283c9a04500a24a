"""Reads a merchant's counted operations page by page, all of them or those of one reference."""

from typing import Final

from falcon_balances.adapters.ports import MerchantReads
from falcon_balances.contracts.queries import LIMIT_MAX
from falcon_balances.domain.history import Mark
from falcon_balances.domain.operation_filter import OperationFilter

MARKS_A_QUERY: Final = LIMIT_MAX + 1  # one more than a page, to know whether another page follows
# If a filter lets few operations through, a page ends after so many marks, and its cursor continues
# from that mark.
MARKS_A_PAGE_MAX: Final = 10 * MARKS_A_QUERY
# Operations of one reference are read one by one.
REFERENCED_MAX: Final = 50


class TooManyReferencedError(Exception):
    """More operations have the reference than can be read one by one."""

    def __init__(self, operations_max: int) -> None:
        super().__init__(f"more than {operations_max} operations have the reference")
        self.operations_max = operations_max


def read_operations(
    reads: MerchantReads,
    wanted: OperationFilter,
    limit: int,
    *,
    after: str | None,
    newest_first: bool,
) -> tuple[list[Mark], str | None]:
    """A page, and the order after which the next page begins; None if no page follows."""
    found: list[Mark] = []
    position, looked_at = after, 0
    # One mark more than requested tells whether another page follows.
    a_query = min(limit + 1, MARKS_A_QUERY) if wanted.lets_all_through else MARKS_A_QUERY
    while True:
        page = reads.marks(*wanted.bounds, after=position, newest_first=newest_first, limit=a_query)
        for mark in page.marks:
            if len(found) == limit:
                return found, position
            position, looked_at = mark.order, looked_at + 1
            if wanted.lets_through(mark):
                found.append(mark)
        if page.is_last:
            return found, None
        if looked_at >= MARKS_A_PAGE_MAX:
            return found, position


def read_referenced(
    reference: str,
    reads: MerchantReads,
    wanted: OperationFilter,
    limit: int,
    *,
    after: str | None,
    newest_first: bool,
) -> tuple[list[Mark], str | None]:
    """Like `read_operations`, for operations with a reference: one read of an index, and one per
    operation. Raises TooManyReferencedError.
    """
    ids = reads.referenced(reference, REFERENCED_MAX + 1)
    if len(ids) > REFERENCED_MAX:
        raise TooManyReferencedError(REFERENCED_MAX)
    start, end = wanted.bounds
    marks = sorted(
        (
            mark
            for each in ids
            for mark in reads.marks_of(each)
            if start <= mark.order <= end and wanted.lets_through(mark)
        ),
        key=lambda mark: mark.order,
        reverse=newest_first,
    )
    if after is not None:
        marks = [m for m in marks if (m.order < after if newest_first else m.order > after)]
    return marks[:limit], marks[limit - 1].order if len(marks) > limit else None
