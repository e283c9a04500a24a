"""The result of a check: problems with their places, and totals."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Discrepancy(NamedTuple):
    """A problem; `place` is a file, an object's key, or a line of either."""

    place: str
    what: str


@dataclass(slots=True)
class Verified:
    """The result. `head` is the last manifest's: keep it as the anchor of the next check."""

    problems: list[Discrepancy] = field(default_factory=list)
    manifests: int = 0
    objects: int = 0
    lines: int = 0
    head: str | None = None
    sealed_until: str | None = None
    balances: list[dict[str, str | int]] = field(default_factory=list)


class NotWrittenSoError(ValueError):
    """A key, file, line or field does not have the documented format."""
