"""The writes to the table `balances` as plain data: DynamoDB and its in-memory fake execute the
same.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from falcon_balances.domain.table_keys import ItemKey


@dataclass(frozen=True, slots=True)
class PutMark:
    """Stores a new item, such as the mark of a counted segment; by default only if absent."""

    key: ItemKey
    attributes: Mapping[str, str | int]
    only_if_absent: bool = True


@dataclass(frozen=True, slots=True)
class AddCounters:
    """Adds whole numbers to an item's attributes; an absent attribute counts from zero."""

    key: ItemKey
    counters: Mapping[str, int]
    available_min: int | None = None
    """Condition: `available` is at least this."""
    blocked_max: int | None = None
    """Condition: at most this is blocked."""
    operations_count: int | None = None
    """Condition: exactly so many lines are counted."""
    at_least: tuple[str, int] | None = None
    """Condition: this attribute exists and is at least so much."""
    none_of: str | None = None
    """Condition: this attribute is absent or zero."""


@dataclass(frozen=True, slots=True)
class EndBlock:
    """Ends a block once: only if the block is active and, with `expired_at`, if its expiry is not
    after that time.
    """

    key: ItemKey
    status: str
    ended_at: str
    ended_by: str
    expired_at: str | None = None

    def holds(self, there: Mapping[str, str | int]) -> bool:
        """Whether this write can end a block with these attributes. Times are compared as texts,
        which sort like the times.
        """
        is_due = self.expired_at is None or str(there.get("expiry", "~")) <= self.expired_at
        return there.get("status") == "active" and is_due


@dataclass(frozen=True, slots=True)
class PutStanding:
    """Stores an operation's two stages at one merchant (`domain/standing.py`).

    It does so only if the item still has the version that was `seen`; 0 means that there must be no
    item.
    """

    key: ItemKey
    attributes: Mapping[str, str | int]
    seen: int


@dataclass(frozen=True, slots=True)
class PutNewer:
    """Stores an item only if absent, or if the stored one knew less: `known` is among its
    attributes.
    """

    key: ItemKey
    attributes: Mapping[str, str | int]
    known: int


@dataclass(frozen=True, slots=True)
class NoteFound:
    """Stores an item's findings, only if the item is unchanged; increases its version."""

    key: ItemKey
    version: int
    found: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Deletes an item, if it exists."""

    key: ItemKey


TableWrite = PutMark | AddCounters | EndBlock | PutStanding | PutNewer | NoteFound | Drop
