"""Reads a merchant's counted operations page by page, all of them or those of one reference."""

from typing import Final

from falcon_balances.adapters.ports import MerchantReads, WantedMarks
from falcon_balances.domain.history import Mark
from falcon_balances.domain.operation_filter import OperationFilter

# How many marks of each partition a page looks at for a filter; its cursor continues after them. It
# is one query: a page of DynamoDB holds some 3,800 entries of the index.
LOOK_AT: Final = 3_000
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
    """A page, and the order after which the next page begins; None if no page follows.

    A page takes a query for each partition of the index, and a BatchGetItem for a hundred marks. If
    the filter lets few operations through, a page can be shorter, or empty, and not the last.
    """
    start, end = wanted.bounds
    if wanted.lets_all_through:
        page = reads.marks(start, end, after=after, newest_first=newest_first, limit=limit)
        return list(page.marks), None if page.is_last else page.marks[-1].order
    tagged = reads.tagged(
        wanted.tags, WantedMarks(start, end, after, newest_first, limit, look_at=LOOK_AT)
    )
    return [mark for mark in tagged.marks if wanted.lets_through(mark)], tagged.seen


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
