"""A balance's history, as the API answers with it (design §8)."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.past_balance_documents import FiguresV1
from falcon_balances.contracts.turnover_documents import SumV1, sums_at_scale
from falcon_balances.domain.history import Day, Past
from falcon_balances.domain.instants import QUARTER, rfc3339
from falcon_balances.domain.table_keys import BalanceKey

_MODEL = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class StepV1(BaseModel):
    """A quarter of an hour in which something was counted; in all others nothing changed."""

    model_config = _MODEL

    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    opening: FiguresV1
    closing: FiguresV1


class DayV1(BaseModel):
    """Sums of one UTC day, by operation date. Steps, by contrast, go by the time of counting."""

    model_config = _MODEL

    date: str
    operations_count: int
    sums: tuple[SumV1, ...]

    @classmethod
    def of(cls, day: Day) -> Self:
        return cls(
            date=day.date,
            operations_count=day.operations_count,
            sums=sums_at_scale(day.sums, day.balance.currency),
        )


class BalanceHistoryV1(BaseModel):
    model_config = _MODEL

    balance_shop_id: str
    currency: str
    opening: FiguresV1
    closing: FiguresV1
    steps: tuple[StepV1, ...]
    days: tuple[DayV1, ...]

    @classmethod
    def of(
        cls, key: BalanceKey, past: Past, period: tuple[datetime, datetime], days: Iterable[Day]
    ) -> Self:
        """The history of one balance. `period` lies within `past`; `days` may be of other balances
        too.
        """
        start, end = period
        opening = running = past.at(start)[key]
        steps = []
        for window in past.between(start, end):
            if window.balance == key:
                after = running + window.change
                steps.append(
                    StepV1(
                        start=rfc3339(window.start),
                        end=rfc3339(window.start + QUARTER),
                        opening=FiguresV1.of(running, key.currency),
                        closing=FiguresV1.of(after, key.currency),
                    )
                )
                running = after
        return cls(
            balance_shop_id=key.balance_shop_id,
            currency=key.currency,
            opening=FiguresV1.of(opening, key.currency),
            closing=FiguresV1.of(running, key.currency),
            steps=tuple(steps),
            days=tuple(DayV1.of(day) for day in days if day.balance == key),
        )


class HistoryV1(Fresh):
    """`closed_until`: the history up to this time will never change."""

    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    closed_until: str
    balances: tuple[BalanceHistoryV1, ...]
