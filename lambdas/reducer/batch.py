"""Handles one batch of one shard: counts it in transactions, journals it, then meets its cuts."""

from collections.abc import Sequence

from falcon_balances.contracts.stream_records import NewerRecordError
from falcon_balances.domain.cuts import ShardState, inherited_floor, is_complete
from falcon_balances.domain.errors import RejectedOperation, TransientError
from falcon_balances.domain.journal import JournalPosition
from falcon_balances.domain.transactions import transactions
from falcon_balances.observability import metrics
from lambdas.reducer.batch_as_read import Batch, predecessors, read
from lambdas.reducer.counting import count, end_left_over, note_negative
from lambdas.reducer.following import follow_up
from lambdas.reducer.gate import counted_windows, park
from lambdas.reducer.journaling import journal, move
from lambdas.reducer.ports import ReducerPorts, refuse
from lambdas.reducer.records import StreamRecord


def reduce_batch(shard_id: str, records: Sequence[StreamRecord], ports: ReducerPorts) -> None:
    """Counts a batch, journals it, and then meets its cuts: a cut promises that everything before
    it is counted and journaled.

    Lambda gives a shard's records in order, one batch of a shard at a time; a batch that fails is
    repeated. So every step may run twice, and none may be left out.
    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
    """
    metrics.add_metric(name="RecordsRead", unit="Count", value=len(records))
    state = _state(shard_id, ports)
    contents = [read(record) for record in records]
    counted = counted_windows(set(predecessors(contents)), ports.store)
    batch = Batch(state.closed_until, counted)
    not_ours: list[tuple[StreamRecord, RejectedOperation]] = []
    for record, content in zip(records, contents, strict=True):
        try:
            batch.add(record, content)
        except RejectedOperation as rejected:
            not_ours.append((record, rejected))
        except NewerRecordError as newer:
            batch.parked.append((record, str(newer)))
    batch.hold_back()
    batch.continue_begun(ports.store)
    for group in transactions(part for part, _ in batch.parts.values()):
        count(group, batch, ports)
    end_left_over(batch, ports)
    note_negative(batch, ports)
    follow_up(batch, ports.store, ports.wait)
    # Only after counting: otherwise a repeated batch would refuse the same records each time.
    for record, why in not_ours:
        refuse(record, why, ports)
    # Before the cuts: once a cut is complete, readers take its quarters as closed and their journal
    # as complete, so no later batch of this shard can count into them.
    journaled = journal(shard_id, batch, state, ports)
    if not _still_parked(batch, state, ports):
        _meet_cuts(shard_id, batch, journaled, ports)


def _still_parked(batch: Batch, state: ShardState, ports: ReducerPorts) -> bool:
    """Forgets parked records that are counted now, and records new ones that wait."""
    parked = park(batch.parked, state.parked, ports.store, ports.quarantine)
    met_again = batch.met_again(parked)
    if met_again:
        ports.store.unpark(met_again)
    return parked != met_again


def _meet_cuts(
    shard_id: str, batch: Batch, journaled: JournalPosition, ports: ReducerPorts
) -> None:
    for cut in batch.cuts:
        if is_complete(cut, ports.store.meet_cut(cut, shard_id, journaled)):
            ports.store.advance_as_of(cut.cut_at)
            ports.store.complete_cut(cut.cut_at, ports.now())


def _state(shard_id: str, ports: ReducerPorts) -> ShardState:
    """The time until which quarters are closed in the shard; for a new shard, the newest of its
    parents.
    """
    state = ports.store.shard_state(shard_id)
    if state.is_known:
        return state
    try:
        floor = inherited_floor(shard_id, ports.stream.shards(), ports.store.shard_state)
    except ValueError as error:
        raise TransientError(str(error)) from error
    begun = state._replace(closed_until=floor)
    move(shard_id, state, begun, ports.store)
    return begun
