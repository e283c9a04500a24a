"""Expirer: every minute ends the blocks whose time has come.

Input     the scheduler's event, which is ignored
Output    nothing
Retries   safe: a condition lets each block end only once; the next minute ends the others
Errors    TransientError if nothing can be read; nothing expires early, and due blocks stay due
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.authorizing import end_authorization
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.block_expiry import authorization_partitions, expiry_partitions
from falcon_balances.domain.blocks import Block, BlockStatus, ending_writes
from falcon_balances.domain.errors import TransientError
from falcon_balances.observability import logger, metrics
from falcon_balances.settings import ExpirerSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

BY = "expirer"


def expire_blocks(now: datetime, store: BalanceStore) -> int:
    """Ends due blocks and authorizations, each in one transaction. Returns how many expired.

    A block that has ended meanwhile, or meets another write, is skipped. A block that cannot be
    ended never stops the others: `NotExpired` counts it, and the next minute tries again.
    """
    expired = failed = 0
    for end in _due(now, store):
        try:
            expired += end()
        except TransientError as error:
            failed += 1
            logger.warning("not expired", reason=str(error))
    if failed:
        metrics.add_metric(name="NotExpired", unit="Count", value=failed)
    return expired


def _due(now: datetime, store: BalanceStore) -> Iterator[Callable[[], bool]]:
    for partition in expiry_partitions():
        for block in store.due_blocks(partition, now):
            yield partial(_expire_block, block, now, store)
    for partition in authorization_partitions():
        for authorization in store.due_authorizations(partition, now):
            yield partial(_expire_authorization, authorization, now, store)


def _expire_block(block: Block, now: datetime, store: BalanceStore) -> bool:
    writes = ending_writes(block, BlockStatus.EXPIRED, now, BY, expired_at=now)
    if store.transact(writes):
        return False
    store.set_negative_since(block.balance_key, None)
    return True


def _expire_authorization(authorization: Authorization, now: datetime, store: BalanceStore) -> bool:
    ended = end_authorization(
        authorization, BlockStatus.EXPIRED, now, BY, store, expired_at=now, wait=_no_wait
    )
    return ended.status is BlockStatus.EXPIRED and ended.ended_at == now


def _no_wait(_delay_s: float) -> None:
    """Does not wait: the next minute tries again."""


@cache
def _store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), ExpirerSettings.load().balances_table)


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: "LambdaContext") -> None:
    expired = expire_blocks(utc_now(), _store())
    metrics.add_metric(name="BlocksExpired", unit="Count", value=expired)
