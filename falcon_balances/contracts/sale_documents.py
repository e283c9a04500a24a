"""A sale in the story of an operation: what was taken of it, and what is left (design §8)."""

from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.currencies import scaled
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale

_MODEL = ConfigDict(frozen=True, extra="forbid")
_OPTIONAL = Field(exclude_if=lambda said: said is None)


class SaleAmountsV1(BaseModel):
    """A sale in one currency. left = sold - refunded - charged_back + reversed - set_aside: what
    could still be refunded. Refunds and chargebacks count with the larger of their stages,
    reversals with the smaller.
    """

    model_config = _MODEL

    currency: str
    sold: str
    refunded: str
    charged_back: str
    reversed: str
    set_aside: str
    left: str


class SaleOperationV1(BaseModel):
    """A refund, chargeback or reversal of the sale; a stage's amount is null until it arrives."""

    model_config = _MODEL

    falcon_operation_id: str
    type: str
    currency: str
    confirmed: str | None
    reconciled: str | None
    set_aside: str


class SaleStoryV1(BaseModel):
    """`falcon_operation_id`: the first capture of the sale. The merchant that the sale names sees
    its amounts; its operations are listed only in the sale's own story.
    """

    model_config = _MODEL

    falcon_operation_id: str
    psp_id: str
    reference: str
    is_known: Annotated[bool | None, _OPTIONAL] = None
    amounts: Annotated[tuple[SaleAmountsV1, ...] | None, _OPTIONAL] = None
    operations: Annotated[tuple[SaleOperationV1, ...] | None, _OPTIONAL] = None
    has_more_operations: Annotated[bool | None, _OPTIONAL] = None

    @classmethod
    def linked(cls, key: SaleKey, sale: Sale | None) -> Self:
        """`sale` is None if it belongs to another merchant, or nothing of it is counted."""
        return cls(
            falcon_operation_id=key.sale_id,
            psp_id=key.psp_id,
            reference=key.reference,
            is_known=None if sale is None else sale.is_known,
            amounts=None if sale is None else _amounts(sale),
        )

    def with_operations(self, operations: Iterable[SaleOperation], limit: int) -> Self:
        shown = [said for each in operations for said in _operations(each)]
        return self.model_copy(
            update={
                "operations": tuple(shown[:limit]),
                "has_more_operations": len(shown) > limit,
            }
        )


def _amounts(sale: Sale) -> tuple[SaleAmountsV1, ...]:
    return tuple(
        SaleAmountsV1(
            currency=code,
            sold=scaled(said.sold or 0, code),
            refunded=scaled(said.refunded, code),
            charged_back=scaled(said.charged_back, code),
            reversed=scaled(said.reversed, code),
            set_aside=scaled(said.set_aside, code),
            left=scaled(said.left, code),
        )
        for code, said in sale.currencies.items()
    )


def _operations(operation: SaleOperation) -> list[SaleOperationV1]:
    return [
        SaleOperationV1(
            falcon_operation_id=operation.falcon_operation_id,
            type=operation.type.value,
            currency=code,
            confirmed=_in(operation, Stage.CONFIRMED, code),
            reconciled=_in(operation, Stage.RECONCILED, code),
            set_aside=scaled(operation.set_aside.get(code, 0), code),
        )
        for code in operation.currencies
    ]


def _in(operation: SaleOperation, stage: Stage, code: str) -> str | None:
    said = operation.stages.get(stage)
    if said is None:
        return None
    return scaled(said[code].amount if code in said else 0, code)
