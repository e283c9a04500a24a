"""An in-memory table `balances`: all-or-nothing transactions, and times that only move forward."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from falcon_balances.adapters.ports import AvailableNow, ConditionFailed, TryAgain, WriteOutcome
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.block_expiry import is_due
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance
from falcon_balances.domain.counting import add_to
from falcon_balances.domain.cuts import Cut, ShardState
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.domain.table_keys import (
    ATTEMPT_KEYS,
    BLOCK_KEYS,
    BalanceKey,
    ItemKey,
    is_balance,
    merchant_pk,
)
from falcon_balances.domain.table_writes import (
    AddCounters,
    Drop,
    EndBlock,
    NoteFound,
    PutMark,
    PutNewer,
    PutStanding,
    TableWrite,
)
from falcon_balances.domain.transactions import TRANSACTION_ITEMS_MAX
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never


class MemoryBalanceStore(Interruptible):
    """`conflicts` returns the positions of writes that conflict with another transaction."""

    def __init__(self, interrupt: Interrupt = never) -> None:
        super().__init__(interrupt)
        self.marks: dict[ItemKey, dict[str, str | int]] = {}
        self.counters: dict[ItemKey, dict[str, int]] = {}
        self.notes: dict[ItemKey, str] = {}  # the findings of items that have counters
        self.negative_since: dict[ItemKey, datetime] = {}
        self.closings: dict[ItemKey, Closing] = {}
        self.closed_day = ClosedDay(None)
        self.moved: dict[str, set[MovedBalance]] = {}
        self.floors: dict[str, datetime | None] = {}
        self.parked: set[str] = set()
        self.journaled: dict[str, JournalPosition] = {}
        self.cuts_met: dict[datetime, dict[str, JournalPosition]] = {}
        self.cuts_completed: dict[datetime, datetime] = {}
        self.known_as_of: datetime | None = None
        self.conflicts: Callable[[Sequence[TableWrite]], Sequence[int]] = lambda _writes: ()

    @interruptible
    def transact(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        return self.apply(writes)

    def outcomes_of(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        """The outcomes that a transaction of these writes would have; empty if it would succeed."""
        if len(writes) > TRANSACTION_ITEMS_MAX or len({w.key for w in writes}) != len(writes):
            raise ValueError("ValidationException: too many items, or one of them twice")
        conflicts = set(self.conflicts(writes))
        outcomes = [self._outcome(write, n in conflicts) for n, write in enumerate(writes)]
        return outcomes if any(outcomes) else ()

    def apply(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        """Executes the writes as part of the caller's transaction."""
        if outcomes := self.outcomes_of(writes):
            return outcomes
        for write in writes:
            self._write(write)
        return ()

    def _write(self, write: TableWrite) -> None:
        match write:
            case PutMark() | PutStanding() | PutNewer():
                self.marks[write.key] = dict(write.attributes)
            case EndBlock():
                self.marks[write.key] |= {
                    "status": write.status,
                    "ended_at": write.ended_at,
                    "ended_by": write.ended_by,
                }
                self.marks[write.key].pop("expiring", None)
            case AddCounters():
                add_to(self.counters.setdefault(write.key, {}), write.counters)
            case NoteFound():
                self._note(write)
            case Drop():
                self.marks.pop(write.key, None)

    def _note(self, write: NoteFound) -> None:
        if write.key in self.marks:
            self.marks[write.key] |= {"found": write.found, "version": write.version + 1}
        else:
            self.notes[write.key] = write.found
            self.counters[write.key]["version"] = write.version + 1

    def _outcome(self, write: TableWrite, in_conflict: bool) -> WriteOutcome:  # noqa: FBT001
        if in_conflict:
            return TryAgain()
        there = self.item(write.key)
        return None if _is_met(write, there) else ConditionFailed(there)

    @interruptible
    def blocks(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Block]:
        return {
            key: Block.from_attributes(key, self.marks[key]) for key in keys if key in self.marks
        }

    @interruptible
    def items(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Mapping[str, str | int]]:
        found = {key: self.item(key) for key in keys}
        return {key: said for key, said in found.items() if said}

    def item(self, key: ItemKey) -> dict[str, str | int]:
        """The item's attributes; empty if it does not exist."""
        found: dict[str, str | int] = dict(self.marks.get(key) or self.counters.get(key) or {})
        if key in self.notes:
            found["found"] = self.notes[key]
        return found

    @interruptible
    def due_authorizations(self, partition: str, now: datetime) -> Sequence[Authorization]:
        due = [
            Authorization.from_attributes(key, said)
            for key, said in self.marks.items()
            if key.sk.startswith(ATTEMPT_KEYS) and said.get("expiring") == partition
        ]
        found = (each for each in due if is_due(each.expiry, now))
        return sorted(found, key=lambda each: each.expiry)

    @interruptible
    def blocks_of(self, merchant_id: str) -> Sequence[Block]:
        return [each for each in self._all_blocks() if each.merchant_id == merchant_id]

    @interruptible
    def due_blocks(self, partition: str, now: datetime) -> Sequence[Block]:
        due = [
            block
            for block in self._all_blocks()
            if self.marks[block.key].get("expiring") == partition
            and block.expiry is not None
            and is_due(block.expiry, now)
        ]
        return sorted(due, key=lambda block: str(block.expiry))

    def _all_blocks(self) -> list[Block]:
        return [
            Block.from_attributes(key, said)
            for key, said in self.marks.items()
            if key.sk.startswith(BLOCK_KEYS)
        ]

    @interruptible
    def balances(self, merchant_id: str) -> Sequence[Balance]:
        return self.balances_of(merchant_id)

    def balances_of(self, merchant_id: str) -> list[Balance]:
        found = []
        for key, counters in self.counters.items():
            if key.pk != merchant_pk(merchant_id) or not is_balance(key):
                continue
            balance_shop_id, code = BalanceKey.parse(key.sk)
            if currency := written_currency(code):
                since = self.negative_since.get(key)
                found.append(Balance.from_counters(balance_shop_id, currency, counters, since))
        return found

    @interruptible
    def available_now(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, AvailableNow]:
        return {
            key: AvailableNow(self.counters[key].get("available", 0), self.negative_since.get(key))
            for key in keys
            if key in self.counters
        }

    @interruptible
    def set_negative_since(self, key: ItemKey, since: datetime | None) -> None:
        is_negative = self.counters.get(key, {}).get("available", 0) < 0
        if since is not None and is_negative:
            self.negative_since.setdefault(key, since)
        elif since is None and not is_negative:
            self.negative_since.pop(key, None)

    @interruptible
    def as_of(self) -> datetime | None:
        return self.known_as_of

    @interruptible
    def advance_as_of(self, cut_at: datetime) -> None:
        self.known_as_of = cut_at if self.known_as_of is None else max(self.known_as_of, cut_at)

    @interruptible
    def meet_cut(self, cut: Cut, shard_id: str, journaled: JournalPosition) -> frozenset[str]:
        met = self.cuts_met.setdefault(cut.cut_at, {})
        met.setdefault(shard_id, journaled)
        return frozenset(met)

    @interruptible
    def complete_cut(self, cut_at: datetime, now: datetime) -> None:
        self.cuts_completed.setdefault(cut_at, now)

    @interruptible
    def shard_state(self, shard_id: str) -> ShardState:
        return ShardState(
            shard_id in self.floors,
            self.floors.get(shard_id),
            frozenset(self.parked),
            self.journaled.get(shard_id, BEGINNING),
        )

    @interruptible
    def ends(self, cut_at: datetime) -> Mapping[str, JournalPosition]:
        if cut_at not in self.cuts_completed:
            raise TransientError(f"the cut of {rfc3339(cut_at)} is not known, or not complete")
        return self.journaled | self.cuts_met[cut_at]

    @interruptible
    def journaled_now(self) -> dict[str, JournalPosition]:
        return dict(self.journaled)

    @interruptible
    def park(self, names: Collection[str]) -> None:
        self.parked |= set(names)

    @interruptible
    def unpark(self, names: Collection[str]) -> None:
        self.parked -= set(names)

    @interruptible
    def move_shard(
        self,
        shard_id: str,
        seen: JournalPosition,
        closed_until: datetime | None,
        journaled: JournalPosition,
    ) -> bool:
        is_first = shard_id not in self.floors and seen == BEGINNING
        is_seen = self.journaled.get(shard_id, BEGINNING) == seen
        is_forward = is_seen and not _is_later(self.floors.get(shard_id), closed_until)
        if not (is_first or is_forward):
            return False
        self.floors[shard_id], self.journaled[shard_id] = closed_until, journaled
        return True


