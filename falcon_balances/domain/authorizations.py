"""Refund authorizations (design §8): all that a refund would take is set aside before it is made.

The refund is split as if it happened now. Each balance that it would lower gets a block of the
amount that it would lose, and the refund's sale sets the whole amount aside: all of these writes
succeed, or none. The items are stored
under the refund's own id: one for each attempt, and one that names the current attempt.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from falcon_balances.domain.block_expiry import authorization_partition
from falcon_balances.domain.blocks import Block, BlockStatus, ending_writes
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation, difference
from falcon_balances.domain.table_keys import AttemptKey, ItemKey, current_key
from falcon_balances.domain.table_writes import AddCounters, EndBlock, PutStanding, TableWrite

ATTEMPT_MAX: Final = 99
_HOLDS: Final = {BlockStatus.ACTIVE, BlockStatus.SETTLED}


class Shortfall(NamedTuple):
    """A balance that has less than the refund would deduct. Amounts are in minor units."""

    merchant_id: str
    balance_shop_id: str
    currency: str
    amount: int
    available: int


class BlockName(NamedTuple):
    merchant_id: str
    block_id: str

    @property
    def key(self) -> ItemKey:
        return Block.key_of(self.merchant_id, self.block_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """One attempt. `asked` holds the request field by field; `merchant_id` is the merchant that the
    refund names.

    `left`: what was left of the sale, if too little was left. `short`: the balances that had too
    little. Each is given only if it was the reason to refuse.
    """

    falcon_operation_id: str
    attempt: int
    merchant_id: str
    asked: Mapping[str, object]
    currency: str
    amount: int
    requested_by: str
    created_at: datetime
    expiry: datetime
    status: BlockStatus = BlockStatus.ACTIVE
    sale: SaleKey | None = None
    sale_is_known: bool = False
    blocks: tuple[BlockName, ...] = ()
    left: int | None = None
    short: tuple[Shortfall, ...] = ()
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def key(self) -> ItemKey:
        return AttemptKey(self.falcon_operation_id, self.attempt).item

    @property
    def operation_item(self) -> ItemKey | None:
        """The key of the item that records how much of the sale is set aside for the refund."""
        return None if self.sale is None else self.sale.operation_item(self.falcon_operation_id)

    def differs_from(self, other: "Authorization") -> str | None:
        """The first field in which a repeated request differs; None if none does."""
        names = dict.fromkeys((*self.asked, *other.asked))
        return next((n for n in names if self.asked.get(n) != other.asked.get(n)), None)

    def attributes(self) -> dict[str, str | int]:
        """The item's attributes; absent values are left out."""
        is_active = self.status is BlockStatus.ACTIVE
        said: dict[str, str | int | None] = {
            "merchant_id": self.merchant_id,
            "asked": json.dumps(self.asked, sort_keys=True),
            "currency": self.currency,
            "amount": self.amount,
            "requested_by": self.requested_by,
            "created_at": rfc3339(self.created_at),
            "expiry": rfc3339(self.expiry),
            "status": self.status,
            "sale": None if self.sale is None else self.sale.text,
            "sale_is_known": int(self.sale_is_known),
            "blocks": names_text(self.blocks) or None,
            "left": self.left,
            "short": json.dumps(self.short) if self.short else None,
            "expiring": authorization_partition(self.falcon_operation_id) if is_active else None,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> "Authorization":
        attempt = AttemptKey.parse(key)
        sale, left, by, at = (said.get(n) for n in ("sale", "left", "ended_by", "ended_at"))
        return cls(
            falcon_operation_id=attempt.falcon_operation_id,
            attempt=attempt.attempt,
            merchant_id=str(said["merchant_id"]),
            asked=json.loads(str(said["asked"])),
            currency=str(said["currency"]),
            amount=int(said["amount"]),
            requested_by=str(said["requested_by"]),
            created_at=parse_rfc3339(str(said["created_at"])),
            expiry=parse_rfc3339(str(said["expiry"])),
            status=BlockStatus(str(said["status"])),
            sale=None if sale is None else SaleKey.parse_text(str(sale)),
            sale_is_known=bool(said["sale_is_known"]),
            blocks=names_of(str(said.get("blocks", ""))),
            left=None if left is None else int(left),
            short=tuple(Shortfall(*each) for each in json.loads(str(said.get("short", "[]")))),
            ended_at=None if at is None else parse_rfc3339(str(at)),
            ended_by=None if by is None else str(by),
        )


def names_text(names: Iterable[BlockName]) -> str:
    """The names as one text: ids of merchants and blocks contain no slash and no comma."""
    return ",".join("/".join(name) for name in names)


def names_of(text: str) -> tuple[BlockName, ...]:
    return tuple(BlockName(*each.split("/")) for each in text.split(",") if each)


@dataclass(frozen=True, slots=True)
class Current:
    """The refund's current attempt. It holds money while it is active; a settled attempt stays the
    current one for ever.
    """

    version: int = 0
    attempt: int = 0
    status: BlockStatus | None = None
    blocks: tuple[BlockName, ...] = ()

    @property
    def holds(self) -> bool:
        return self.status in _HOLDS

    @classmethod
    def from_attributes(cls, said: Mapping[str, str | int]) -> "Current":
        if not said:
            return cls()
        status = BlockStatus(str(said["status"]))
        blocks = names_of(str(said.get("blocks", "")))
        return cls(int(said["version"]), int(said["attempt"]), status, blocks)


def authorization_end(
    authorization: Authorization,
    blocks: Iterable[Block],
    operation: SaleOperation | None,
    end: BlockStatus,
    at: datetime,
    by: str,
    *,
    expired_at: datetime | None = None,
) -> list[TableWrite]:
    """The writes that end an attempt, for one transaction; `blocks` are its blocks as they were
    read.
    """
    stamp = (end, rfc3339(at), by)
    due = None if expired_at is None else rfc3339(expired_at)
    writes: list[TableWrite] = [
        EndBlock(authorization.key, *stamp, due),
        EndBlock(current_key(authorization.falcon_operation_id), *stamp),
    ]
    if authorization.sale is not None and operation is not None and operation.set_aside:
        after = operation.holding({})
        writes += [
            PutStanding(operation.key, after.attributes(), operation.version),
            AddCounters(authorization.sale.item, difference(operation, after)),
        ]
    returned: dict[ItemKey, AddCounters] = {}
    for block in blocks:
        if block.status is BlockStatus.ACTIVE:
            ending, addition = ending_writes(block, end, at, by)
            writes.append(ending)
            returned[addition.key] = addition
    return [*writes, *returned.values()]
