"""Blocks (money set aside): the request of a system, and its answer (design §8)."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from falcon_balances.contracts.currencies import find_currency, scaled
from falcon_balances.contracts.formats import ID_PATTERN
from falcon_balances.contracts.strictness import (
    Amount,
    CurrencyCode,
    Id,
    Optionally,
    StrictModel,
)
from falcon_balances.domain.block_expiry import EXPIRY_MAX, expiry_of
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    Purpose,
    manual_block_id,
)
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import minor_units

_EXPIRY_S_MAX: Final = int(EXPIRY_MAX.total_seconds())


def _in_time(seconds: int) -> int:
    if not 0 < seconds <= _EXPIRY_S_MAX:
        raise PydanticCustomError("E_DATE", f"must be from 1 to {_EXPIRY_S_MAX} seconds")
    return seconds


ExpiresIn = Annotated[
    int,
    AfterValidator(_in_time),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": _EXPIRY_S_MAX}),
]


class _RequestV1(StrictModel):
    amount: Amount
    currency: CurrencyCode
    expires_in_seconds: Optionally[ExpiresIn] = None

    @property
    def minor(self) -> int:
        """The amount in minor units. Raises RejectedOperation (E_SCALE)."""
        currency = find_currency(self.currency)
        assert currency is not None  # noqa: S101 - the model has looked it up
        return minor_units(self.amount, currency.exponent)

    def expiry(self, now: datetime) -> datetime | None:
        return expiry_of(now, self.expires_in_seconds)


class BlockRequestV1(_RequestV1):
    """Sets money aside by hand. Blocks of payouts and refunds are made by the payout decider and by
    refund authorizations.
    """

    balance_shop_id: Id
    reference: Id
    purpose: Literal["manual"] = "manual"

    def to_block(self, merchant_id: str, key: str, requested_by: str, now: datetime) -> Block:
        return Block(
            block_id=manual_block_id(merchant_id, key),
            merchant_id=merchant_id,
            balance_shop_id=self.balance_shop_id,
            currency=self.currency,
            amount=self.minor,
            purpose=Purpose.MANUAL,
            reference=self.reference,
            requested_by=requested_by,
            created_at=now,
            expiry=self.expiry(now),
            expires_in_s=self.expires_in_seconds,
        )


class BlockV1(BaseModel):
    """A block in its present state. Only a refused block has `available`: what was available when
    it was refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    block_id: str
    merchant_id: str
    balance_shop_id: str
    amount: str
    currency: str
    purpose: Purpose
    reference: str
    status: BlockStatus
    created_at: str
    requested_by: str
    expiry: str | None
    ended_at: str | None
    ended_by: str | None
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None

    @classmethod
    def of(cls, block: Block) -> "BlockV1":
        return cls(
            block_id=block.block_id,
            merchant_id=block.merchant_id,
            balance_shop_id=block.balance_shop_id,
            amount=scaled(block.amount, block.currency),
            currency=block.currency,
            purpose=block.purpose,
            reference=block.reference,
            status=block.status,
            created_at=rfc3339(block.created_at),
            requested_by=block.requested_by,
            expiry=block.expiry and rfc3339(block.expiry),
            ended_at=block.ended_at and rfc3339(block.ended_at),
            ended_by=block.ended_by,
            available=(
                None if block.available is None else scaled(block.available, block.currency)
            ),
        )


class BlockListV1(BaseModel):
    """A merchant's blocks, newest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blocks: tuple[BlockV1, ...]

    @classmethod
    def of(cls, blocks: Iterable[Block]) -> "BlockListV1":
        ordered = sorted(blocks, key=lambda each: (each.created_at, each.block_id), reverse=True)
        return cls(blocks=tuple(BlockV1.of(block) for block in ordered))


def is_id(text: str) -> bool:
    return re.fullmatch(ID_PATTERN, text) is not None and not text.endswith("\n")
