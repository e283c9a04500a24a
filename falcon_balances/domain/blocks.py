"""Blocks (design §7): money set aside for a payout or refund in progress, and given back once.

A block's key is its identity, so a repeated request finds the same block. This module makes writes
with conditions; one transaction with them keeps `available` at or above zero.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from falcon_balances.domain.block_expiry import expiry_partition
from falcon_balances.domain.counting import add_to
from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.parts import CountablePart
from falcon_balances.domain.table_keys import (
    BalanceKey,
    BlockKey,
    ItemKey,
    merchant_pk,
    parse_merchant_pk,
)
from falcon_balances.domain.table_writes import AddCounters, EndBlock, PutMark, TableWrite
from falcon_balances.domain.transactions import blocks_with


class Purpose(StrEnum):
    PAYOUT = "payout"
    REFUND = "refund"
    MANUAL = "manual"


class BlockStatus(StrEnum):
    ACTIVE = "active"
    REFUSED = "refused"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """`amount` is in minor units, above zero. `expiry` is None for a block that never expires.

    `asked` holds the request field by field, to name the field in which another request under the
    same key differs. A refused block keeps what was `available`, and is never tried again.
    """

    block_id: str
    merchant_id: str
    balance_shop_id: str
    currency: str
    amount: int
    purpose: Purpose
    reference: str
    requested_by: str
    created_at: datetime
    status: BlockStatus = BlockStatus.ACTIVE
    expiry: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str | None = None
    available: int | None = None
    expires_in_s: int | None = None
    operation_id: str | None = None
    """Of a refund's block only: the refund, and `attempt`, the attempt to authorize it; all blocks
    of an attempt end together.
    """
    attempt: int | None = None

    @property
    def made_for(self) -> str:
        """The id of the operation that the block is for: a payout's block has the same id, a
        refund's block names it.
        """
        return self.operation_id or self.block_id

    @staticmethod
    def key_of(merchant_id: str, block_id: str) -> ItemKey:
        return ItemKey(merchant_pk(merchant_id), BlockKey(block_id).sk)

    @property
    def key(self) -> ItemKey:
        return self.key_of(self.merchant_id, self.block_id)

    @property
    def balance_key(self) -> ItemKey:
        return ItemKey(
            merchant_pk(self.merchant_id), BalanceKey(self.balance_shop_id, self.currency).sk
        )

    @property
    def asked(self) -> dict[str, object]:
        """The fields that a repeated request under the same key must have."""
        return {
            "balance_shop_id": self.balance_shop_id,
            "currency": self.currency,
            "amount": self.amount,
            "purpose": self.purpose,
            "reference": self.reference,
            "expires_in_seconds": self.expires_in_s,
        }

    def differs_from(self, other: "Block") -> str | None:
        """The first field in which another request under this key differs; None if none does."""
        mine, theirs = self.asked, other.asked
        return next((name for name, value in mine.items() if theirs[name] != value), None)

    def attributes(self) -> dict[str, str | int]:
        """The item's attributes; absent values are left out."""
        said: dict[str, str | int | None] = {
            "block_id": self.block_id,
            "balance_shop_id": self.balance_shop_id,
            "currency": self.currency,
            "amount": self.amount,
            "purpose": self.purpose,
            "reference": self.reference,
            "requested_by": self.requested_by,
            "created_at": rfc3339(self.created_at),
            "status": self.status,
            "expiry": None if self.expiry is None else rfc3339(self.expiry),
            "expires_in_s": self.expires_in_s,
            "available": self.available,
            "operation_id": self.operation_id,
            "attempt": self.attempt,
            "expiring": expiry_partition(self.block_id) if self._expires_alone else None,
        }
        return {name: value for name, value in said.items() if value is not None}

    @property
    def _expires_alone(self) -> bool:
        """Whether the block expires by itself; a refund's blocks expire with its authorization, in
        one transaction.
        """
        is_due_once = self.expiry is not None and self.status is BlockStatus.ACTIVE
        return is_due_once and self.operation_id is None

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> "Block":
        expiry, ended_at, ended_by = (said.get(n) for n in ("expiry", "ended_at", "ended_by"))
        available, expires_in_s = said.get("available"), said.get("expires_in_s")
        operation_id, attempt = said.get("operation_id"), said.get("attempt")
        return cls(
            block_id=str(said["block_id"]),
            merchant_id=parse_merchant_pk(key.pk),
            balance_shop_id=str(said["balance_shop_id"]),
            currency=str(said["currency"]),
            amount=int(said["amount"]),
            purpose=Purpose(str(said["purpose"])),
            reference=str(said["reference"]),
            requested_by=str(said["requested_by"]),
            created_at=parse_rfc3339(str(said["created_at"])),
            status=BlockStatus(str(said["status"])),
            expiry=None if expiry is None else parse_rfc3339(str(expiry)),
            ended_at=None if ended_at is None else parse_rfc3339(str(ended_at)),
            ended_by=None if ended_by is None else str(ended_by),
            available=None if available is None else int(available),
            expires_in_s=None if expires_in_s is None else int(expires_in_s),
            operation_id=None if operation_id is None else str(operation_id),
            attempt=None if attempt is None else int(attempt),
        )


