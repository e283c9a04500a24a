"""Ends a refund authorization with its blocks, in one transaction that is repeated on conflicts."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from time import sleep
from typing import Final

from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.adapters.retries import delays
from falcon_balances.domain.authorizations import Authorization, BlockName, authorization_end
from falcon_balances.domain.block_expiry import is_due
from falcon_balances.domain.blocks import Block, BlockStatus
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.table_keys import ItemKey

ATTEMPTS: Final = 8
_FIRST_DELAY_S: Final = 0.05


def find_authorization(key: ItemKey, store: BalanceStore) -> Authorization | None:
    said = store.items([key]).get(key)
    return None if said is None else Authorization.from_attributes(key, said)


def blocks_of(
    authorization: Authorization, store: BalanceStore, names: Collection[BlockName] | None = None
) -> list[Block]:
    """The present blocks, in the authorization's order: all of them, or those with these names."""
    keys = [name.key for name in (authorization.blocks if names is None else names)]
    found = store.items(keys) if keys else {}
    return [Block.from_attributes(key, found[key]) for key in keys if key in found]


def end_authorization(
    authorization: Authorization,
    end: BlockStatus,
    at: datetime,
    by: str,
    store: BalanceStore,
    *,
    names: Collection[BlockName] | None = None,
    expired_at: datetime | None = None,
    wait: Callable[[float], object] = sleep,
) -> Authorization:
    """The authorization after ending it; unchanged if it is not active, or expires later than
    `expired_at`.

    `names`: the blocks that end with it, if the refund's segments end the others. Raises
    TransientError after too many conflicts.
    """
    for delay_s in delays(ATTEMPTS, _FIRST_DELAY_S):
        if authorization.status is not BlockStatus.ACTIVE:
            return authorization
        if expired_at is not None and not is_due(authorization.expiry, expired_at):
            return authorization
        blocks = blocks_of(authorization, store, names)
        operation = _operation_of(authorization, store)
        writes = authorization_end(
            authorization, blocks, operation, end, at, by, expired_at=expired_at
        )
        if not store.transact(writes):
            for block in blocks:
                store.set_negative_since(block.balance_key, None)
            return replace(authorization, status=end, ended_at=at, ended_by=by)
        wait(delay_s)
        authorization = find_authorization(authorization.key, store) or authorization
    raise TransientError(f"authorization {authorization.falcon_operation_id} not ended")


def _operation_of(authorization: Authorization, store: BalanceStore) -> SaleOperation | None:
    key = authorization.operation_item
    said: Mapping[str, str | int] | None = None if key is None else store.items([key]).get(key)
    return None if key is None or said is None else SaleOperation.from_attributes(key, said)
