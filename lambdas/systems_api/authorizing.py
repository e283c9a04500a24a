"""Authorizes refunds: writes what `domain/refund_authorization.py` decides, and repeats after
conflicts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import sleep

from falcon_balances.adapters.authorizing import blocks_of
from falcon_balances.adapters.ports import BalanceStore, ConditionFailed, RefundClaims, WriteOutcome
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.blocks import Block, LoggedMoney
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.refund_authorization import (
    CLAIMED,
    Conflict,
    Debit,
    authorization_writes,
    conflict_with_current,
    conflict_with_same,
    grant_of,
    items_to_see,
    refusal,
    seen_of,
)
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, PutMark, TableWrite
from lambdas.systems_api.blocking import ATTEMPTS, contention_delays

Wait = Callable[[float], object]
ReadLog = Callable[[Block], LoggedMoney | None]


class AuthorizationConflictError(Exception):
    """The request contradicts the present state. `field`: the field that contradicts. `held`: the
    authorization in its present state.
    """

    def __init__(self, conflict: Conflict, held: "Held | None" = None) -> None:
        super().__init__(f"{conflict.field}: {conflict.detail}")
        self.field = conflict.field
        self.detail = conflict.detail
        self.held = held


@dataclass(frozen=True, slots=True)
class Held:
    """An authorization with its present blocks; `is_new` if this request made it."""

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
    """The attempt, decided now or by an earlier request.

    One read and one transaction; a second transaction records a refusal. Raises
    AuthorizationConflictError if the attempt was requested with different values, if another
    attempt holds money, or if the refund is claimed in a stage.
    """
    for delay_s in contention_delays():
        items = store.items(items_to_see(asked))
        if asked.key in items:
            return _same(asked, items[asked.key], store)
        seen = seen_of(asked, items)
        if (conflict := conflict_with_current(seen.current)) is not None:
            raise AuthorizationConflictError(conflict)
        grant = grant_of(asked, debits, seen)
        logged = _logged(grant.blocks, read_log)
        writes = authorization_writes(*grant, seen, logged)
        outcomes = claims.authorize(asked.falcon_operation_id, writes)
        if outcomes is None:
            raise AuthorizationConflictError(CLAIMED)
        if not outcomes:
            return Held(*grant, is_new=True)
        no = refusal(grant, _failed(writes, outcomes), logged)
        if no is not None and not store.transact([PutMark(no.key, no.attributes())]):
            return Held(no, is_new=True)
        wait(delay_s)
    raise TransientError(
        f"refund {asked.falcon_operation_id}: gave up after {ATTEMPTS} conflicting transactions"
    )


def _same(asked: Authorization, said: Mapping[str, str | int], store: BalanceStore) -> Held:
    there = Authorization.from_attributes(asked.key, said)
    held = Held(there, blocks_of(there, store))
    if (conflict := conflict_with_same(asked, there)) is not None:
        raise AuthorizationConflictError(conflict, held)
    return held


def _logged(blocks: Sequence[Block], read_log: ReadLog) -> dict[ItemKey, LoggedMoney]:
    """The logged money of balances whose merchants are of high risk."""
    read = {block.balance_key: read_log(block) for block in blocks}
    return {key: money for key, money in read.items() if money is not None}


def _failed(
    writes: Sequence[TableWrite], outcomes: Sequence[WriteOutcome]
) -> dict[ItemKey, Mapping[str, str | int]]:
    """The present state of the sale and balances that did not allow the refund."""
    return {
        write.key: outcome.attributes
        for write, outcome in zip(writes, outcomes, strict=True)
        if isinstance(write, AddCounters) and isinstance(outcome, ConditionFailed)
    }
