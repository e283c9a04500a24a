"""What a check says: problems with their places, and what was there."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Discrepancy(NamedTuple):
    """`place`: a file, an object's key, a line of either."""

    place: str
    what: str


@dataclass(slots=True)
class Verified:
    """What was found. `head` is the last manifest's: to be kept, as the next check's anchor."""

    problems: list[Discrepancy] = field(default_factory=list)
    manifests: int = 0
    objects: int = 0
    lines: int = 0
    head: str | None = None
    sealed_until: str | None = None
    balances: list[dict[str, str | int]] = field(default_factory=list)


class NotWrittenSoError(ValueError):
    """Something has another form than the format says."""
