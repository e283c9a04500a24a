"""A merchant's reads over the in-memory table and claims: the behaviour of the AWS adapter."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from falcon_balances.adapters.merchant_items import day_of, mark_of
from falcon_balances.adapters.merchant_reads import INDEX_DELAY
from falcon_balances.adapters.ports import MarkPage, TaggedMarks, WantedMarks
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.available import Joint
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.closings import ClosedDay, Closing
from falcon_balances.domain.counted_order import (
    CountedOrder,
    LateKey,
    MarkKey,
    late_in,
    marks_of,
    operation_referenced,
)
from falcon_balances.domain.effects import Effect, read_effect
from falcon_balances.domain.history import Day, Figures, Mark, Window
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.known_findings import KnownFinding
from falcon_balances.domain.operation_tags import EVERY
from falcon_balances.domain.past_keys import WindowKey, windows_of
from falcon_balances.domain.sale_keys import SaleKey, operations_of_sale
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import (
    FINDING_KEYS,
    STANDING_KEYS,
    BalanceKey,
    BlockKey,
    CorrectionKey,
    DayKey,
    ItemKey,
    ReferenceKey,
    corrections_of,
    days_from,
    merchant_pk,
)
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.interruptions import Interruptible, interruptible
from falcon_balances.fakes.storage import MemoryEventClaims

T = TypeVar("T")


class MemoryMerchantReads(Interruptible):
    """`is_indexed` says which marks and standings the indexes know already, `marks_a_page` how many
    marks DynamoDB would give at once.
    """

    def __init__(
        self, store: MemoryBalanceStore, claims: MemoryEventClaims, merchant_id: str
    ) -> None:
        super().__init__(store.interrupt)
        self._store = store
        self._claims = claims
        self._pk = merchant_pk(merchant_id)
        self.merchant_id = merchant_id
        self.is_indexed: Callable[[ItemKey], bool] = lambda _key: True
        self.marks_a_page: int | None = None

    @interruptible
    def as_of(self) -> datetime | None:
        return self._store.known_as_of

    @interruptible
    def indexed_as_of(self, now: datetime) -> datetime | None:
        latest = (now - INDEX_DELAY).replace(microsecond=0)
        cuts = self._store.cuts_completed.items()
        return max((cut for cut, at in cuts if at.replace(microsecond=0) <= latest), default=None)

    @interruptible
    def progress(self) -> tuple[datetime | None, ClosedDay]:
        return self._store.known_as_of, ClosedDay(self._store.closed_day.day)

    @interruptible
    def balances(self) -> Sequence[Balance]:
        return self._store.balances_of(self.merchant_id)

    @interruptible
    def windows(self, balance: BalanceKey, start: datetime, end: datetime) -> Sequence[Window]:
        found = map(self._window, self._counted(windows_of(balance)))
        return [each for each in found if start <= each.start < end]

    @interruptible
    def closings(self, balance: BalanceKey, before: str, limit: int) -> Sequence[Closing]:
        known = (self._store.closings[key] for key in self._store.closings if key.pk == self._pk)
        of_balance = [each for each in known if each.balance == balance and each.day < before]
        return sorted(of_balance, key=lambda each: each.day, reverse=True)[:limit]

    def of_each(
        self, balances: Sequence[BalanceKey], read: Callable[[BalanceKey], T]
    ) -> Sequence[T]:
        """One after the other, so that interruptions stay in their order."""
        return [read(each) for each in balances]

    @interruptible
    def days(self, first: str, last: str) -> Sequence[Day]:
        found = []
        for key in self._counted(days_from("")):
            day = DayKey.parse(key.sk)
            if first <= day.day <= last:
                found.append(day_of(day, self._store.counters[key]))
        return found

    @interruptible
    def late(self, month: str, limit: int) -> Sequence[CountedOrder]:
        return [LateKey.parse(key.sk).order for key in self._counted(late_in(month))][:limit]

    @interruptible
    def marks(
        self, start: str, end: str, *, after: str | None, newest_first: bool, limit: int
    ) -> MarkPage:
        found = self._listed(start, end, after, newest_first=newest_first)
        size = self._at_once(limit)
        return MarkPage([mark for mark, _ in found[:size]], is_last=len(found) <= size)

    @interruptible
    def tagged(self, tags: Collection[str], wanted: WantedMarks) -> TaggedMarks:
        found = self._listed(
            wanted.start, wanted.end, wanted.after, newest_first=wanted.newest_first
        )
        size = self._at_once(wanted.look_at)
        looked_at = found[:size]
        marks = [mark for mark, said in looked_at if said == EVERY or set(tags) <= {*said.split()}]
        if len(marks) > wanted.limit:
            return TaggedMarks(marks[: wanted.limit], marks[wanted.limit - 1].order)
        return TaggedMarks(marks, looked_at[-1][0].order if len(found) > size else None)

    def _at_once(self, limit: int) -> int:
        return limit if self.marks_a_page is None else min(limit, self.marks_a_page)

    def _listed(
        self, start: str, end: str, after: str | None, *, newest_first: bool
    ) -> list[tuple[Mark, str]]:
        """The marks with their codes, as the index lists them."""
        found = [
            (mark_of(key, said), str(said["tags"]))
            for key, said in self._store.marks.items()
            if start <= str(said.get("counted_order", "")) <= end
            and key.pk == self._pk
            and self.is_indexed(key)
        ]
        found.sort(key=lambda each: each[0].order, reverse=newest_first)
        if after is None:
            return found
        return [
            each
            for each in found
            if (each[0].order < after if newest_first else each[0].order > after)
        ]

    @interruptible
    def marks_of(self, falcon_operation_id: str) -> Sequence[Mark]:
        keys = self._marked(marks_of(falcon_operation_id))
        return [mark_of(key, self._store.marks[key]) for key in keys]

    @interruptible
    def effect_of(self, mark: Mark) -> Effect:
        prefix = MarkKey(mark.falcon_operation_id, mark.staged).sk
        effect: dict[BalanceKey, Joint] = {}
        for key, said in self._store.marks.items():
            if key.pk == self._pk and (key.sk == prefix or key.sk.startswith(f"{prefix}#")):
                effect |= read_effect(str(said["effect"]))
        return effect

    @interruptible
    def block(self, block_id: str) -> Block | None:
        key = self._key(BlockKey(block_id).sk)
        said = self._store.marks.get(key)
        return None if said is None else Block.from_attributes(key, said)

    @interruptible
    def corrections(self, falcon_operation_id: str) -> Sequence[str]:
        keys = self._counted(corrections_of(falcon_operation_id))
        return [CorrectionKey.parse(key.sk).falcon_operation_id for key in keys]

    @interruptible
    def open_standings(self, limit: int) -> Sequence[Standing]:
        keys = sorted(
            key
            for key, said in self._store.marks.items()
            if key.sk.startswith(STANDING_KEYS) and said.get("open") == self._pk
        )
        known = [key for key in keys if self.is_indexed(key)]
        return [Standing.from_attributes(key, self._store.marks[key]) for key in known[:limit]]

    @interruptible
    def referenced(self, reference: str, limit: int) -> Sequence[str]:
        sought = ReferenceKey(self.merchant_id, reference).text
        marks = sorted(self._store.marks.items())
        keys = [key for key, said in marks if said.get("referenced") == sought]
        return list(dict.fromkeys(operation_referenced(key.sk) for key in keys[:limit]))

    @interruptible
    def sale(self, key: SaleKey) -> Sale | None:
        own = key._replace(merchant_id=self.merchant_id).item
        said = self._store.item(own)
        return Sale.from_attributes(own, said) if said else None

    @interruptible
    def sale_operations(self, sale_id: str, limit: int) -> Sequence[SaleOperation]:
        found = self._items(operations_of_sale(sale_id))
        return [SaleOperation.from_attributes(key, said) for key, said in found[:limit]]

    @interruptible
    def findings(self, after: str | None, limit: int) -> Sequence[KnownFinding]:
        found = [
            KnownFinding.from_attributes(key, said)
            for key, said in self._items(FINDING_KEYS)
            if after is None or key.sk > after
        ]
        return [each for each in found if each.is_shown][:limit]

    def _items(self, prefix: str) -> list[tuple[ItemKey, dict[str, str | int]]]:
        items = sorted(self._store.marks.items())
        return [(k, said) for k, said in items if k.pk == self._pk and k.sk.startswith(prefix)]

    @interruptible
    def claims(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        return [
            claim
            for (operation_id, _), claim in sorted(
                self._claims.claims.items(), key=lambda item: (item[1].stage, item[1].revision)
            )
            if operation_id == falcon_operation_id
            and self.merchant_id in {segment.merchant_id for segment in claim.segments}
        ]

    def _key(self, sk: str) -> ItemKey:
        return ItemKey(self._pk, sk)

    def _counted(self, prefix: str) -> list[ItemKey]:
        keys = self._store.counters
        return sorted(key for key in keys if key.pk == self._pk and key.sk.startswith(prefix))

    def _marked(self, prefix: str) -> Iterator[ItemKey]:
        """The keys of segments' marks, without the marks of further parts."""
        for key, said in sorted(self._store.marks.items()):
            if key.pk == self._pk and key.sk.startswith(prefix) and "lines" in said:
                yield key

    def _window(self, key: ItemKey) -> Window:
        balance, start = WindowKey.parse(key.sk)
        change = Figures.of(self._store.counters[key])
        return Window(parse_rfc3339(start), balance, change)
