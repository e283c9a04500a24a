"""What can be written to the table `balances`, as plain data: DynamoDB and its in-memory fake carry
out the same writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from falcon_balances.domain.table_keys import ItemKey


@dataclass(frozen=True, slots=True)
class PutMark:
    """The record that (a part of) a segment has been counted: written only where there is none."""

    key: ItemKey
    attributes: Mapping[str, str | int]
    only_if_absent: bool = True


@dataclass(frozen=True, slots=True)
class AddCounters:
    """Whole numbers added to an item's attributes; what is not there yet counts from zero."""

    key: ItemKey
    counters: Mapping[str, int]
    available_min: int | None = None
    """Only if `available` is at least this much."""
    blocked_max: int | None = None
    """Only if no more than this is blocked."""
    operations_count: int | None = None
    """Only if exactly so many lines are counted."""
    at_least: tuple[str, int] | None = None
    """Only if this attribute is there, and at least so much."""
    none_of: str | None = None
    """Only if this attribute is not there, or zero."""


@dataclass(frozen=True, slots=True)
class EndBlock:
    """The one end of a block: only while it is active and, if it expires, from its expiry on."""

    key: ItemKey
    status: str
    ended_at: str
    ended_by: str
    expired_at: str | None = None

    def holds(self, there: Mapping[str, str | int]) -> bool:
        """Whether a block as it lies in the table may end like this; times sort as texts."""
        is_due = self.expired_at is None or str(there.get("expiry", "~")) <= self.expired_at
        return there.get("status") == "active" and is_due


@dataclass(frozen=True, slots=True)
class PutStanding:
    """An operation's two stages at one merchant as they stand now (`domain/standing.py`).

    Only where the version that was read is still there: `seen` is 0 where there must be none.
    """

    key: ItemKey
    attributes: Mapping[str, str | int]
    seen: int


@dataclass(frozen=True, slots=True)
class PutNewer:
    """Written only where there is none, or one that knew less: `known` is among its attributes."""

    key: ItemKey
    attributes: Mapping[str, str | int]
    known: int


@dataclass(frozen=True, slots=True)
class NoteFound:
    """What was found in an item, kept there, while it is as it was read: its version moves on."""

    key: ItemKey
    version: int
    found: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Gone, whether it was there or not."""

    key: ItemKey


TableWrite = PutMark | AddCounters | EndBlock | PutStanding | PutNewer | NoteFound | Drop
