"""What is looked at after each call of a simulated pipeline that can break a promise."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.stream_records import SegmentRecordV1, parse_stream_record
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.direct_operations import StagedOperation
from falcon_balances.domain.instants import quarter_of, rfc3339
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.domain.log_format import parse_csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.marked_segments import marked_segment
from falcon_balances.domain.operations import (
    Segment,
    Stage,
)
from falcon_balances.domain.past_keys import WINDOW_KEYS, WindowKey
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.table_keys import ItemKey, merchant_pk
from lambdas.reducer.gate import predecessor_of
from tests.journals import check_closed
from tests.property.pipeline import Pipeline

_NEXT_STATES: dict[str | None, set[str | None]] = {
    None: {None},
    PayoutState.DECIDED: {*PayoutState} - {PayoutState.REFUSED},
    PayoutState.LOGGING: {PayoutState.LOGGING, PayoutState.PAID},
    PayoutState.PAID: {PayoutState.PAID},
    PayoutState.GIVEN_UP: {PayoutState.GIVEN_UP},
    PayoutState.REFUSED: {PayoutState.REFUSED},
}


class Observed:
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
        self._journaled_until: datetime | None = None
        self._positions: Mapping[str, JournalPosition] = {}

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
        for key, mark in self._world.store.marks.items():
            if "lines" in mark:
                segment = marked(key, mark)
                logged = self._log.get(log_key(segment), b"").decode()
                assert logged, "counted only"
                assert lines_of(logged) == segment.lines, "counted otherwise"

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
        self._journal_is_complete(as_of)

    def _journal_is_complete(self, as_of: datetime) -> None:
        """5 and 14: whoever reads a quarter as soon as it is closed reads all of it, and only what
        is new.
        """
        store, journal = self._world.store, self._world.places.journal
        since, starts = self._journaled_until, self._positions
        self._positions = check_closed(store, journal, as_of, since, starts)
        self._journaled_until = closed_until(as_of)

    def arrived_before(self, instant: datetime) -> set[ItemKey]:
        """The marks of what had reached the stream by then."""
        return {
            mark
            for shard_id, held in self._world.stream.by_id.items()
            for record, arrived in zip(held.records, self._arrived.get(shard_id, ()), strict=True)
            if arrived < instant and (mark := mark_of(record.data)) is not None
        }

    def _closed_before(self, until: str) -> dict[ItemKey, dict[str, int]]:
        """The windows of the quarters that began before."""
        return {
            key: dict(counters)
            for key, counters in self._world.store.counters.items()
            if key.sk.startswith(WINDOW_KEYS) and WindowKey.parse(key.sk).start < until
        }

    def segments(self) -> list[Segment]:
        """The log, read back as an auditor would."""
        found = []
        for key, body in self._log.items():
            stage, merchant, _, _ = key.split("/")
            lines = lines_of(body.decode())
            found.append(Segment(Stage(stage), merchant.removeprefix("merchant_id="), 1, 1, lines))
        return found


# Looked at after every step.
lines_of = lru_cache(maxsize=4096)(parse_csv_body)


@lru_cache(maxsize=4096)
def _marked(key: ItemKey, attributes: frozenset[tuple[str, str | int]]) -> Segment:
    return marked_segment(key, dict(attributes))


def marked(key: ItemKey, attributes: Mapping[str, str | int]) -> Segment:
    return _marked(key, frozenset(attributes.items()))


@lru_cache(maxsize=4096)
def mark_of(data: bytes) -> ItemKey | None:
    """Where a record's segment is counted; None for what is none."""
    said = parse_stream_record(data)
    if not isinstance(said, SegmentRecordV1):
        return None
    segment = said.to_segment()
    sk = MarkKey(segment.falcon_operation_id, segment.staged).sk
    return ItemKey(merchant_pk(said.merchant_id), sk)


def revised_by(data: bytes) -> ItemKey | None:
    """The mark of the revision that must be counted before a record's; None if there is none."""
    if b'"after":' not in data:
        return None
    said = parse_stream_record(data)
    return predecessor_of(said, said.to_segment()) if isinstance(said, SegmentRecordV1) else None
