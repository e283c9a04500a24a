"""An in-memory table `balances`: transactions whole or not at all, times that only move on."""

from collections.abc import Callable, Sequence
from datetime import datetime

from falcon_balances.adapters.ports import AlreadyThere, TryAgain, WriteOutcome
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.counting import (
    TRANSACTION_ITEMS_MAX,
    ItemKey,
    PutMark,
    TableWrite,
    add_to,
    merchant_pk,
)
from falcon_balances.domain.cuts import Cut
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never


class MemoryBalanceStore(Interruptible):
    """`conflicts` says which positions of the next transaction meet another one under way."""

    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.marks: dict[ItemKey, dict[str, str]] = {}
        self.counters: dict[ItemKey, dict[str, int]] = {}
        self.floors: dict[str, datetime | None] = {}
        self.cuts_met: dict[datetime, set[str]] = {}
        self.known_as_of: datetime | None = None
        self.conflicts: Callable[[Sequence[TableWrite]], Sequence[int]] = lambda _writes: ()

    @interruptible
    def transact(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        if len(writes) > TRANSACTION_ITEMS_MAX or len({w.key for w in writes}) != len(writes):
            raise ValueError("ValidationException: too many items, or one of them twice")
        conflicts = set(self.conflicts(writes))
        outcomes = [self._outcome(write, n in conflicts) for n, write in enumerate(writes)]
        if any(outcomes):
            return outcomes
        for write in writes:
            if isinstance(write, PutMark):
                self.marks[write.key] = dict(write.attributes)
            else:
                add_to(self.counters.setdefault(write.key, {}), write.counters)
        return ()

    def _outcome(self, write: TableWrite, in_conflict: bool) -> WriteOutcome:  # noqa: FBT001
        if in_conflict:
            return TryAgain()
        if isinstance(write, PutMark) and write.only_if_absent and write.key in self.marks:
            return AlreadyThere(self.marks[write.key])
        return None

    @interruptible
    def balances(self, merchant_id: str) -> Sequence[Balance]:
        found = []
        for key, counters in self.counters.items():
            kind, balance_shop_id, code = key.sk.split("#")[:3]
            currency = written_currency(code)
            if key.pk == merchant_pk(merchant_id) and kind == "BALANCE" and currency:
                found.append(Balance.from_counters(balance_shop_id, currency, counters))
        return found

    @interruptible
    def as_of(self) -> datetime | None:
        return self.known_as_of

    @interruptible
    def advance_as_of(self, cut_at: datetime) -> None:
        self.known_as_of = cut_at if self.known_as_of is None else max(self.known_as_of, cut_at)

    @interruptible
    def meet_cut(self, cut: Cut, shard_id: str) -> frozenset[str]:
        met = self.cuts_met.setdefault(cut.cut_at, set())
        met.add(shard_id)
        return frozenset(met)

    @interruptible
    def shard_floor(self, shard_id: str) -> tuple[bool, datetime | None]:
        return shard_id in self.floors, self.floors.get(shard_id)

    @interruptible
    def raise_shard_floor(self, shard_id: str, closed_until: datetime | None) -> None:
        known = self.floors.get(shard_id)
        if shard_id not in self.floors or known is None:
            self.floors[shard_id] = closed_until
        elif closed_until is not None:
            self.floors[shard_id] = max(known, closed_until)
