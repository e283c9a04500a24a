"""One batch of one shard: read, counted in transactions, and only then its cuts met."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import sleep
from typing import Final

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.ports import (
    BalanceStore,
    BalanceStream,
    ConditionFailed,
    Quarantine,
    QuarantinedBody,
    ShardState,
    TryAgain,
    WriteOutcome,
)
from falcon_balances.contracts.stream_records import (
    CutRecordV1,
    NewerRecordError,
    parse_stream_record,
)
from falcon_balances.domain.blocks import Block, BlockStatus, ending_writes, left_over, settled
from falcon_balances.domain.counting import ItemKey, TableWrite, is_balance
from falcon_balances.domain.cuts import Cut, closed_until, is_believable, newest, window_of
from falcon_balances.domain.errors import RejectedOperation, RejectionCode, TransientError
from falcon_balances.domain.findings import is_notable
from falcon_balances.domain.parts import (
    ArrivedSegment,
    CountablePart,
    countable_parts,
    joined,
    transactions,
    writes_of,
)
from falcon_balances.domain.sales import SaleOperation, sale_effect
from falcon_balances.domain.standing import Standing, written_standings
from falcon_balances.observability import logger, metrics
from lambdas.reducer.following import First, follow_up
from lambdas.reducer.gate import Awaiting, awaiting, park, without_predecessor
from lambdas.reducer.records import StreamRecord

ATTEMPTS: Final = 6
_FIRST_DELAY_S: Final = 0.05
_KEYS_PER_GET: Final = 100  # of BatchGetItem
_SAID_BY_THE_RECORD: Final = ("fingerprint", "log_key", "lines", "corrects")


@dataclass(frozen=True, slots=True)
class World:
    """What the reducer works on."""

    store: BalanceStore
    stream: BalanceStream
    quarantine: Quarantine
    wait: Callable[[float], object] = sleep
    now: Callable[[], datetime] = utc_now


@dataclass(slots=True)
class Batch:
    """A batch as read: what to count, each part once, the cuts met, and the floor after them.

    `left_over` are blocks of operations counted here that lie on balances that those do not touch.
    """

    floor: datetime | None
    parts: dict[ItemKey, tuple[CountablePart, StreamRecord]] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)
    refused: set[StreamRecord] = field(default_factory=set)
    left_over: dict[ItemKey, CountablePart] = field(default_factory=dict)
    firsts: list[First] = field(default_factory=list)
    to_look_at: dict[ItemKey, datetime] = field(default_factory=dict)
    """Standings that may not fit, and when what touched them reached the stream."""
    revisions: dict[ItemKey, Awaiting] = field(default_factory=dict)
    parked: list[tuple[StreamRecord, str]] = field(default_factory=list)

    def record_of(self, part: CountablePart) -> StreamRecord:
        return self.parts[part.mark.key][1]

    def is_refused(self, part: CountablePart) -> bool:
        return self.record_of(part) in self.refused

    def is_refused_at(self, mark_key: ItemKey) -> bool:
        """Or held back, to be parked."""
        return mark_key not in self.parts or self.is_refused(self.parts[mark_key][0])

    def counted(self) -> Iterator[tuple[CountablePart, datetime]]:
        """With when each reached the stream; counted by this batch or before it."""
        for part, record in self.parts.values():
            if record not in self.refused:
                yield part, record.arrived_at

    def add(self, record: StreamRecord) -> None:
        """Raises RejectedOperation for a record that is not ours."""
        ours = parse_stream_record(record.data)
        if isinstance(ours, CutRecordV1):
            cut = ours.to_cut()
            if not is_believable(cut, record.arrived_at):
                raise RejectedOperation(
                    RejectionCode.RECORD, "cut_at, shards: not a cut that the cutter can have sent"
                )
            self.floor = newest([self.floor, closed_until(cut.cut_at)])
            self.cuts.append(cut)
            return
        segment = ours.to_segment()
        # What it adds depends on what was counted before it in this shard: so no later record may
        # go into an earlier quarter, though arrival times can go back.
        self.floor = window = window_of(record.arrived_at, self.floor)
        arrived = ArrivedSegment(
            segment,
            window,
            ours.log_key,
            ours.fingerprint,
            corrects=ours.corrects,
            blocks=tuple(Block.key_of(segment.merchant_id, each) for each in ours.blocks),
            sale=tuple(each.to_part() for each in ours.sale),
        )
        waiting = awaiting(record, ours, segment, self.parts)
        parts = list(countable_parts(arrived))
        for part in parts:
            first, _ = self.parts.get(part.mark.key, (part, record))
            _check_same(part, first.mark.attributes)
        if waiting is not None:
            self._await(waiting)
        for part in parts:
            first, its_record = self.parts.setdefault(part.mark.key, (part, record))
            if not first.block_keys:  # published before by a later revision, which knows of none
                again = replace(first, block_keys=part.block_keys)
                self.parts[part.mark.key] = (again, its_record)
        if ours.settled is not None or ours.contradiction is not None:
            self.firsts.append(First(segment, ours.settled, ours.contradiction, record))

    def _await(self, waiting: Awaiting) -> None:
        """Of the same revision twice, the one behind its predecessor is counted, in its place."""
        earlier = self.revisions.get(waiting.mark)
        if earlier is None:
            self.revisions[waiting.mark] = waiting
        elif waiting.is_behind and not earlier.is_behind:
            self.parts = _without({earlier.record}, self.parts)
            del self.revisions[waiting.mark]
            # What was behind the record that goes is before the one that takes its place.
            for mark, each in self.revisions.items():
                if each.predecessor == waiting.mark:
                    self.revisions[mark] = each._replace(is_behind=False)
            self.revisions[waiting.mark] = waiting

    def hold_back(self, store: BalanceStore) -> None:
        """Revisions that cannot be counted yet leave the batch, to be parked."""
        held = without_predecessor(list(self.revisions.values()), store)
        self.parked += [
            (each.record, "after: the revision that it names is not counted yet") for each in held
        ]
        self.parts = _without({each.record for each in held}, self.parts)

    def met_again(self, parked: frozenset[str]) -> frozenset[str]:
        """Of what was parked, the records that are counted with this batch."""
        if not parked:
            return frozenset()
        return parked & {record.name for _, record in self.parts.values()}


Parts = dict[ItemKey, tuple[CountablePart, StreamRecord]]


def _without(records: Collection[StreamRecord], parts: Parts) -> Parts:
    return {key: each for key, each in parts.items() if each[1] not in records}


def reduce_batch(shard_id: str, records: Sequence[StreamRecord], world: World) -> None:
    """Count everything before meeting any cut: a cut says that all before it is in."""
    metrics.add_metric(name="RecordsRead", unit="Count", value=len(records))
    state = _state(shard_id, world)
    batch = Batch(state.closed_until)
    not_ours: list[tuple[StreamRecord, RejectedOperation]] = []
    for record in records:
        try:
            batch.add(record)
        except RejectedOperation as rejected:
            not_ours.append((record, rejected))
        except NewerRecordError as newer:
            batch.parked.append((record, str(newer)))
    batch.hold_back(world.store)
    for group in transactions(part for part, _ in batch.parts.values()):
        _count(group, batch, world)
    _end_left_over(batch, world)
    _note_negative(batch, world)
    follow_up(batch, world.store, world.wait)
    # Only now: a batch that is repeated until it is counted should not refuse again each time.
    for record, why in not_ours:
        _refuse(record, why, world)
    if batch.floor != state.closed_until:
        world.store.raise_shard_floor(shard_id, batch.floor)
    if not _still_parked(batch, state, world):
        _meet_cuts(shard_id, batch, world)


def _still_parked(batch: Batch, state: ShardState, world: World) -> bool:
    """What was parked and is counted now is forgotten; what has to wait now is noted."""
    parked = park(batch.parked, state.parked, world.store, world.quarantine)
    met_again = batch.met_again(parked)
    if met_again:
        world.store.unpark(met_again)
    return parked != met_again


def _meet_cuts(shard_id: str, batch: Batch, world: World) -> None:
    for cut in batch.cuts:
        if world.store.meet_cut(cut, shard_id).issuperset(cut.shards):
            world.store.advance_as_of(cut.cut_at)
            world.store.complete_cut(cut.cut_at, world.now())


def _state(shard_id: str, world: World) -> ShardState:
    """Until when quarters are closed here: for a new shard, the newest that its parents closed."""
    state = world.store.shard_state(shard_id)
    if state.is_known:
        return state
    parents = {shard.shard_id: shard.parents for shard in world.stream.shards()}
    if shard_id not in parents:
        raise TransientError(f"the stream has no shard {shard_id}")
    pending = list(parents[shard_id])
    floors: list[datetime | None] = []
    while pending:
        parent = pending.pop()
        of_parent = world.store.shard_state(parent)
        floors.append(of_parent.closed_until)
        if (
            not of_parent.is_known
        ):  # it held nothing that a reducer ever saw: its own parents speak for it
            pending.extend(parents.get(parent, ()))
    world.store.raise_shard_floor(shard_id, newest(floors))
    return state._replace(closed_until=newest(floors))


def _count(group: Sequence[CountablePart], batch: Batch, world: World) -> None:
    """In one transaction what is not counted yet; conflicts and throttles are tried again."""
    # Refused whole: of a segment in several parts, only the first may have a counterpart. It is in
    # the same transaction as the others or in one before theirs.
    pending = [part for part in group if not batch.is_refused(part)]
    for attempt in range(ATTEMPTS):
        if not pending:
            return
        # A block may come or end meanwhile: then the transaction fails, and it is read again.
        # So it is with a standing that another reducer has moved.
        pending, standings = _as_they_stand(pending, batch, world)
        outcomes = world.store.transact(writes_of(pending, standings))
        if not outcomes:
            metrics.add_metric(name="PartsCounted", unit="Count", value=len(pending))
            return
        pending = _not_yet_counted(pending, outcomes, batch, world)
        if any(isinstance(outcome, TryAgain) for outcome in outcomes):
            world.wait(_FIRST_DELAY_S * 2**attempt)
    if pending:
        raise TransientError(
            f"{len(pending)} of the segments were not counted in {ATTEMPTS} attempts"
        )


def _note_negative(batch: Batch, world: World) -> None:
    """Since when `available` is below zero: of what this batch says, counted by it or before it."""
    arrived: dict[ItemKey, datetime] = {}
    for part, record in batch.parts.values():
        for key in part.additions:
            if is_balance(key):
                arrived[key] = max(arrived.get(key, record.arrived_at), record.arrived_at)
    keys = sorted(arrived)
    for start in range(0, len(keys), _KEYS_PER_GET):
        balances = world.store.available_now(keys[start : start + _KEYS_PER_GET])
        for key, balance in balances.items():
            is_negative = balance.available < 0
            if is_negative != (balance.negative_since is not None):
                world.store.set_negative_since(key, arrived[key] if is_negative else None)


def _as_they_stand(
    pending: Sequence[CountablePart], batch: Batch, world: World
) -> tuple[list[CountablePart], list[TableWrite]]:
    """Each with what it adds now, and the end of the block that was made for it; and standings."""
    parts = [batch.parts[part.mark.key][0] for part in pending]
    arrived = [batch.record_of(part).arrived_at for part in parts]
    by_block = {key: part for part in parts for key in part.block_keys}
    blocks, standings, operations = _companions(parts, by_block, world.store)
    counted, writes = joined(parts, standings)
    for standing in (*standings.values(), *written_standings(writes)):
        if is_notable(standing):
            batch.to_look_at[standing.key] = max(arrived)
    effect = sale_effect((each for part in parts for each in part.sale_parts), operations)
    counted = settled(counted, blocks, arrived)
    batch.left_over |= {
        block.key: by_block[block.key] for block in left_over(counted, blocks.values())
    }
    return counted, [*writes, *effect.writes()]


def _companions(
    parts: Sequence[CountablePart], blocks: Collection[ItemKey], store: BalanceStore
) -> tuple[Mapping[ItemKey, Block], Mapping[ItemKey, Standing], Mapping[ItemKey, SaleOperation]]:
    """One read of all that what the parts add depends on."""
    standings = {part.change.key for part in parts if part.change is not None}
    staged = (each.operation_item for part in parts for each in part.sale_parts)
    operations = {key for key in staged if key is not None}
    found = store.items([*blocks, *standings, *operations])
    return (
        {key: Block.from_attributes(key, said) for key, said in found.items() if key in blocks},
        {
            key: Standing.from_attributes(key, said)
            for key, said in found.items()
            if key in standings
        },
        {
            key: SaleOperation.from_attributes(key, said)
            for key, said in found.items()
            if key in operations
        },
    )


def _end_left_over(batch: Batch, world: World) -> None:
    """Once their operations are counted, whether now or by an attempt before this one."""
    for key, part in batch.left_over.items():
        for attempt in range(ATTEMPTS):
            block = world.store.blocks([key]).get(key)
            if block is None or block.status is not BlockStatus.ACTIVE:
                break
            at = batch.record_of(part).arrived_at
            ending = ending_writes(block, BlockStatus.SETTLED, at, part.mark.key.sk)
            if not world.store.transact(ending):
                world.store.set_negative_since(block.balance_key, None)
                break
            world.wait(_FIRST_DELAY_S * 2**attempt)
        else:
            raise TransientError(f"{key.sk} was not ended in {ATTEMPTS} attempts")


def _not_yet_counted(
    pending: Sequence[CountablePart],
    outcomes: Sequence[WriteOutcome],
    batch: Batch,
    world: World,
) -> list[CountablePart]:
    """What is counted already is dropped, and refused if it was counted as something else."""
    remaining = []
    # The marks come first in the transaction, one for each part.
    for part, outcome in zip(pending, outcomes, strict=False):
        if not isinstance(outcome, ConditionFailed):
            remaining.append(part)
            continue
        try:
            _check_same(part, outcome.attributes)
        except RejectedOperation as rejected:
            batch.refused.add(batch.record_of(part))
            _refuse(batch.record_of(part), rejected, world)
        else:
            # It may have been counted by a record that did not know of its blocks.
            batch.left_over |= dict.fromkeys(part.block_keys, part)
    return [part for part in remaining if not batch.is_refused(part)]


def _check_same(part: CountablePart, there: Mapping[str, str | int]) -> None:
    """What is counted stays; what says otherwise under the same identity is not ours."""
    attributes = part.mark.attributes
    if any(attributes.get(name) != there.get(name) for name in _SAID_BY_THE_RECORD):
        raise RejectedOperation(
            RejectionCode.RECORD,
            "record: differs from the segment that was counted under this identity",
        )


def _refuse(record: StreamRecord, rejected: RejectedOperation, world: World) -> None:
    logger.error("record refused", code=rejected.code, reason=rejected.reason)
    metrics.add_metric(name="RecordsRefused", unit="Count", value=1)
    world.quarantine.put(
        QuarantinedBody("stream", record.data, rejected.code, rejected.reason, record.arrived_at)
    )
