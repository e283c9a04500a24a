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
        description="`next_cursor` of the previous page. The rest of the query must be unchanged.",
    ),
]
Source = Literal["table", "log"]


class _Query(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class BalancesQuery(_Query):
    at: Annotated[
        Instant | None,
        Field(
            description="A time in the past: the answer has the balances of that time. With "
            "`source=table`, the time is the beginning of a quarter of an hour that is closed, and "
            "the balances contain everything that was counted before it. With `source=log`, every "
            "time is possible, and the balances contain all operations dated before it."
        ),
    ] = None
    source: Annotated[
        Source,
        Field(description="`log` adds up the merchant's log objects: exact, independent, slower."),
    ] = "table"


class HistoryQuery(_Query):
    start: Annotated[
        Quarter | None,
        Field(
            alias="from", description="The beginning of the period; a day before `to` by default."
        ),
    ] = None
    end: Annotated[
        Quarter | None,
        Field(
            alias="to",
            description="The end of the period; the end of the newest closed quarter by default.",
        ),
    ] = None


class OperationsQuery(_Query):
    start: Annotated[
        Quarter | None,
        Field(alias="from", description="Only what was counted at this time or later."),
    ] = None
    end: Annotated[
        Quarter | None, Field(alias="to", description="Only what was counted before this time.")
    ] = None
    type: Annotated[
        OperationType | None, Field(description="Only operations with a line of this type.")
    ] = None
    stage: Stage | None = None
    balance_shop_id: Annotated[
        QueriedId | None,
        Field(description="Only operations with a line in a balance of this shop."),
    ] = None
    psp_id: QueriedId | None = None
    reference: Annotated[
        str | None,
        Field(
            pattern=REFERENCE_PATTERN,
            description="Only operations that have exactly this reference, or whose original has "
            "it.",
        ),
    ] = None
    order: Annotated[
        Literal["newest_first", "oldest_first"],
        Field(description="The order, by time of counting."),
    ] = "newest_first"
    limit: Limit = LIMIT_DEFAULT
    cursor: Cursor | None = None


class MerchantStatementQuery(_Query):
    balance_shop_id: QueriedId | None = None
    format: Literal["json", "csv"] = "json"
    limit: Annotated[Limit, Field(description="The most operations on a page.")] = LIMIT_MAX
    cursor: Cursor | None = None


class TurnoverQuery(_Query):
    month: Annotated[
        str, Field(pattern=MONTH_PATTERN, description="`YYYY-MM`: the month of operation dates.")
    ]
    time_zone: Annotated[
        str,
        Field(
            pattern=ZONE_PATTERN,
            description="An IANA time zone. Every zone except UTC requires `source=log`.",
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
