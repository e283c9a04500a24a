"""What the API says of the past: points in time, history, statements, turnover (design §8)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.queries import Source
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.history import Day, Figures, Mark, Past
from falcon_balances.domain.instants import QUARTER, rfc3339
from falcon_balances.domain.operations import BalanceOperation, Stage, read_staged
from falcon_balances.domain.table_keys import BalanceKey

_MODEL = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
ObjectsRead = Annotated[
    int | None,
    Field(exclude_if=lambda said: said is None, description="Log objects read, with `source=log`."),
]


class FiguresV1(BaseModel):
    """Money as strings at the currency's full scale, nothing set aside taken off."""

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
    """The balances as they were at `at`: by what was counted before it, or, from the log, by what
    bears an operation date before it.
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


class StepV1(BaseModel):
    """A quarter of an hour in which something was counted; in all others nothing changed."""

    model_config = _MODEL

    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    opening: FiguresV1
    closing: FiguresV1


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


class DayV1(BaseModel):
    """Sums of a UTC day of operation dates: another axis than the steps, which are of counting."""

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
        """`period` lies within the past; `days` may be of other balances too."""
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
    """`closed_until`: up to then nothing of it will ever change."""

    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    closed_until: str
    balances: tuple[BalanceHistoryV1, ...]


class StatementBalanceV1(BaseModel):
    model_config = _MODEL

    balance_shop_id: str
    currency: str
    opening: FiguresV1
    closing: FiguresV1


class StatementLineV1(BaseModel):
    """One line, in the order of counting. `running` is its balance right after it.

    A revision's lines are those that make the truth before into its own, dated when it was made.
    References are empty where there is none.

    The figures that follow from both stages change with an operation's last line in a balance.
    """

    model_config = _MODEL

    counted_in: str
    uuid: str
    falcon_operation_id: str
    stage: Stage
    type: str
    amount: str
    currency: str
    balance_shop_id: str
    operation_date: str
    external_reference: str
    psp_id: str
    local_merchant_id: str
    shop_id: str
    revision: int
    occurrence: int
    original_reference: str
    bank_reference: str
    running: FiguresV1

    @classmethod
    def of(cls, mark: Mark, line: BalanceOperation, running: Figures) -> Self:
        return cls(
            counted_in=rfc3339(mark.window),
            uuid=line.uuid,
            falcon_operation_id=line.falcon_operation_id,
            stage=mark.stage,
            type=line.type.value,
            amount=str(line.amount),
            currency=line.currency.code,
            balance_shop_id=line.balance_shop_id,
            operation_date=rfc3339(line.operation_date),
            external_reference=line.external_reference,
            psp_id=line.psp_id,
            local_merchant_id=line.local_merchant_id,
            shop_id=line.shop_id,
            revision=mark.revision,
            occurrence=line.occurrence,
            original_reference=line.original_reference,
            bank_reference=line.bank_reference,
            running=FiguresV1.of(running, line.currency.code),
        )


class StatementV1(Fresh):
    """What was counted in a month (UTC): it never changes, and closing is the next opening."""

    month: str
    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    balances: tuple[StatementBalanceV1, ...]
    lines: tuple[StatementLineV1, ...]
    next_cursor: str | None


class TurnoverOfCurrencyV1(BaseModel):
    """`late_sums` are those of `sums` that were learned of after the month had ended."""

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
    """By operation date. `late_operations`, the first of them by when they were counted, came
    after the month had ended; null with `source=log`, which does not know when anything came.
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


def statement_csv(
    balances: Iterable[StatementBalanceV1],
    lines: Iterable[tuple[Mark, BalanceOperation, Figures]],
    period: tuple[datetime, datetime],
    *,
    is_first: bool,
    is_last: bool,
) -> str:
    """Openings on the first page, a row per line, closings on the last. No value can begin a
    formula: ids begin with a letter or digit, references not with = + - or @, and a sign is
    followed by a digit.
    """
    rows = [",".join(_CSV_COLUMNS)] if is_first else []
    if is_first:
        rows += [_balance_row("opening", each, each.opening, period[0]) for each in balances]
    rows += [_line_row(*line) for line in lines]
    if is_last:
        rows += [_balance_row("closing", each, each.closing, period[1]) for each in balances]
    return "".join(f"{row}\n" for row in rows)


_LINE_COLUMNS = (
    "uuid",
    "falcon_operation_id",
    "stage",
    "type",
    "amount",
    "operation_date",
    "external_reference",
    "psp_id",
    "local_merchant_id",
    "shop_id",
    "revision",
    "occurrence",
    "original_reference",
    "bank_reference",
)
_FIGURE_COLUMNS = tuple(FiguresV1.model_fields)
_CSV_COLUMNS = ("row", "at", "balance_shop_id", "currency", *_LINE_COLUMNS, *_FIGURE_COLUMNS)


def _balance_row(row: str, balance: StatementBalanceV1, figures: FiguresV1, at: datetime) -> str:
    start = (row, rfc3339(at), balance.balance_shop_id, balance.currency)
    return ",".join([*start, *("" for _ in _LINE_COLUMNS), *_figures_of(figures)])


def _line_row(mark: Mark, line: BalanceOperation, running: Figures) -> str:
    """Of its own making, without a document in between: a month is long."""
    code = line.currency.code
    return ",".join(
        (
            "line",
            rfc3339(mark.window),
            line.balance_shop_id,
            code,
            line.uuid,
            line.falcon_operation_id,
            mark.stage,
            line.type,
            str(line.amount),
            rfc3339(line.operation_date),
            line.external_reference,
            line.psp_id,
            line.local_merchant_id,
            line.shop_id,
            str(mark.revision),
            str(line.occurrence),
            line.original_reference,
            line.bank_reference,
            *map(str, figures_at_scale(running, code).values()),
        )
    )


def _figures_of(figures: FiguresV1) -> list[str]:
    return [str(getattr(figures, name)) for name in _FIGURE_COLUMNS]