def _is_later(known: datetime | None, floor: datetime | None) -> bool:
    return known is not None and (floor is None or known > floor)


def _is_met(write: TableWrite, there: Mapping[str, str | int]) -> bool:
    if isinstance(write, PutMark):
        return not (write.only_if_absent and there)
    if isinstance(write, PutStanding):
        return there.get("version", 0) == write.seen
    if isinstance(write, PutNewer):
        return int(there.get("known", -1)) < write.known
    return _may_update(write, there)


def _may_update(
    write: EndBlock | NoteFound | Drop | AddCounters, there: Mapping[str, str | int]
) -> bool:
    match write:
        case EndBlock():
            return write.holds(there)
        case NoteFound():
            return there.get("version") == write.version
        case Drop():
            return True
        case AddCounters():
            return _has_enough(write, there) and _is_left(write, there)


def _is_left(write: AddCounters, there: Mapping[str, str | int]) -> bool:
    if write.at_least is not None:
        name, least = write.at_least
        if name not in there or int(there[name]) < least:
            return False
    return write.none_of is None or int(there.get(write.none_of, 0)) <= 0


def _has_enough(write: AddCounters, there: Mapping[str, str | int]) -> bool:
    if write.available_min is not None and "available" not in there:
        return False
    if write.available_min is not None and int(there["available"]) < write.available_min:
        return False
    if write.operations_count not in (None, there.get("operations_count")):
        return False
    return write.blocked_max is None or int(there.get("blocked", 0)) <= write.blocked_max
