"""The promises of design §10 as checks over a simulated pipeline, each able to fail."""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.contracts.stream_records import SegmentRecordV1, parse_stream_record
from falcon_balances.domain.balances import fold
from falcon_balances.domain.compact_lines import lines_of_text
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.direct_operations import StagedOperation
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.identity import falcon_operation_id, fingerprint
from falcon_balances.domain.instants import quarter_of, rfc3339
from falcon_balances.domain.log_format import parse_csv_body
from falcon_balances.domain.operations import (
    PSP_STAGES,
    SIGN_BY_TYPE,
    BalanceOperation,
    OperationType,
    PspOperation,
    Segment,
    Stage,
    read_staged,
    staged,
)
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, merchant_pk
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from falcon_balances.fakes.storage import MemoryQuarantine
from falcon_balances.fakes.stream import MemoryBalanceStream
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.property.agreement import (
    check_effects_add_up,
    check_nobody_spends_what_one_side_said,
    check_standings,
)
from tests.property.pipeline import POISON, Pipeline

REVISIONS_MAX = 3
_NEXT_STATES: dict[str | None, set[str | None]] = {
    None: {None},
    PayoutState.DECIDED: {*PayoutState} - {PayoutState.REFUSED},
    PayoutState.LOGGING: {PayoutState.LOGGING, PayoutState.PAID},
    PayoutState.PAID: {PayoutState.PAID},
    PayoutState.GIVEN_UP: {PayoutState.GIVEN_UP},
    PayoutState.REFUSED: {PayoutState.REFUSED},
}


