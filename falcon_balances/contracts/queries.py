"""Query parameters of the API: names, formats and limits, as OpenAPI shows them."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.formats import (
    CURSOR_PATTERN,
    ID_PATTERN,
    INSTANT_PATTERN,
    MONTH_PATTERN,
    QUARTER_PATTERN,
    REFERENCE_PATTERN,
    ZONE_PATTERN,
)
from falcon_balances.domain.operations import OperationType, Stage

LIMIT_MAX: Final = 200
LIMIT_DEFAULT: Final = 50
HISTORY_DAYS_MAX: Final = 31

Quarter = Annotated[str, Field(pattern=QUARTER_PATTERN)]
Instant = Annotated[str, Field(pattern=INSTANT_PATTERN)]
QueriedId = Annotated[str, Field(pattern=ID_PATTERN)]
Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[
    str,
    Field(
        pattern=CURSOR_PATTERN,
        description="`next_cursor` of the page before, with the same query.",
    ),
]
Source = Literal["table", "log"]


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class BalancesQuery(_Query):
    at: Annotated[
        Instant | None,
        Field(
            description="The balances as they were then. From the table: the beginning of a closed "
            "quarter of an hour, and what was counted before it. From the log: any instant, and "
            "what bears an operation date before it."
        ),
    ] = None
    source: Annotated[
        Source,
        Field(description="`log` adds up the merchant's log objects: exact, independent, slower."),
    ] = "table"


class HistoryQuery(_Query):
    start: Annotated[
        Quarter | None, Field(alias="from", description="Included; a day before `to` by default.")
    ] = None
    end: Annotated[
        Quarter | None,
        Field(alias="to", description="Not included; the newest closed quarter by default."),
    ] = None


class OperationsQuery(_Query):
    start: Annotated[Quarter | None, Field(alias="from", description="Counted from then on.")] = (
        None
    )
    end: Annotated[Quarter | None, Field(alias="to", description="Counted before then.")] = None
    type: Annotated[
        OperationType | None, Field(description="Operations with a line of this type.")
    ] = None
    stage: Stage | None = None
    balance_shop_id: Annotated[
        QueriedId | None, Field(description="Operations with a line in this balance.")
    ] = None
    psp_id: QueriedId | None = None
    reference: Annotated[
        str | None,
        Field(
            pattern=REFERENCE_PATTERN,
            description="Operations that bear exactly this reference, and those that have it as "
            "their original.",
        ),
    ] = None
    order: Annotated[
        Literal["newest_first", "oldest_first"], Field(description="In the order of counting.")
    ] = "newest_first"
    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor | None = None


class MerchantStatementQuery(_Query):
    balance_shop_id: QueriedId | None = None
    format: Literal["json", "csv"] = "json"
    limit: Annotated[Limit, Field(description="Operations on a page, with all their lines.")] = (
        LIMIT_MAX
    )
    cursor: Cursor | None = None


class TurnoverQuery(_Query):
    month: Annotated[str, Field(pattern=MONTH_PATTERN, description="`YYYY-MM`, of operation dates")]
    time_zone: Annotated[
        str,
        Field(
            pattern=ZONE_PATTERN,
            description="An IANA time zone; another than UTC with `source=log` only.",
        ),
    ] = "UTC"
    source: Source = "table"


class FindingsQuery(_Query):
    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor | None = None


class UnreconciledQuery(_Query):
    older_than_days: Annotated[int, Field(ge=0, le=3650)] = 0
    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor | None = None
