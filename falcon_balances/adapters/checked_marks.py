"""Reads the marks that a second opinion needs: those since a closing, and those that these build
on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from falcon_balances.adapters.merchant_items import mark_of
from falcon_balances.adapters.ports import BalanceStore, MarkReads
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Mark
from falcon_balances.domain.operations import PSP_STAGES, BalanceOperation
from falcon_balances.domain.standing import nets_of
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, StandingKey, merchant_pk

MARKS_A_PAGE: Final = 300
REVISED_MAX: Final = 100
"""Operations whose earlier revisions are read: one query each."""
_OPERATIONS_A_READ: Final = 33  # a standing and two marks each: a call reads a hundred items
_Items = Mapping[ItemKey, Mapping[str, str | int]]


class NotCheckedNowError(TransientError):
    """The log was not asked, because that would take too long: nothing is decided. A later try
    can succeed, at the latest after the next closing.
    """


class CheckedMarks:
    """The marks of one merchant that touch one balance."""

    def __init__(self, reads: MarkReads, store: BalanceStore, balance: BalanceKey) -> None:
        self._reads = reads
        self._store = store
        self._balance = balance
        self._pk = merchant_pk(reads.merchant_id)

    def pages(self, start: str, end: str, marks_max: int) -> Iterator[list[Mark]]:
        """Those of windows from `start` to `end`, in their order. The index can be behind. Raises
        NotCheckedNowError if the merchant has more than `marks_max`, which MARKS_A_PAGE divides.
        """
        after, left = None, marks_max
        while True:
            page = self._reads.marks(
                start, end, after=after, newest_first=False, limit=min(left, MARKS_A_PAGE)
            )
            left -= len(page.marks)
            if not (page.is_last or left):
                raise NotCheckedNowError(
                    f"more than {marks_max} segments of {self._reads.merchant_id} since {start}"
                )
            yield self._touching(page.marks)
            if page.is_last:
                return
            after = page.marks[-1].order

    def before(self, since: Sequence[Mark]) -> list[Mark]:
        """Those that were counted before the first of `since`, of the same operations of PSPs, by
        the order of marks; strongly consistent.

        Only first revisions are looked up, a call for 33 operations. The standing shows that other
        revisions were counted too; then a query lists all marks of the operation. If it hides some
        that matter, closing and marks do not make the balance. Raises NotCheckedNowError above
        REVISED_MAX such queries.
        """
        start = since[0].order if since else ""
        by_operation: dict[str, list[Mark]] = {}
        for mark in since:
            if mark.stage in PSP_STAGES:
                by_operation.setdefault(mark.falcon_operation_id, []).append(mark)
        ids, found, revised = iter(by_operation), list[Mark](), list[str]()
        while some := list(islice(ids, _OPERATIONS_A_READ)):
            items = self._store.items([key for each in some for key in self._keys(each)])
            for operation_id in some:
                first = self._first_marks(operation_id, items)
                counted = {mark.order: mark for mark in (*by_operation[operation_id], *first)}
                if self._is_all(counted.values(), items.get(self._standing(operation_id), {})):
                    found += (mark for mark in first if mark.order < start)
                else:
                    revised.append(operation_id)
        return self._touching([*found, *self._all_before(revised, start)])

    def _all_before(self, operation_ids: Sequence[str], start: str) -> Iterator[Mark]:
        if len(operation_ids) > REVISED_MAX:
            raise NotCheckedNowError(f"more than {REVISED_MAX} revised operations since {start}")
        for operation_id in operation_ids:
            yield from (m for m in self._reads.marks_of(operation_id) if m.order < start)

    def _keys(self, operation_id: str) -> list[ItemKey]:
        return [self._standing(operation_id), *self._first_keys(operation_id)]

    def _standing(self, operation_id: str) -> ItemKey:
        return ItemKey(self._pk, StandingKey(operation_id).sk)

    def _first_keys(self, operation_id: str) -> list[ItemKey]:
        return [ItemKey(self._pk, MarkKey(operation_id, stage.value).sk) for stage in PSP_STAGES]

    def _first_marks(self, operation_id: str, items: _Items) -> list[Mark]:
        keys = (key for key in self._first_keys(operation_id) if key in items)
        return [mark_of(key, items[key]) for key in keys]

    def _is_all(self, marks: Iterable[Mark], standing: Mapping[str, str | int]) -> bool:
        """Whether the operation's standing has nothing else of the balance."""
        nets = dict.fromkeys(PSP_STAGES, 0)
        for mark in marks:
            nets[mark.stage] += self._net(mark)
        said = {stage: nets_of(str(standing.get(stage.value, ""))) for stage in PSP_STAGES}
        return all(said[stage].get(self._balance, 0) == nets[stage] for stage in nets)

    def _net(self, mark: Mark) -> int:
        return sum(line.amount.minor for line in mark.lines if self._touches(line))

    def _touches(self, line: BalanceOperation) -> bool:
        return self._balance == (line.balance_shop_id, line.currency.code)

    def _touching(self, marks: Iterable[Mark]) -> list[Mark]:
        return [mark for mark in marks if any(map(self._touches, mark.lines))]
