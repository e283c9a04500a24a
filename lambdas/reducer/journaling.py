"""Writes what a batch counted to the shard's journal, and moves the shard forward."""

from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.contracts.journal_pages import written
from falcon_balances.domain.cuts import ShardState
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.journal import JournalPage, JournalPosition
from falcon_balances.observability import metrics
from lambdas.reducer.batch_as_read import Batch
from lambdas.reducer.ports import ReducerPorts


def journal(shard_id: str, batch: Batch, state: ShardState, ports: ReducerPorts) -> JournalPosition:
    """Journals the counted segments of a batch, also those that an earlier attempt counted: it may
    have ended before it journaled them. Returns how far the shard is journaled.

    At most one page and one write. The page comes first: a page that no item names is not read.
    """
    entries = tuple(batch.journal_entries())
    position = state.journaled
    if entries and batch.begun is not None:
        page = written(
            JournalPage(shard_id, position.number + 1, position.digest, entries, batch.begun)
        )
        ports.journal.write(page)
        metrics.add_metric(name="SegmentsJournaled", unit="Count", value=len(entries))
        position = page.name.position
    moved = state._replace(closed_until=batch.floor, journaled=position)
    if moved != state:
        move(shard_id, state, moved, ports.store)
    return position


def move(shard_id: str, seen: ShardState, moved: ShardState, store: BalanceStore) -> None:
    """Moves the shard. Raises TransientError if another function has handled it since `seen`."""
    if store.move_shard(shard_id, seen.journaled, moved.closed_until, moved.journaled):
        return
    # An answer may have been lost: then our own write is there.
    there = store.shard_state(shard_id)
    if (there.closed_until, there.journaled) != (moved.closed_until, moved.journaled):
        raise TransientError(f"{shard_id}: another reducer has handled it meanwhile")
