"""The promises of design §10 as checks over a simulated pipeline, each able to fail."""

import json
from collections import Counter
from collections.abc import Mapping
from hashlib import sha256

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.balances import fold
from falcon_balances.domain.direct_operations import StagedOperation
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.operations import (
    PSP_STAGES,
    SIGN_BY_TYPE,
    BalanceOperation,
    OperationType,
    PspOperation,
    Stage,
    read_staged,
    staged,
)
from falcon_balances.domain.past_keys import WindowKey
from falcon_balances.domain.table_keys import BalanceKey, DayKey, ItemKey, merchant_pk
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.journal import MemoryJournal
from falcon_balances.fakes.storage import MemoryQuarantine
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.journals import check_closed
from tests.property.agreement import (
    check_effects_add_up,
    check_nobody_spends_what_one_side_said,
    check_standings,
)
from tests.property.observing import Observed, mark_of, marked, revised_by
from tests.property.pipeline import POISON

REVISIONS_MAX = 3


class Promises(Observed):
    """What must hold between two calls, and once all is counted."""

    def check_balances_follow_marks(self) -> None:
        """2, 3 and 13 at any moment: what is counted is exactly what is marked, once."""
        marks, items = self._world.store.marks, _without_blocks(self._world.store.counters)
        segments = [
            marked(key, mark) for key, mark in marks.items() if key.sk.startswith("OPERATION#")
        ]
        self._check_items(fold(segments))
        check_nobody_spends_what_one_side_said(segments, items)
        check_effects_add_up(marks, items)
        check_standings(segments, marks)
        self._windows_never_go_back()
        self._check_late()
        for key in self._claims.keys() - self._conserved:  # a claim never changes
            claim = self._claims[key]
            if claim.stage in PSP_STAGES:
                operation = self._operation_of(claim)
                assert isinstance(operation, PspOperation)
                _check_conservation(self._lines_until(claim), operation)
            self._conserved.add(key)

    def _lines_until(self, claim: ClaimV1) -> list[BalanceOperation]:
        """Of all merchants, of this revision and those before it."""
        earlier = (
            self._claims[claim.falcon_operation_id, staged(claim.stage, revision)]
            for revision in range(1, claim.revision + 1)
        )
        return [
            line for each in earlier for segment in each.segments for line in each.lines_of(segment)
        ]

    def _windows_never_go_back(self) -> None:
        """Within a shard and from it to its children: what a segment adds depends on what was
        counted before it, so that must lie in no later quarter.

        A revision that came before the one that it revises is counted at any later record, but in
        no earlier quarter than that one.
        """
        newest: dict[str, str] = {}
        seen: set[ItemKey] = set()
        early: dict[ItemKey, ItemKey] = {}
        marks = self._world.store.marks
        for shard_id, held in self._world.stream.by_id.items():  # parents come before children
            window = max((newest[parent] for parent in held.shard.parents), default="")
            for record in held.records:
                key = mark_of(record.data)
                if key is None or key not in marks or key in seen | early.keys():
                    continue
                revised = revised_by(record.data)
                if revised is not None and revised not in seen:
                    early[key] = revised
                    continue
                seen.add(key)
                said = str(marks[key]["window"])
                assert said >= window, "a window goes back within a shard"
                window = said
            newest[shard_id] = window
        for key, revised in early.items():
            before = str(marks[revised]["window"])
            assert str(marks[key]["window"]) >= before, "a window goes back from a revision to it"

    def _check_late(self) -> None:
        """An operation is late when it was counted after the month that it is booked in."""
        noted: set[ItemKey] = set()
        sums: dict[ItemKey, Counter[str]] = {}
        for key, mark in self._world.store.marks.items():
            order = str(mark.get("counted_order", ""))
            booked = order.partition("#")[2]
            if order[:7] <= booked[:7]:
                continue
            noted.add(ItemKey(key.pk, f"LATE#{booked[:7]}#{order}"))
            stage, _ = read_staged(key.sk.split("#")[2])
            for line in marked(key, mark).lines:
                balance = f"{line.balance_shop_id}#{line.currency.code}"
                day = sums.setdefault(ItemKey(key.pk, f"DAY#{booked[:10]}#{balance}"), Counter())
                day[f"late_{stage}_{line.type}"] += line.amount.minor
        counters = self._world.store.counters
        assert {key for key in counters if key.sk.startswith("LATE#")} == noted
        days = {
            key: {name: value for name, value in item.items() if name.startswith("late_")}
            for key, item in counters.items()
        }
        assert {key: day for key, day in days.items() if day} == sums, "late, but not in its day"

    def _operation_of(self, claim: ClaimV1) -> StagedOperation:
        """The event that was sent and that this claim says it is about."""
        return next(
            operation
            for stage, body in self.sent
            if (operation := self._parsed(stage, body)) is not None
            and fingerprint(operation) == claim.fingerprint
        )

    def _check_items(self, expected: dict[tuple[str, str, str], dict[str, int]]) -> None:
        items = _without_blocks(self._world.store.counters)
        balances = {
            key: _not_zero(value) for key, value in items.items() if key.sk.startswith("BALANCE#")
        }
        assert balances == {
            ItemKey(merchant_pk(merchant), BalanceKey(shop, currency).sk): _not_zero(counters)
            for (merchant, shop, currency), counters in expected.items()
        }
        windows: dict[ItemKey, Counter[str]] = {}
        days: Counter[ItemKey] = Counter()
        for key, counters in items.items():
            kind = key.sk.partition("#")[0]
            if kind == "WINDOW":
                balance = WindowKey.parse(key.sk).balance
                windows.setdefault(ItemKey(key.pk, balance.sk), Counter()).update(counters)
            elif kind == "DAY":
                balance = DayKey.parse(key.sk).balance
                days[ItemKey(key.pk, balance.sk)] += counters["operations_count"]
        summed = {key: _not_zero(counters) for key, counters in windows.items()}
        assert summed == balances, "windows do not add up to the balance"
        assert days == {key: value["operations_count"] for key, value in balances.items()}

    def check_drained(self) -> None:
        """1, 2, 4, 7 and 11, once nothing is in flight any more."""
        world = self._world
        marks = [key for key in world.store.marks if key.sk.startswith("OPERATION#")]
        assert len(marks) == len(self._log), "logged and counted differ"
        self._check_items(fold(self.segments()))
        if world.store.known_as_of is not None:
            check_closed(world.store, world.places.journal, world.store.known_as_of)
        assert self._claimed_bodies().keys() == self._log.keys(), "claimed, but not logged"
        refused = {key.rsplit("/", 1)[-1] for key in world.quarantine.bodies}
        dead = {m.body for queue in world.queues.values() for m in queue.dead.values()}
        for stage, body in self.sent:
            if POISON.encode() in body:
                assert body in dead, "a poison message is neither dead nor alive"
            elif not self._is_counted(stage, body):
                assert sha256(body).hexdigest() in refused, "a message is lost"
        assert all(POISON.encode() in body for body in dead), "a good message was held up"

    def check_replay(self) -> None:
        """7: the stream's records backwards and twice, by another machine: the same balances.

        What waits for a revision before it is sent again; the longest chain has three.
        """
        world = self._world
        stream = MemoryBalanceStream(lambda: world.now, shard_count=1)
        store = MemoryBalanceStore()
        records = [
            StreamRecord(record.data, record.arrived_at)
            for held in world.stream.by_id.values()
            for record in reversed(held.records)
        ]
        replayed = ReducerPorts(
            store, stream, MemoryQuarantine(), MemoryJournal(), wait=lambda _delay_s: None
        )
        for _ in range(REVISIONS_MAX):
            reduce_batch(next(iter(stream.by_id)), records * 2, replayed)
        assert store.parked == set(), "counted, but parked as well"
        counted = _without_windows(_without_blocks(world.store.counters))
        assert _without_windows(_without_blocks(store.counters)) == counted
        check_standings(self.segments(), store.marks)

    def _is_counted(self, stage: Stage, body: bytes) -> bool:
        operation = self._parsed(stage, body)
        if operation is None:
            return False
        revision = operation.revision if isinstance(operation, PspOperation) else 1
        claim = self._claims.get((falcon_operation_id(operation), staged(stage, revision)))
        return claim is not None and claim.fingerprint == fingerprint(operation)

    def _parsed(self, stage: Stage, body: bytes) -> StagedOperation | None:
        if (stage, body) not in self._known:
            try:
                said = parse_message(body, stage, mode="test", sent_at=self._world.now)
            except RejectedOperation:
                said = None
            self._known[stage, body] = said
        return self._known[stage, body]


