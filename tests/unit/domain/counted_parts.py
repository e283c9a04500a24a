"""Segments as they arrived, and the parts in which they are counted."""

from collections.abc import Sequence
from datetime import UTC, datetime

from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.parts import ArrivedSegment, CountablePart, countable_parts
from falcon_balances.domain.table_writes import TableWrite
from falcon_balances.domain.transactions import (
    joined,
    writes_of,
)

ARRIVED_AT = datetime(2026, 3, 5, 10, 30, tzinfo=UTC)


def arrived(segment: Segment, window: datetime = ARRIVED_AT) -> ArrivedSegment:
    return ArrivedSegment(segment, window, log_key(segment), "f" * 64)


def parts_of(*segments: Segment, window: datetime = ARRIVED_AT) -> list[CountablePart]:
    return [part for item in segments for part in countable_parts(arrived(item, window))]


def all_writes(group: Sequence[CountablePart]) -> list[TableWrite]:
    """Where nothing was counted before."""
    return writes_of(*joined(group, {}))


MARCH = parse_rfc3339("2026-03-05T10:15:30Z")
APRIL = parse_rfc3339("2026-04-01T00:00:00Z")
