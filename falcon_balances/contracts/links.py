"""Links of a claim: its sale, its refund authorization, and its other stage (design §7, §8)."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.strictness import Id
from falcon_balances.domain.authorizations import BlockName
from falcon_balances.domain.known_findings import Contradiction
from falcon_balances.domain.operations import OperationType
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_parts import SalePart

# Claims are kept for ever: newer code may add fields, which older code must be able to read past.
_KEPT = ConfigDict(frozen=True, extra="ignore")
_SENT = ConfigDict(frozen=True, extra="forbid")


class SalePartV1(BaseModel):
    """What an event says about a sale, or how a revision changes that; in minor units."""

    model_config = _KEPT

    merchant_id: Id
    psp_id: Id
    reference: str
    type: OperationType
    currency: str
    amount: int
    commission: Annotated[int, Field(exclude_if=lambda said: said == 0)] = 0
    operations: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1

    @classmethod
    def of(cls, part: SalePart) -> Self:
        return cls(
            **part.sale._asdict(),
            type=part.type,
            currency=part.currency,
            amount=part.amount,
            commission=part.commission,
            operations=part.operations,
        )

    def to_part(self) -> SalePart:
        sale = SaleKey(self.merchant_id, self.psp_id, self.reference)
        amounts = (self.amount, self.commission, self.operations)
        return SalePart(sale, self.type, self.currency, *amounts)


class SentSalePartV1(SalePartV1):
    """A sale part in a stream record. Unlike in a claim, unknown fields are refused."""

    model_config = _SENT


class BlockNameV1(BaseModel):
    model_config = _SENT

    merchant_id: Id
    block_id: str

    def to_name(self) -> BlockName:
        return BlockName(self.merchant_id, self.block_id)


class ContradictionV1(BaseModel):
    """The merchants that the stages name, if the stages ever named different ones."""

    model_config = _SENT

    merchants: tuple[Id, ...]
    is_open: bool
    known: int

    def to_contradiction(
        self, falcon_operation_id: str, psp_id: str, reference: str
    ) -> Contradiction:
        who = (falcon_operation_id, psp_id, reference)
        return Contradiction(*who, self.merchants, self.is_open, self.known)


class SettledV1(BaseModel):
    """The authorization attempt that ends with the first part of an operation. `blocks`: only those
    of merchants for which the operation has no segment.
    """

    model_config = _SENT

    attempt: int
    blocks: tuple[BlockNameV1, ...] = ()


class LinksV1(BaseModel):
    """The links that the persister read after making a claim. `blocks`: those of the claim's
    authorization.
    """

    model_config = _SENT

    blocks: tuple[BlockNameV1, ...] = ()
    settled: SettledV1 | None = None
    contradiction: ContradictionV1 | None = None

    def blocks_of(self, merchant_id: str) -> tuple[str, ...]:
        return tuple(each.block_id for each in self.blocks if each.merchant_id == merchant_id)
