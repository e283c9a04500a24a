"""Sets money aside and releases it: one transaction, repeated only after conflicts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from time import sleep
from typing import Final

from falcon_balances.adapters.ports import BalanceStore, ConditionFailed, TryAgain, WriteOutcome
from falcon_balances.adapters.retries import delays
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    LoggedMoney,
    Purpose,
    block_writes,
    ending_writes,
    spendable,
)
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.table_writes import PutMark

ATTEMPTS: Final = 12
Wait = Callable[[float], object]


class BlockConflictError(Exception):
    """The request contradicts the present state. `field`: the field that contradicts. `block`: the
    block in its present state.
    """

    def __init__(self, field: str, detail: str, block: Block | None = None) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail
        self.block = block


def request_block(
    block: Block,
    store: BalanceStore,
    read_log: Callable[[], LoggedMoney] | None = None,
    wait: Wait = sleep,
) -> Block:
    """The block under this key, granted now or by an earlier request.

    One transaction; a second one records a refusal for lack of money. `read_log` is given for
    merchants of high risk. Raises BlockConflictError if the key was used for something else, or if
    the refund is already counted.
    """
    for delay_s in contention_delays():
        logged = None if read_log is None else read_log()
        outcomes = store.transact(block_writes(block, logged))
        if not outcomes:
            return block
        decided = _decided(block, outcomes, logged, store)
        if decided is not None:
            return decided
        wait(delay_s)
    raise TransientError(
        f"block {block.block_id}: gave up after {ATTEMPTS} conflicting transactions"
    )


def _decided(
    block: Block, outcomes: Sequence[WriteOutcome], logged: LoggedMoney | None, store: BalanceStore
) -> Block | None:
    """The decision; None if nothing is decided and the request must be tried again."""
    there, short, *counted = outcomes
    if isinstance(there, ConditionFailed):
        return _same(block, Block.from_attributes(block.key, there.attributes))
    if any(isinstance(each, ConditionFailed) for each in counted):
        raise BlockConflictError("external_reference", "this refund was already counted")
    if isinstance(short, ConditionFailed):
        available = spendable(short.attributes, logged)
        if available is not None and available < block.amount:
            refused = replace(block, status=BlockStatus.REFUSED, available=available)
            return _refuse(refused, store)
    return None


def _refuse(refused: Block, store: BalanceStore) -> Block | None:
    """Refuses for ever under this key: a retry must not be granted after the caller was told no."""
    outcomes = store.transact([PutMark(refused.key, refused.attributes())])
    if not outcomes:
        return refused
    if isinstance(outcomes[0], ConditionFailed):
        return _same(refused, Block.from_attributes(refused.key, outcomes[0].attributes))
    return None


def _same(asked: Block, there: Block) -> Block:
    field = asked.differs_from(there)
    if field is not None:
        raise BlockConflictError(field, "this key was already used with a different value", there)
    return there


def release(block: Block, by: str, now: datetime, store: BalanceStore, wait: Wait = sleep) -> Block:
    """Releases a block; idempotent.

    Raises BlockConflictError for a payout's block, and for a block that has ended otherwise.
    """
    for delay_s in contention_delays():
        if block.purpose is Purpose.PAYOUT:
            raise BlockConflictError(
                "purpose", "a payout's block cannot be released: it ends with its payout", block
            )
        if block.status is BlockStatus.RELEASED:
            return block
        if block.status is not BlockStatus.ACTIVE:
            raise BlockConflictError("status", f"the block is already {block.status}", block)
        outcomes = store.transact(ending_writes(block, BlockStatus.RELEASED, now, by))
        if not outcomes:
            store.set_negative_since(block.balance_key, None)
            return replace(block, status=BlockStatus.RELEASED, ended_at=now, ended_by=by)
        if isinstance(outcomes[0], ConditionFailed):
            block = Block.from_attributes(block.key, outcomes[0].attributes)
        elif any(isinstance(outcome, TryAgain) for outcome in outcomes):
            wait(delay_s)
    raise TransientError(
        f"release of {block.block_id}: gave up after {ATTEMPTS} conflicting transactions"
    )


def contention_delays() -> Iterator[float]:
    """Delays for many concurrent callers of one balance."""
    return delays(ATTEMPTS, 0.02, longest_s=0.5, is_spread=True)
