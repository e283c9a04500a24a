"""Deciding on a refund: all that it would take is set aside at once, or it is refused under its
attempt.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import sleep
from typing import Final

from falcon_balances.adapters.authorizing import blocks_of
from falcon_balances.adapters.ports import BalanceStore, ConditionFailed, RefundClaims, WriteOutcome
from falcon_balances.domain.authorizations import (
    Authorization,
    BlockName,
    Current,
    Debit,
    Seen,
    Shortfall,
    authorization_writes,
    blocks_for,
    current_key,
    refused,
)
from falcon_balances.domain.blocks import Block, BlockStatus, LoggedMoney, spendable
from falcon_balances.domain.counting import AddCounters, ItemKey, PutMark, TableWrite, is_balance
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.sales import Sale, SaleOperation
from lambdas.balance_api.blocking import ATTEMPTS, delay_s

Wait = Callable[[float], object]
ReadLog = Callable[[Block], LoggedMoney | None]
_CLAIMED: Final = "an operation for this refund was already accepted"


class AuthorizationConflictError(Exception):
    """What was asked does not fit what is there. `field` says where, `held` what holds now."""

    def __init__(self, field: str, detail: str, held: "Held | None" = None) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail
        self.held = held


@dataclass(frozen=True, slots=True)
class Held:
    """An authorization with its blocks as they stand; `is_new` where this request made it."""

    authorization: Authorization
    blocks: Sequence[Block] = ()
    is_new: bool = False


def request_authorization(
    asked: Authorization,
    debits: Sequence[Debit],
    store: BalanceStore,
    claims: RefundClaims,
    read_log: ReadLog,
    wait: Wait = sleep,
) -> Held:
    """The attempt as it was decided now, or as an earlier request found or left it.

    One read and one transaction; a second where it is refused, so that it stays refused. Raises
    AuthorizationConflictError where the attempt was asked for with another value, another attempt
    holds money, or the refund is claimed in a stage.
    """
    for attempt in range(ATTEMPTS):
        items = store.items(_keys(asked))
        if asked.key in items:
            return _same(asked, items[asked.key], store)
        seen = _seen(asked, items)
        _check_current(seen.current)
        ours = replace(asked, sale_is_known=seen.sale is not None and seen.sale.is_known)
        blocks = blocks_for(ours, debits)
        ours = replace(ours, blocks=tuple(BlockName(b.merchant_id, b.block_id) for b in blocks))
        logged = _logged(blocks, read_log)
        writes = authorization_writes(ours, blocks, seen, logged)
        outcomes = claims.authorize(ours.falcon_operation_id, writes)
        if outcomes is None:
            raise AuthorizationConflictError("external_reference", _CLAIMED)
        if not outcomes:
            return Held(ours, blocks, is_new=True)
        no = _refusal(ours, blocks, [*zip(writes, outcomes, strict=True)], logged)
        if no is not None and not store.transact([PutMark(no.key, no.attributes())]):
            return Held(no, is_new=True)
        wait(delay_s(attempt))
    raise TransientError(
        f"refund {asked.falcon_operation_id}: gave up after {ATTEMPTS} conflicting transactions"
    )


def _keys(asked: Authorization) -> list[ItemKey]:
    keys = [asked.key, current_key(asked.falcon_operation_id)]
    if asked.sale is not None:
        keys += [asked.sale.item, asked.sale.operation_item(asked.falcon_operation_id)]
    return keys


def _seen(asked: Authorization, items: Mapping[ItemKey, Mapping[str, str | int]]) -> Seen:
    current = Current.from_attributes(items.get(current_key(asked.falcon_operation_id), {}))
    if asked.sale is None:
        return Seen(current)
    sale, operation = asked.sale.item, asked.sale.operation_item(asked.falcon_operation_id)
    return Seen(
        current,
        Sale.from_attributes(sale, items[sale]) if sale in items else None,
        SaleOperation.from_attributes(operation, items[operation]) if operation in items else None,
    )


def _check_current(current: Current) -> None:
    if current.status is BlockStatus.SETTLED:
        raise AuthorizationConflictError("external_reference", _CLAIMED)
    if current.holds:
        raise AuthorizationConflictError("attempt", f"attempt {current.attempt} is still active")


def _same(asked: Authorization, said: Mapping[str, str | int], store: BalanceStore) -> Held:
    there = Authorization.from_attributes(asked.key, said)
    held = Held(there, blocks_of(there, store))
    field = asked.differs_from(there)
    if field is not None:
        detail = "this attempt was already requested with a different value"
        raise AuthorizationConflictError(field, detail, held)
    if there.status not in (BlockStatus.ACTIVE, BlockStatus.REFUSED):
        raise AuthorizationConflictError(
            "attempt", f"the authorization is already {there.status}", held
        )
    return held


def _logged(blocks: Sequence[Block], read_log: ReadLog) -> dict[ItemKey, LoggedMoney]:
    """Of the balances whose merchants are checked against the log as well."""
    read = {block.balance_key: read_log(block) for block in blocks}
    return {key: money for key, money in read.items() if money is not None}


def _refusal(
    asked: Authorization,
    blocks: Sequence[Block],
    answered: Sequence[tuple[TableWrite, WriteOutcome]],
    logged: Mapping[ItemKey, LoggedMoney],
) -> Authorization | None:
    """None: nothing is decided yet, the same must be tried again."""
    failed = {
        write.key: outcome.attributes
        for write, outcome in answered
        if isinstance(write, AddCounters) and isinstance(outcome, ConditionFailed)
    }
    if asked.sale is not None and asked.sale_is_known and asked.sale.item in failed:
        left = Sale.from_attributes(asked.sale.item, failed[asked.sale.item]).left(asked.currency)
        return refused(asked, left=left) if left < asked.amount else None
    short = []
    for block in blocks:
        if is_balance(block.balance_key) and block.balance_key in failed:
            there = failed[block.balance_key]
            available = spendable(there, logged.get(block.balance_key))
            if available is not None and available < block.amount:
                balance = (block.balance_shop_id, block.currency)
                short.append(Shortfall(block.merchant_id, *balance, block.amount, available))
    return refused(asked, short=short) if short else None
