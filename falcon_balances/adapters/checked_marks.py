"""Reads the marks that a second opinion needs: those since a closing, and those that these build
on.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from falcon_balances.adapters.merchant_items import mark_of
from falcon_balances.adapters.ports import BalanceStore, MerchantReads
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Mark
from falcon_balances.domain.operations import PSP_STAGES, BalanceOperation
from falcon_balances.domain.standing import nets_of
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, StandingKey, merchant_pk

MARKS_MAX: Final = 300
"""Of a merchant since the closing: all its balances, because the index lists them together."""
REVISED_MAX: Final = 100
"""Operations whose earlier revisions are read: one query each."""
_OPERATIONS_A_READ: Final = 33  # a standing and two marks each: a call reads a hundred items
_LAST: Final = "~"
_Items = Mapping[ItemKey, Mapping[str, str | int]]


class NotCheckedNowError(TransientError):
    """The log was not asked, because that would take too long: nothing is decided. A later try
    can succeed, at the latest after the next closing.
    """


class CheckedMarks:
    """The marks of one merchant that touch one balance."""

    def __init__(self, reads: MerchantReads, store: BalanceStore, balance: BalanceKey) -> None:
        self._reads = reads
        self._store = store
        self._balance = balance
        self._pk = merchant_pk(reads.merchant_id)

    def since(self, start: str) -> list[Mark]:
        """Those of windows from `start`, RFC 3339, on. The index can be behind. Raises
        NotCheckedNowError if the merchant has more than MARKS_MAX.
        """
        page = self._reads.marks(start, _LAST, after=None, newest_first=False, limit=MARKS_MAX)
        if not page.is_last:
            raise NotCheckedNowError(
                f"more than {MARKS_MAX} segments of {self._reads.merchant_id} since {start}"
            )
        return self._touching(page.marks)

    def before(self, since: Sequence[Mark], start: str) -> list[Mark]:
        """Those of earlier windows, of the same operations of PSPs; strongly consistent.

        Only first revisions are looked up, a call for 33 operations. The standing shows that other
        revisions were counted too; then a query lists all marks of the operation. If it hides some
        that matter, closing and marks do not make the balance. Raises NotCheckedNowError above
        REVISED_MAX such queries.
        """
        by_operation: dict[str, list[Mark]] = {}
        for mark in since:
            if mark.stage in PSP_STAGES:
                by_operation.setdefault(mark.falcon_operation_id, []).append(mark)
        ids, found, revised = iter(by_operation), list[Mark](), list[str]()
        while some := list(islice(ids, _OPERATIONS_A_READ)):
            items = self._store.items([key for each in some for key in self._keys(each)])
            for operation_id in some:
                first = self._first_marks(operation_id, items, start)
                counted = [*by_operation[operation_id], *first]
                if self._is_all(counted, items.get(self._standing(operation_id), {})):
                    found += first
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

    def _first_marks(self, operation_id: str, items: _Items, start: str) -> list[Mark]:
        keys = (key for key in self._first_keys(operation_id) if key in items)
        return [mark for mark in (mark_of(k, items[k]) for k in keys) if mark.order < start]

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