@dataclass(frozen=True, slots=True)
class LoggedMoney:
    """A balance as the log has it, in minor units, before blocks.

    It is valid while `operations_count` is unchanged. `available` includes operations that are in
    the log but not counted yet, whose blocks are still active: `payouts` and `refunds` are the
    amounts of those blocks, so that nothing is deducted twice.
    """

    available: int
    operations_count: int
    payouts: int = 0
    refunds: int = 0

    def beside(self, blocked: int) -> int:
        """What is left after all blocks. A logged payout's block ends only when the payout is
        counted, so the result is valid while `operations_count` is unchanged; a refund's block can
        be released earlier.
        """
        return self.available + self.payouts - blocked


def logged_blocks(blocks: Iterable[Block], logged_ids: Container[str]) -> tuple[int, int]:
    """The amounts that active blocks hold for payouts and for refunds that are in the log."""
    held = {Purpose.PAYOUT: 0, Purpose.REFUND: 0, Purpose.MANUAL: 0}
    for block in blocks:
        if block.status is BlockStatus.ACTIVE and block.made_for in logged_ids:
            held[block.purpose] += block.amount
    return held[Purpose.PAYOUT], held[Purpose.REFUND]


def spendable(balance: Mapping[str, str | int], logged: LoggedMoney | None = None) -> int | None:
    """What can be set aside of a balance, in minor units.

    None if the log must be read again: more was counted since, or the decision depends on a refund
    that is authorized but not counted yet.
    """
    available = int(balance.get("available", 0))
    if logged is None:
        return available
    if int(balance.get("operations_count", 0)) != logged.operations_count:
        return None
    in_log = logged.beside(int(balance.get("blocked", 0)))
    if in_log >= available:
        return available
    return None if logged.refunds else in_log


def manual_block_id(merchant_id: str, key: str) -> str:
    """The id of a block made by hand, from its key; blocks of payouts and refunds use the
    falcon_operation_id.
    """
    return uuid5_text(f"block|{merchant_id}|{key}")


def block_writes(block: Block, logged: LoggedMoney | None = None) -> list[TableWrite]:
    """The writes that set a block aside if it is new and `available` covers it.

    `logged` is given for merchants of high risk: the log less all blocks must cover it as well.
    """
    writes: list[TableWrite] = [
        PutMark(block.key, block.attributes()),
        AddCounters(
            block.balance_key,
            {"blocked": block.amount, "available": -block.amount},
            available_min=block.amount,
            blocked_max=None if logged is None else logged.beside(block.amount),
            operations_count=None if logged is None else logged.operations_count,
        ),
    ]
    return writes


def settled(
    parts: Sequence[CountablePart], blocks: Mapping[ItemKey, Block], arrived: Sequence[datetime]
) -> list[CountablePart]:
    """The parts, with the writes that end the blocks made for them, each in the part's transaction.

    A block ends with the first part that touches its balance. `arrived`: when each part reached the
    stream.
    """
    ended: set[ItemKey] = set()
    found = []
    for part, at in zip(parts, arrived, strict=True):
        mine = [blocks[key] for key in blocks_with(part) if key in blocks and key not in ended]
        after = _settled_by(part, mine, at)
        ended |= {write.key for write in after.block_writes}
        found.append(after)
    return found


def _settled_by(part: CountablePart, blocks: Iterable[Block], at: datetime) -> CountablePart:
    additions, ends = dict(part.additions), []
    for block in blocks:
        if block.status is BlockStatus.ACTIVE and block.balance_key in additions:
            ending, returned = ending_writes(block, BlockStatus.SETTLED, at, part.mark.key.sk)
            counters = dict(additions[block.balance_key])
            add_to(counters, returned.counters)
            additions[block.balance_key] = counters
            ends.append(ending)
    return replace(part, additions=additions, block_writes=tuple(ends)) if ends else part


def left_over(parts: Sequence[CountablePart], blocks: Iterable[Block]) -> list[Block]:
    """The active blocks that no part ends: each ends in its own transaction, after the operation is
    counted.
    """
    ended = {write.key for part in parts for write in part.block_writes}
    return [
        block for block in blocks if block.status is BlockStatus.ACTIVE and block.key not in ended
    ]


def ending_writes(
    block: Block, status: BlockStatus, at: datetime, by: str, *, expired_at: datetime | None = None
) -> tuple[EndBlock, AddCounters]:
    """The writes that end an active block, which makes its money available again.

    If its operation is counted, the same transaction deducts the operation's amount, so the rest of
    a settled block becomes available. `expired_at`: end it only if its expiry is not after this
    time.
    """
    return (
        EndBlock(
            block.key, status, rfc3339(at), by, None if expired_at is None else rfc3339(expired_at)
        ),
        AddCounters(block.balance_key, {"blocked": -block.amount, "available": block.amount}),
    )
