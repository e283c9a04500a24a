"""Refund authorization (design §8): decides whether a refund can be made.

One transaction authorizes the refund: it makes a block for each balance that the refund would
lower, and sets the refund's amount aside at its sale. A refusal says what was available, or what is
left of the sale. Each attempt is decided once, while no stage of the refund is claimed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from falcon_balances.domain.authorizations import (
    Authorization,
    BlockName,
    Current,
    Shortfall,
    names_text,
)
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    LoggedMoney,
    Purpose,
    block_writes,
    spendable,
)
from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.operations import OperationType, Segment
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation, difference
from falcon_balances.domain.sales import CAPTURES, Sale, left_name
from falcon_balances.domain.table_keys import BalanceKey, ItemKey, current_key
from falcon_balances.domain.table_writes import AddCounters, PutMark, PutStanding, TableWrite


class Debit(NamedTuple):
    """What a refund deducts from a balance, all its lines together; minor units, above zero."""

    merchant_id: str
    balance: BalanceKey
    amount: int


def debits_of(segments: Iterable[Segment]) -> list[Debit]:
    """The debits of the balances that a refund lowers, in the order of its segments; other balances
    need no block.
    """
    nets: dict[tuple[str, BalanceKey], int] = {}
    for segment in segments:
        for line in segment.lines:
            name = (segment.merchant_id, BalanceKey(line.balance_shop_id, line.currency.code))
            nets[name] = nets.get(name, 0) + line.amount.minor
    return [Debit(merchant_id, at, -net) for (merchant_id, at), net in nets.items() if net < 0]


class Conflict(NamedTuple):
    """Why a request is not decided: `field` contradicts the present state."""

    field: str
    detail: str


CLAIMED: Final = Conflict("external_reference", "an operation for this refund was already accepted")


def conflict_with_current(current: Current) -> Conflict | None:
    """The conflict with the current attempt, if any: a settled attempt belongs to a refund that
    arrived, and only one attempt can hold money.
    """
    if current.status is BlockStatus.SETTLED:
        return CLAIMED
    if current.holds:
        return Conflict("attempt", f"attempt {current.attempt} is still active")
    return None


def conflict_with_same(asked: Authorization, there: Authorization) -> Conflict | None:
    """The conflict with an earlier request of the same attempt, if any; without a conflict, the
    answer is that request's.
    """
    field = asked.differs_from(there)
    if field is not None:
        return Conflict(field, "this attempt was already requested with a different value")
    if there.status not in (BlockStatus.ACTIVE, BlockStatus.REFUSED):
        return Conflict("attempt", f"the authorization is already {there.status}")
    return None


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read before the decision; the writes happen only if it is unchanged."""

    current: Current
    sale: Sale | None = None
    operation: SaleOperation | None = None


def items_to_see(asked: Authorization) -> list[ItemKey]:
    """The items to read before the decision, the attempt itself first."""
    keys = [asked.key, current_key(asked.falcon_operation_id)]
    if asked.sale is not None:
        keys += [asked.sale.item, asked.sale.operation_item(asked.falcon_operation_id)]
    return keys


def seen_of(asked: Authorization, items: Mapping[ItemKey, Mapping[str, str | int]]) -> Seen:
    current = Current.from_attributes(items.get(current_key(asked.falcon_operation_id), {}))
    if asked.sale is None:
        return Seen(current)
    sale, operation = asked.sale.item, asked.sale.operation_item(asked.falcon_operation_id)
    return Seen(
        current,
        Sale.from_attributes(sale, items[sale]) if sale in items else None,
        SaleOperation.from_attributes(operation, items[operation]) if operation in items else None,
    )


class Grant(NamedTuple):
    """The authorization and its blocks, if it is granted."""

    authorization: Authorization
    blocks: Sequence[Block]


def grant_of(asked: Authorization, debits: Iterable[Debit], seen: Seen) -> Grant:
    is_known = seen.sale is not None and seen.sale.is_known
    blocks = blocks_for(asked, debits)
    names = tuple(BlockName(each.merchant_id, each.block_id) for each in blocks)
    return Grant(replace(asked, sale_is_known=is_known, blocks=names), blocks)