class Promises:
    """Looks on at every call of the pipeline, remembers, and never calls it itself."""

    def __init__(self) -> None:
        self.pipeline: Pipeline | None = None
        self.sent: list[tuple[Stage, bytes]] = []
        self._known: dict[tuple[Stage, bytes], StagedOperation | None] = {}
        self._claims: dict[tuple[str, str], ClaimV1] = {}
        self._conserved: set[tuple[str, str]] = set()
        self._log: dict[str, bytes] = {}
        self._arrived: dict[str, list[datetime]] = {}
        self._as_of = ""
        self._closed_until = ""
        self._closed: dict[ItemKey, dict[str, int]] = {}

    def observe(self, point: str) -> None:
        """Promises 2, 5, 6 and 10, looked at after every call that can break them."""
        match point:
            case (
                "after MemoryEventClaims.claim"
                | "after MemoryPayoutClaims.decide"
                | "after MemoryPayoutClaims.claim_return"
                | "after MemoryPayoutClaims.move"
            ):
                self._claims_never_change()
            case "after MemoryTransactionLog.append":
                self._log_is_append_only_and_after_its_claim()
            case "after MemoryBalanceStream.publish" | "after MemoryBalanceStream.put_cut":
                self._records_are_in_the_log()
            case "after MemoryBalanceStore.transact":
                self._marks_are_in_the_log()
            case "after MemoryBalanceStore.advance_as_of":
                self._as_of_is_true_and_moves_on()

    @property
    def _world(self) -> Pipeline:
        assert self.pipeline is not None
        return self.pipeline

    def _claims_never_change(self) -> None:
        claims = self._world.claims.claims
        for key, claim in self._claims.items():
            now = claims[key]
            moved = {"state", "returned", "returned_by"}
            assert now.model_dump(exclude=moved) == claim.model_dump(exclude=moved), (
                "a claim changed"
            )
            assert now.returned_by[: len(claim.returned_by)] == claim.returned_by, "a return went"
            assert now.state in _NEXT_STATES[claim.state], "a payout went back"
        self._claims = dict(claims)

    def _claimed_bodies(self) -> dict[str, str]:
        claims = self._world.claims.claims.values()
        return {
            segment.log_key: claim.body_of(segment)
            for claim in claims
            if claim.state != PayoutState.GIVEN_UP
            for segment in claim.segments
        }

    def _log_is_append_only_and_after_its_claim(self) -> None:
        objects = {key: logged.body for key, logged in self._world.log.objects.items()}
        for key, body in self._log.items():
            assert objects.get(key) == body, "the log changed"
        claimed = self._claimed_bodies()
        for key in objects.keys() - self._log.keys():
            assert claimed.get(key, "").encode() == objects[key], "logged, but not as claimed"
        self._log = objects

    def _records_are_in_the_log(self) -> None:
        for shard_id, held in self._world.stream.by_id.items():
            arrived = self._arrived.setdefault(shard_id, [])
            for record in held.records[len(arrived) :]:
                arrived.append(self._world.now)
                said = parse_stream_record(record.data)
                if isinstance(said, SegmentRecordV1):
                    logged = self._log.get(said.log_key)
                    assert logged == said.body.encode(), "on the stream before the log"

    def _marks_are_in_the_log(self) -> None:
        for mark in self._world.store.marks.values():
            if "lines" in mark:
                logged = self._log.get(str(mark["log_key"]), b"").decode()
                assert logged, "counted only"
                assert lines_of(logged) == marked_lines(str(mark["lines"])), "counted otherwise"

    def _as_of_is_true_and_moves_on(self) -> None:
        """10, and what closed windows promise: they never change again."""
        as_of = self._world.store.known_as_of
        assert as_of is not None
        assert rfc3339(as_of) >= self._as_of, "as_of went back"
        self._as_of = rfc3339(as_of)
        promised = self.arrived_before(as_of)
        assert promised <= self._world.store.marks.keys(), "as_of promised what is not counted"
        assert self._closed_before(self._closed_until) == self._closed, "a closed window changed"
        self._closed_until = rfc3339(quarter_of(as_of - timedelta(seconds=5)))
        self._closed = self._closed_before(self._closed_until)

    def arrived_before(self, instant: datetime) -> set[ItemKey]:
        """The marks of what had reached the stream by then."""
        return {
            mark
            for shard_id, held in self._world.stream.by_id.items()
            for record, arrived in zip(held.records, self._arrived.get(shard_id, ()), strict=True)
            if arrived < instant and (mark := _mark_of(record.data)) is not None
        }

    def _closed_before(self, until: str) -> dict[ItemKey, dict[str, int]]:
        """The windows of the quarters that began before."""
        return {
            key: dict(counters)
            for key, counters in self._world.store.counters.items()
            if key.sk.startswith("WINDOW#") and key.sk.split("#")[1] < until
        }

    def segments(self) -> list[Segment]:
        """The log, read back as an auditor would."""
        found = []
        for key, body in self._log.items():
            stage, merchant, _, _ = key.split("/")
            lines = lines_of(body.decode())
            found.append(Segment(Stage(stage), merchant.removeprefix("merchant_id="), 1, 1, lines))
        return found

    def check_balances_follow_marks(self) -> None:
        """2, 3 and 13 at any moment: what is counted is exactly what is marked, once."""
        marks, items = self._world.store.marks, _without_blocks(self._world.store.counters)
        marked = [
            Segment(
                read_staged(key.sk.split("#")[2])[0],
                key.pk.removeprefix("MERCHANT#"),
                1,
                1,
                marked_lines(str(mark["lines"])),
            )
            for key, mark in marks.items()
            if key.sk.startswith("OPERATION#")
        ]
        self._check_items(fold(marked))
        check_nobody_spends_what_one_side_said(marked, items)
        check_effects_add_up(marks, items)
        check_standings(marked, marks)
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
        """
        newest: dict[str, str] = {}
        seen: set[ItemKey] = set()
        for shard_id, held in self._world.stream.by_id.items():  # parents come before children
            window = max((newest[parent] for parent in held.shard.parents), default="")
            for record in held.records:
                key = _mark_of(record.data)
                mark = None if key is None else self._world.store.marks.get(key)
                if key is None or mark is None or key in seen:
                    continue
                seen.add(key)
                assert str(mark["window"]) >= window, "a window goes back within a shard"
                window = str(mark["window"])
            newest[shard_id] = window

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
            for line in marked_lines(str(mark["lines"])):
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
            kind, _, balance = key.sk.split("#", 2)
            if kind == "WINDOW":
                target = windows.setdefault(ItemKey(key.pk, f"BALANCE#{balance}"), Counter())
                target.update(counters)
            elif kind == "DAY":
                days[ItemKey(key.pk, f"BALANCE#{balance}")] += counters["operations_count"]
        summed = {key: _not_zero(counters) for key, counters in windows.items()}
        assert summed == balances, "windows do not add up to the balance"
        assert days == {key: value["operations_count"] for key, value in balances.items()}

    def check_drained(self) -> None:
        """1, 2, 4, 7 and 11, once nothing is in flight any more."""
        world = self._world
        marks = [key for key in world.store.marks if key.sk.startswith("OPERATION#")]
        assert len(marks) == len(self._log), "logged and counted differ"
        self._check_items(fold(self.segments()))
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
        replayed = ReducerPorts(store, stream, MemoryQuarantine(), wait=lambda _delay_s: None)
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


# Looked at after every step.
lines_of = lru_cache(maxsize=4096)(parse_csv_body)
marked_lines = lru_cache(maxsize=4096)(lines_of_text)


@lru_cache(maxsize=4096)
def _mark_of(data: bytes) -> ItemKey | None:
    """Where a record's segment is counted; None for what is none."""
    said = parse_stream_record(data)
    if not isinstance(said, SegmentRecordV1):
        return None
    segment = said.to_segment()
    sk = MarkKey(segment.falcon_operation_id, segment.staged).sk
    return ItemKey(merchant_pk(said.merchant_id), sk)


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
