"""What an operation, or a revision of it, says about its sale (design §7)."""

from dataclasses import dataclass, replace
from typing import Final

from falcon_balances.domain.operations import OperationType, PspOperation, Stage
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.table_keys import ItemKey

TAKING: Final = frozenset({OperationType.REFUND, OperationType.CHARGEBACK})
OF_A_SALE: Final = TAKING | {OperationType.CHARGEBACK_REVERSAL}


@dataclass(frozen=True, slots=True)
class SalePart:
    """What an operation says about a sale, or how a revision changes that; in minor units.

    `operations` is 1 if the operation joins the sale, -1 if it leaves it for another.
    """

    sale: SaleKey
    type: OperationType
    currency: str
    amount: int
    commission: int = 0
    operations: int = 1


def sale_part(operation: PspOperation, merchant_id: str) -> SalePart | None:
    """The sale part of the whole event; None if it belongs to no sale. `merchant_id` is the
    merchant that the event names.

    A capture is a sale itself under its own reference, whatever its occurrence.
    """
    if operation.type is OperationType.CAPTURE:
        reference: str | None = operation.external_reference
    else:
        reference = operation.original_reference if operation.type in OF_A_SALE else None
    if reference is None:
        return None
    return SalePart(
        SaleKey(merchant_id, operation.psp_id, reference),
        operation.type,
        operation.amount.currency.code,
        operation.amount.minor,
        sum(part.marketplace_fee.minor for part in operation.splits if part.marketplace_fee),
    )


def sale_change(old: SalePart | None, new: SalePart | None) -> tuple[SalePart, ...]:
    """The changes of a revision: the new part less the old, at one sale or at two."""
    if old is not None and new is not None and old.sale == new.sale:
        if old.currency == new.currency:
            amount, commission = new.amount - old.amount, new.commission - old.commission
            changed = replace(new, amount=amount, commission=commission, operations=0)
            return (changed,) if amount or commission else ()
        return (_left(old, 0), replace(new, operations=0))
    leaving = () if old is None else (_left(old, -1),)
    return leaving if new is None else (*leaving, new)


def _left(old: SalePart, operations: int) -> SalePart:
    return replace(old, amount=-old.amount, commission=-old.commission, operations=operations)


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A sale part with its operation and stage."""

    part: SalePart
    falcon_operation_id: str
    stage: Stage

    @property
    def operation_item(self) -> ItemKey | None:
        """The item to read before counting; none for a capture."""
        if self.part.type is OperationType.CAPTURE:
            return None
        return self.part.sale.operation_item(self.falcon_operation_id)