def _without_windows(items: dict[ItemKey, dict[str, int]]) -> dict[ItemKey, dict[str, int]]:
    """Windows say when something was counted, and whether that was late: no replay repeats it."""
    return {
        key: {
            name: value
            for name, value in counters.items()
            if value and not name.startswith("late_")
        }
        for key, counters in items.items()
        if not key.sk.startswith(("WINDOW#", "LATE#"))
    }


def _not_zero(counters: Mapping[str, int]) -> dict[str, int]:
    return {name: value for name, value in counters.items() if value}


def _without_blocks(items: dict[ItemKey, dict[str, int]]) -> dict[ItemKey, dict[str, int]]:
    """What the log says: money that is set aside is still there."""
    plain = {}
    for key, counters in items.items():
        counted = dict(counters)
        if "blocked" in counted:
            counted["available"] = counted.get("available", 0) + counted.pop("blocked")
        if key.sk.startswith("SALE#"):
            del counted["version"]
            for name in [each for each in counted if each.endswith("_set_aside")]:
                left = f"{name.partition('_')[0]}_left"
                counted[left] = counted.get(left, 0) + counted.pop(name)
        plain[key] = counted
    return plain


def _check_conservation(lines: list[BalanceOperation], operation: PspOperation) -> None:
    """3: over all revisions the legs add up to what the event says now; marketplace fees cancel
    out. A first revision has a leg for each split.
    """
    legs = [line for line in lines if line.type is operation.type]
    if operation.revision == 1:
        assert len(legs) == max(1, len(operation.splits))
    signed = SIGN_BY_TYPE[operation.type] * operation.amount.minor
    assert sum(line.amount.minor for line in legs) == signed, "money came or went"
    others = [line for line in lines if line.type is not operation.type]
    assert {line.type for line in others} <= {OperationType.PSP_FEE, OperationType.MARKETPLACE_FEE}
    fees = [line.amount.minor for line in others if line.type is OperationType.MARKETPLACE_FEE]
    assert sum(fees) == 0
    assert len({line.uuid for line in lines}) == len(lines)


def dump(document: dict[str, object]) -> bytes:
    return json.dumps(document).encode()
