"""Blocks (design §7): money set aside for a payout or refund under way, and given back once.

A block's key decides its identity, so a request that comes again finds what became of the first.
What is decided here is plain writes; conditions of one transaction keep `available` at or above 0.
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
    """`amount` in minor units, above zero. `expiry` is None where it never expires.

    `request` is what was asked, field by field, so that the same key with another body can be told
    which field differs. A refused one says what was `available`, and is never tried again.
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
    """Of a refund's: the refund, and which attempt at its authorization; they end together."""
    attempt: int | None = None

    @property
    def made_for(self) -> str:
        """The operation: a payout's block bears its id, a refund's names it."""
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
        """What the same key must say again."""
        return {
            "balance_shop_id": self.balance_shop_id,
            "currency": self.currency,
            "amount": self.amount,
            "purpose": self.purpose,
            "reference": self.reference,
            "expires_in_seconds": self.expires_in_s,
        }

    def differs_from(self, other: "Block") -> str | None:
        """The first field that another request under the same key says differently."""
        mine, theirs = self.asked, other.asked
        return next((name for name, value in mine.items() if theirs[name] != value), None)

    def attributes(self) -> dict[str, str | int]:
        """As it lies in the table; what is absent is left out."""
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
        """A refund's expires with its authorization, all of them in one transaction."""
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
    """What the folded log has for a balance, in minor units, nothing set aside.

    Read while `operations_count` lines of the balance were counted; it holds until more are. What
    is in the log and not counted yet is in `available` already while its block is still active:
    `payouts` and `refunds` say how much those blocks hold, so that nothing is taken off twice.
    """

    available: int
    operations_count: int
    payouts: int = 0
    refunds: int = 0

    def beside(self, blocked: int) -> int:
        """What is left beside all that is `blocked`. A logged payout's block ends only by being
        counted, so this holds as long as `operations_count`; a refund's may be released before.
        """
        return self.available + self.payouts - blocked


def logged_blocks(blocks: Iterable[Block], logged_ids: Container[str]) -> tuple[int, int]:
    """What the active ones of one balance hold for payouts and for refunds that are in the log."""
    held = {Purpose.PAYOUT: 0, Purpose.REFUND: 0, Purpose.MANUAL: 0}
    for block in blocks:
        if block.status is BlockStatus.ACTIVE and block.made_for in logged_ids:
            held[block.purpose] += block.amount
    return held[Purpose.PAYOUT], held[Purpose.REFUND]


def spendable(balance: Mapping[str, str | int], logged: LoggedMoney | None = None) -> int | None:
    """What could be set aside of a balance as its item says it.

    None if that must be asked again: the log was read before more was counted, or it is what
    decides and has a refund that was authorized and is not counted yet.
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
    """Payouts and refunds have their falcon_operation_id for this, people have a key."""
    return uuid5_text(f"block|{merchant_id}|{key}")


def block_writes(block: Block, logged: LoggedMoney | None = None) -> list[TableWrite]:
    """Set aside, if the block is new and `available` covers it.

    `logged`, for merchants of high risk: the log less what is blocked must cover it as well.
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
    """The parts with the ends of the blocks that were made for them, in one transaction.

    A block ends with the first part that touches its balance. `arrived`: when each part reached
    the stream.
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
    """Active blocks that no part of a transaction ends, for none touches their balances: each ends
    in a transaction of its own, once the operation is counted.
    """
    ended = {write.key for part in parts for write in part.block_writes}
    return [
        block for block in blocks if block.status is BlockStatus.ACTIVE and block.key not in ended
    ]


def ending_writes(
    block: Block, status: BlockStatus, at: datetime, by: str, *, expired_at: datetime | None = None
) -> tuple[EndBlock, AddCounters]:
    """The block's one end: what was set aside is available again.

    An operation that it was made for takes its own amount in the same transaction, so a settled
    block's remainder is released with it. `expired_at`: only if its expiry is not after that.
    """
    return (
        EndBlock(
            block.key, status, rfc3339(at), by, None if expired_at is None else rfc3339(expired_at)
        ),
        AddCounters(block.balance_key, {"blocked": -block.amount, "available": block.amount}),
    )
