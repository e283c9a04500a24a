"""Balances at an earlier moment, as the API answers with them (design §8)."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.queries import Source
from falcon_balances.domain.history import Figures
from falcon_balances.domain.table_keys import BalanceKey

_MODEL = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
ObjectsRead = Annotated[
    int | None,
    Field(
        exclude_if=lambda said: said is None,
        description="With `source=log`: the number of log objects that were read.",
    ),
]


class FiguresV1(BaseModel):
    """Amounts as strings at the currency's full scale, as if nothing were blocked."""

    model_config = _MODEL

    confirmed: str
    reconciled: str
    pending: str
    unapplied: str
    debits_unconfirmed: str
    debits_untraced: str
    withdrawn: str
    adjusted: str
    available_before_blocks: str
    operations_count: int

    @classmethod
    def of(cls, figures: Figures, currency: str) -> "FiguresV1":
        return FiguresV1(**figures_at_scale(figures, currency))


def figures_at_scale(figures: Figures, currency: str) -> dict[str, Any]:
    return {
        "confirmed": scaled(figures.confirmed, currency),
        "reconciled": scaled(figures.reconciled, currency),
        "pending": scaled(figures.pending, currency),
        "unapplied": scaled(figures.unapplied, currency),
        "debits_unconfirmed": scaled(figures.debits_unconfirmed, currency),
        "debits_untraced": scaled(figures.debits_untraced, currency),
        "withdrawn": scaled(figures.withdrawn, currency),
        "adjusted": scaled(figures.adjusted, currency),
        "available_before_blocks": scaled(figures.available_before_blocks, currency),
        "operations_count": figures.operations_count,
    }


class BalanceAtV1(FiguresV1):
    balance_shop_id: str
    currency: str


class BalancesAtV1(Fresh):
    """The balances at the time `at`: sums of everything counted before it or, from the log, of all
    operations dated before it.
    """

    at: str
    by: Literal["counting", "operation_date"]
    source: Source
    objects_read: ObjectsRead = None
    balances: tuple[BalanceAtV1, ...]


def balances_at(figures: Mapping[BalanceKey, Figures]) -> tuple[BalanceAtV1, ...]:
    return tuple(
        BalanceAtV1(
            balance_shop_id=key.balance_shop_id,
            currency=key.currency,
            **figures_at_scale(figures[key], key.currency),
        )
        for key in sorted(figures)
    )