def refund_block_id(authorization: Authorization, debit: Debit) -> str:
    """The id of a block, different for each attempt and balance; no name of a PSP or merchant can
    make two of them equal.
    """
    name = (authorization.falcon_operation_id, str(authorization.attempt), debit.merchant_id)
    return uuid5_text("|".join(("refund", *name, *debit.balance)))


def blocks_for(authorization: Authorization, debits: Iterable[Debit]) -> list[Block]:
    """The blocks of an authorization. They have its expiry, but end only together with it."""
    return [
        Block(
            block_id=refund_block_id(authorization, debit),
            merchant_id=debit.merchant_id,
            balance_shop_id=debit.balance.balance_shop_id,
            currency=debit.balance.currency,
            amount=debit.amount,
            purpose=Purpose.REFUND,
            reference=str(authorization.asked["external_reference"]),
            requested_by=authorization.requested_by,
            created_at=authorization.created_at,
            expiry=authorization.expiry,
            operation_id=authorization.falcon_operation_id,
            attempt=authorization.attempt,
        )
        for debit in debits
    ]


def authorization_writes(
    authorization: Authorization,
    blocks: Sequence[Block],
    seen: Seen,
    logged: Mapping[ItemKey, LoggedMoney],
) -> list[TableWrite]:
    """The writes of a grant: the attempt, the current attempt, its sale if it has one, then two per
    block.
    """
    writes: list[TableWrite] = [
        PutMark(authorization.key, authorization.attributes()),
        PutStanding(
            current_key(authorization.falcon_operation_id),
            {
                "version": seen.current.version + 1,
                "attempt": authorization.attempt,
                "status": BlockStatus.ACTIVE,
                "blocks": names_text(authorization.blocks),
            },
            seen.current.version,
        ),
    ]
    if authorization.sale is not None:
        writes += _set_aside(authorization, authorization.sale, seen)
    for block in blocks:
        writes += block_writes(block, logged.get(block.balance_key))
    return writes


def _set_aside(authorization: Authorization, sale: SaleKey, seen: Seen) -> list[TableWrite]:
    """The writes that set the amount aside at the sale: never more than is left of a known sale; at
    an unknown sale, only while it is unknown.
    """
    key = sale.operation_item(authorization.falcon_operation_id)
    before = seen.operation or SaleOperation(key, OperationType.REFUND)
    after = before.holding({authorization.currency: authorization.amount})
    left = (left_name(authorization.currency), authorization.amount)
    return [
        PutStanding(key, after.attributes(), before.version),
        AddCounters(
            sale.item,
            difference(before, after),
            at_least=left if authorization.sale_is_known else None,
            none_of=None if authorization.sale_is_known else CAPTURES,
        ),
    ]


def refusal(
    grant: Grant,
    failed: Mapping[ItemKey, Mapping[str, str | int]],
    logged: Mapping[ItemKey, LoggedMoney],
) -> Authorization | None:
    """The refusal of a grant whose transaction failed; None if nothing is decided and it must be
    tried again.

    `failed`: the present attributes of the sale and balances that did not allow it. The sale is
    checked first.
    """
    asked = grant.authorization
    if asked.sale is not None and asked.sale_is_known and asked.sale.item in failed:
        left = Sale.from_attributes(asked.sale.item, failed[asked.sale.item]).left(asked.currency)
        return refused(asked, left=left) if left < asked.amount else None
    short = []
    for block in grant.blocks:
        if block.balance_key in failed:
            there = failed[block.balance_key]
            available = spendable(there, logged.get(block.balance_key))
            if available is not None and available < block.amount:
                balance = (block.balance_shop_id, block.currency)
                short.append(Shortfall(block.merchant_id, *balance, block.amount, available))
    return refused(asked, short=short) if short else None


def refused(
    authorization: Authorization, *, left: int | None = None, short: Sequence[Shortfall] = ()
) -> Authorization:
    return replace(
        authorization, status=BlockStatus.REFUSED, blocks=(), left=left, short=tuple(short)
    )
