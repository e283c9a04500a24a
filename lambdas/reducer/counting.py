"""Counts each part of a batch once, in transactions, with ends of blocks and changes of sign."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from falcon_balances.adapters.ports import BalanceStore, ConditionFailed, TryAgain, WriteOutcome
from falcon_balances.adapters.retries import delays
from falcon_balances.domain.blocks import Block, BlockStatus, ending_writes, left_over, settled
from falcon_balances.domain.errors import RejectedOperation, TransientError
from falcon_balances.domain.findings import is_notable
from falcon_balances.domain.parts import CountablePart
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import sale_effect
from falcon_balances.domain.standing import Standing, written_standings
from falcon_balances.domain.table_keys import ItemKey, is_balance
from falcon_balances.domain.table_writes import TableWrite
from falcon_balances.domain.transactions import joined, writes_of
from falcon_balances.observability import metrics
from lambdas.reducer.batch_as_read import Batch, check_same
from lambdas.reducer.ports import ReducerPorts, refuse

ATTEMPTS: Final = 6
_FIRST_DELAY_S: Final = 0.05
_KEYS_PER_GET: Final = 100  # of BatchGetItem


def count(group: Sequence[CountablePart], batch: Batch, ports: ReducerPorts) -> None:
    """Counts the uncounted parts in one transaction; conflicts and throttling are tried again."""
    # A segment is refused whole. Its first part shows whether it was counted with other contents
    # before, and is in this transaction or in an earlier one: no other part is counted before it.
    pending = [part for part in group if not batch.is_refused(part)]
    for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S):
        if not pending:
            return
        # Meanwhile a block can be made or end: then the transaction fails and everything is read
        # again. The same holds for a standing that another reducer changed: an operation's segments
        # at one merchant are all in one shard, except around a resharding.
        pending, standings = _as_they_stand(pending, batch, ports)
        outcomes = ports.store.transact(writes_of(pending, standings))
        if not outcomes:
            metrics.add_metric(name="PartsCounted", unit="Count", value=len(pending))
            for part in pending:
                batch.note_counted(part.mark.key, part.mark.attributes)
            return
        pending = _not_yet_counted(pending, outcomes, batch, ports)
        if any(isinstance(outcome, TryAgain) for outcome in outcomes):
            ports.wait(delay_s)
    if pending:
        raise TransientError(
            f"{len(pending)} of the segments were not counted in {ATTEMPTS} attempts"
        )


def note_negative(batch: Batch, ports: ReducerPorts) -> None:
    """Updates `negative_since` of all balances in this batch, whether this batch or an earlier one
    counted them.
    """
    arrived: dict[ItemKey, datetime] = {}
    for part, record in batch.parts.values():
        for key in part.additions:
            if is_balance(key):
                arrived[key] = max(arrived.get(key, record.arrived_at), record.arrived_at)
    keys = sorted(arrived)
    for start in range(0, len(keys), _KEYS_PER_GET):
        balances = ports.store.available_now(keys[start : start + _KEYS_PER_GET])
        for key, balance in balances.items():
            is_negative = balance.available < 0
            if is_negative != (balance.negative_since is not None):
                ports.store.set_negative_since(key, arrived[key] if is_negative else None)


def _as_they_stand(
    pending: Sequence[CountablePart], batch: Batch, ports: ReducerPorts
) -> tuple[list[CountablePart], list[TableWrite]]:
    """The parts with their present effects and ends of their blocks; and the standings."""
    parts = [batch.parts[part.mark.key][0] for part in pending]
    arrived = [batch.record_of(part).arrived_at for part in parts]
    by_block = {key: part for part in parts for key in part.block_keys}
    blocks, standings, operations = _companions(parts, by_block, ports.store)
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
    """One read of everything on which the parts' effects depend."""
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


def end_left_over(batch: Batch, ports: ReducerPorts) -> None:
    """Ends left-over blocks whose operations are counted, by this batch or an earlier attempt."""
    for key, part in batch.left_over.items():
        for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S):
            block = ports.store.blocks([key]).get(key)
            if block is None or block.status is not BlockStatus.ACTIVE:
                break
            at = batch.record_of(part).arrived_at
            ending = ending_writes(block, BlockStatus.SETTLED, at, part.mark.key.sk)
            if not ports.store.transact(ending):
                ports.store.set_negative_since(block.balance_key, None)
                break
            ports.wait(delay_s)
        else:
            raise TransientError(f"{key.sk} was not ended in {ATTEMPTS} attempts")


def _not_yet_counted(
    pending: Sequence[CountablePart],
    outcomes: Sequence[WriteOutcome],
    batch: Batch,
    ports: ReducerPorts,
) -> list[CountablePart]:
    """Drops parts that are counted already, and refuses those that were counted differently."""
    remaining = []
    # The marks are first in the transaction, one per part.
    for part, outcome in zip(pending, outcomes, strict=False):
        if not isinstance(outcome, ConditionFailed):
            remaining.append(part)
            continue
        try:
            check_same(part, outcome.attributes)
        except RejectedOperation as rejected:
            batch.refused.add(batch.record_of(part))
            refuse(batch.record_of(part), rejected, ports)
        else:
            batch.note_counted(part.mark.key, outcome.attributes)
            # It may have been counted from a record without its blocks.
            batch.left_over |= dict.fromkeys(part.block_keys, part)
    return [part for part in remaining if not batch.is_refused(part)]
