"""A month's turnover, as the API answers with it (design §8)."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.past_balance_documents import ObjectsRead
from falcon_balances.contracts.queries import Source
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.operations import Stage, read_staged

_MODEL = ConfigDict(frozen=True, extra="forbid")


class SumV1(BaseModel):
    model_config = _MODEL

    stage: Stage
    type: str
    amount: str


def sums_at_scale(sums: Mapping[tuple[Stage, str], int], currency: str) -> tuple[SumV1, ...]:
    return tuple(
        SumV1(stage=stage, type=kind, amount=scaled(amount, currency))
        for (stage, kind), amount in sorted(sums.items())
    )


class TurnoverOfCurrencyV1(BaseModel):
    """`late_sums`: the share of `sums` that was counted after the month had ended."""

    model_config = _MODEL

    currency: str
    operations_count: int
    sums: tuple[SumV1, ...]
    late_sums: tuple[SumV1, ...]


class LateOperationV1(BaseModel):
    model_config = _MODEL

    falcon_operation_id: str
    stage: Stage
    revision: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1
    operation_date: str
    counted_in: str

    @classmethod
    def of_order(cls, order: CountedOrder) -> Self:
        stage, revision = read_staged(order.staged)
        return cls(
            falcon_operation_id=order.falcon_operation_id,
            stage=stage,
            revision=revision,
            operation_date=order.booked_at,
            counted_in=order.window,
        )


class TurnoverV1(Fresh):
    """Turnover by operation date. `late_operations`: the first operations that were counted after
    the month had ended; null with `source=log`, because the log has no times of counting.
    """

    month: str
    time_zone: str
    source: Source
    objects_read: ObjectsRead = None
    currencies: tuple[TurnoverOfCurrencyV1, ...]
    late_operations: tuple[LateOperationV1, ...] | None
    has_more_late_operations: bool


def turnover_of(
    sums: Mapping[str, Mapping[tuple[Stage, str], int]],
    late: Mapping[str, Mapping[tuple[Stage, str], int]],
    counts: Mapping[str, int],
) -> tuple[TurnoverOfCurrencyV1, ...]:
    return tuple(
        TurnoverOfCurrencyV1(
            currency=currency,
            operations_count=counts[currency],
            sums=sums_at_scale(sums[currency], currency),
            late_sums=sums_at_scale(late.get(currency, {}), currency),
        )
        for currency in sorted(sums)
    )
