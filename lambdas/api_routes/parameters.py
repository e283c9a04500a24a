"""Checks parameters beyond their format: times, ranges, zones and positions of cursors."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel

from falcon_balances.contracts.cursors import InvalidCursorError
from falcon_balances.contracts.queries import HISTORY_DAYS_MAX
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.history import parse_month, parse_quarter
from falcon_balances.domain.statement_positions import MerchantStatementPosition
from falcon_balances.domain.table_keys import FINDING_KEYS
from lambdas.api_routes.edge import InvalidParameterError

FIRST: Final = datetime.min.replace(tzinfo=UTC)
OPERATION_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FINDING: Final = re.compile(rf"{FINDING_KEYS}[a-z_]+#{OPERATION_ID.pattern}")


def instant_of(name: str, text: str, parse: Callable[[str], datetime]) -> datetime:
    """The instant in a parameter. Raises InvalidParameterError, like all functions here."""
    try:
        return parse(text)
    except ValueError as error:
        raise InvalidParameterError(name, str(error)) from None


def quarter_or_none(name: str, text: str | None) -> datetime | None:
    return None if text is None else instant_of(name, text, parse_quarter)


def month_of(name: str, text: str) -> tuple[datetime, datetime]:
    try:
        return parse_month(text)
    except ValueError as error:
        raise InvalidParameterError(name, str(error)) from None


def zone_of(name: str, text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: the name of a folder of zones
        raise InvalidParameterError(name, "unknown IANA time zone") from None


def check_range(start: datetime, end: datetime) -> None:
    if start >= end:
        raise InvalidParameterError("to", "must be after `from`")
    if end - start > timedelta(days=HISTORY_DAYS_MAX):
        raise InvalidParameterError("from", f"must be at most {HISTORY_DAYS_MAX} days before `to`")


def order_of(position: str | None, start: str, end: str) -> str | None:
    """The order in a cursor's position. A made-up cursor can hold anything."""
    if position is None:
        return None
    try:
        operation_id = CountedOrder.parse(position).falcon_operation_id
        is_ours = bool(OPERATION_ID.fullmatch(operation_id)) and start <= position <= end
    except ValueError:
        is_ours = False
    if not is_ours:
        raise InvalidCursorError
    return position


def position_of(position: str | None, start: str, end: str) -> MerchantStatementPosition | None:
    """The position of a statement's page in a cursor."""
    if position is None:
        return None
    try:
        found = MerchantStatementPosition.parse(position)
    except ValueError:
        raise InvalidCursorError from None
    order_of(found.order.text, start, end)
    return found


def finding_after(position: str | None) -> str | None:
    """The finding in a cursor's position. A made-up cursor can hold anything."""
    if position is not None and not _FINDING.fullmatch(position):
        raise InvalidCursorError
    return position


def without_page(query: BaseModel) -> dict[str, Any]:
    """The query without `cursor` and `limit`: a cursor is valid only for this query."""
    return query.model_dump(mode="json", exclude={"cursor", "limit"}, exclude_none=True)
