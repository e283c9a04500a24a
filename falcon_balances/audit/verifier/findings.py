"""The result of a check: problems with their places, and totals."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

# A forged manifest can have millions of lines, and each can be wrong.
PROBLEMS_MAX = 10_000


class Discrepancy(NamedTuple):
    """A problem; `place` is a file, an object's key, or a line of either."""

    place: str
    what: str


class Problems(list[Discrepancy]):
    """The first PROBLEMS_MAX problems, so that hostile files do not fill the memory; `more` counts
    those that are not kept.
    """

    more = 0

    def extend(self, some: Iterable[Discrepancy]) -> None:
        for each in some:
            self.append(each)
        self.more += getattr(some, "more", 0)

    def append(self, each: Discrepancy) -> None:
        if len(self) < PROBLEMS_MAX:
            super().append(each)
        else:
            self.more += 1

    def __iadd__(self, some: Iterable[Discrepancy]) -> Self:  # type: ignore[override, misc]
        self.extend(some)
        return self

    @property
    def total(self) -> int:
        """The number of all problems, after `finish`."""
        return len(self) + self.more - bool(self.more)

    def finish(self) -> None:
        """Sorts the problems. The last one says how many more there are."""
        self.sort()
        if self.more:
            super().append(Discrepancy("and more", f"{self.more} more problems are not listed"))


@dataclass(slots=True)
class Verified:
    """The result. `head` is the last manifest's: keep it as the anchor of the next check."""

    problems: Problems = field(default_factory=Problems)
    manifests: int = 0
    objects: int = 0
    lines: int = 0
    head: str | None = None
    sealed_until: str | None = None
    balances: list[dict[str, str | int]] = field(default_factory=list)


class NotWrittenSoError(ValueError):
    """A key, file, line or field does not have the documented format."""
