"""Reads a merchant's counted operations page by page, all of them or those of one reference."""

from collections.abc import Callable, Sequence
from typing import Final

from falcon_balances.adapters.ports import MarkPage, MerchantReads
from falcon_balances.contracts.queries import LIMIT_MAX
from falcon_balances.domain.history import Mark
from falcon_balances.domain.operation_filter import OperationFilter

MARKS_A_QUERY: Final = LIMIT_MAX  # two BatchGetItem
# If a filter lets few operations through, a page looks at so many more, and its cursor continues
# after them: eight BatchGetItem.
MARKS_FURTHER: Final = 800
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
    first = min(limit, MARKS_A_QUERY) if wanted.lets_all_through else MARKS_A_QUERY
    read = read_marks(
        reads,
        wanted.bounds,
        after,
        newest_first=newest_first,
        first=first,
        is_enough=lambda marks: sum(map(wanted.lets_through, marks)) >= limit,
    )
    found = [mark for mark in read.marks if wanted.lets_through(mark)][:limit]
    last = found[-1:] if len(found) == limit else read.marks[-1:]
    is_end = read.is_last and last == read.marks[-1:]
    return found, None if is_end else last[0].order


def read_marks(
    reads: MerchantReads,
    bounds: tuple[str, str],
    after: str | None,
    *,
    newest_first: bool,
    first: int,
    is_enough: Callable[[Sequence[Mark]], bool],
) -> MarkPage:
    """The marks after the order `after`, in at most two pages: a page of `first` marks and, if
    these are not enough, a page of MARKS_FURTHER.
    """
    found: list[Mark] = []
    for limit in (first, MARKS_FURTHER):
        position = found[-1].order if found else after
        page = reads.marks(*bounds, after=position, newest_first=newest_first, limit=limit)
        found += page.marks
        if page.is_last or is_enough(found):
            return MarkPage(found, page.is_last)
    return MarkPage(found, is_last=False)


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
