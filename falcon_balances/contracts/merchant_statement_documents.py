"""The merchant statement, as the API answers with it: JSON, or CSV (design §8)."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.past_balance_documents import FiguresV1, figures_at_scale
from falcon_balances.domain.history import Figures
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_statements import StatedBalance, StatedLine
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import BalanceKey

_MODEL = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class MerchantStatementBalanceV1(BaseModel):
    model_config = _MODEL

    balance_shop_id: str
    currency: str
    opening: FiguresV1
    closing: FiguresV1

    @classmethod
    def of(cls, stated: StatedBalance) -> Self:
        balance_shop_id, currency = stated.balance
        return cls(
            balance_shop_id=balance_shop_id,
            currency=currency,
            opening=FiguresV1.of(stated.opening, currency),
            closing=FiguresV1.of(stated.closing, currency),
        )


class MerchantStatementLineV1(BaseModel):
    """One line, in the order of counting. `running` is the balance right after the line.

    A revision's lines turn the previous truth into its own; their date is that of the revision. A
    reference is empty if the event has none.

    Figures that follow from both stages change with an operation's last line in a balance.
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
    def of(cls, stated: StatedLine) -> Self:
        mark, line = stated.mark, stated.line
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
            running=FiguresV1.of(stated.running, line.currency.code),
        )


class MerchantStatementV1(Fresh):
    """What was counted in a month (UTC). It never changes; its closing is the next opening."""

    month: str
    start: Annotated[str, Field(alias="from")]
    end: Annotated[str, Field(alias="to")]
    balances: tuple[MerchantStatementBalanceV1, ...]
    lines: tuple[MerchantStatementLineV1, ...]
    next_cursor: str | None

    @classmethod
    def of(
        cls,
        fresh: dict[str, Any],
        period: tuple[datetime, datetime],
        stated: Iterable[StatedBalance],
        lines: Iterable[StatedLine],
        next_cursor: str | None,
    ) -> Self:
        """One page of the statement; `period` is a month, `fresh` the fields of `Fresh`."""
        start, end = map(rfc3339, period)
        return cls(
            **fresh,
            month=start[:7],
            start=start,
            end=end,
            balances=tuple(map(MerchantStatementBalanceV1.of, stated)),
            lines=tuple(map(MerchantStatementLineV1.of, lines)),
            next_cursor=next_cursor,
        )


def merchant_statement_csv(
    stated: Sequence[StatedBalance],
    lines: Iterable[StatedLine],
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
        rows += [_balance_row("opening", each.balance, each.opening, period[0]) for each in stated]
    rows += [_line_row(each) for each in lines]
    if is_last:
        rows += [_balance_row("closing", each.balance, each.closing, period[1]) for each in stated]
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


def _balance_row(row: str, balance: BalanceKey, figures: Figures, at: datetime) -> str:
    start = (row, rfc3339(at), *balance)
    return ",".join([*start, *("" for _ in _LINE_COLUMNS), *_cells(figures, balance.currency)])


def _line_row(stated: StatedLine) -> str:
    """One CSV row. It builds no document first, because a month can have many lines."""
    mark, line = stated.mark, stated.line
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
            *_cells(stated.running, code),
        )
    )


def _cells(figures: Figures, currency: str) -> list[str]:
    return [str(value) for value in figures_at_scale(figures, currency).values()]
