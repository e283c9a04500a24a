"""Instants: UTC, whole seconds, one format."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

RFC3339_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3])(:[0-5][0-9]){2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
_RFC3339 = re.compile(RFC3339_PATTERN.removesuffix("$") + r"\Z")
_SECONDS_END = 19
QUARTER: Final = timedelta(minutes=15)


def parse_rfc3339(text: str) -> datetime:
    """An instant in RFC 3339 with an offset; up to nine fraction digits are dropped first.

    Raises ValueError for another format, for days and hours that do not exist (leap seconds
    included), and for instants outside the years 1 to 9999 in UTC.
    """
    if not _RFC3339.match(text):
        raise ValueError("must be RFC 3339 with an offset, such as 2026-11-20T10:15:30Z")
    offset = text[_SECONDS_END:].lstrip(".0123456789").upper()
    try:
        return datetime.fromisoformat(text[:_SECONDS_END] + offset).astimezone(UTC)
    except OverflowError as overflow:
        raise ValueError("must lie in the years 1 to 9999, in UTC") from overflow


@lru_cache(maxsize=4096)  # one event formats the same few dates repeatedly
def rfc3339(instant: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`; the instant must be in UTC."""
    return instant.isoformat()[:_SECONDS_END] + "Z"


def quarter_of(instant: datetime) -> datetime:
    """The start of the quarter of an hour that the instant lies in."""
    return instant.replace(minute=instant.minute // 15 * 15, second=0, microsecond=0)
