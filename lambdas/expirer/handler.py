"""Expirer: every minute ends the blocks whose time has come.

Input     the scheduler's event, which is not looked at
Output    nothing
Retries   safe: a block ends once, by a condition of its own; the next minute finds what is left
Errors    TransientError; nothing expires before its time, and what is due stays due
"""

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.domain.blocks import BlockStatus, ending_writes, expiry_partitions
from falcon_balances.observability import metrics
from falcon_balances.settings import ExpirerSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

BY = "expirer"


def expire_blocks(now: datetime, store: BalanceStore) -> int:
    """The number that expired. One that has ended meanwhile, or meets another write, is left."""
    expired = 0
    for partition in expiry_partitions():
        for block in store.due_blocks(partition, now):
            writes = ending_writes(block, BlockStatus.EXPIRED, now, BY, expired_at=now)
            if not store.transact(writes):
                expired += 1
                store.set_negative_since(block.balance_key, None)
    return expired


@cache
def _store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), ExpirerSettings.load().balances_table)


@metrics.log_metrics
def lambda_handler(_event: dict[str, Any], _context: "LambdaContext") -> None:
    expired = expire_blocks(utc_now(), _store())
    metrics.add_metric(name="BlocksExpired", unit="Count", value=expired)
