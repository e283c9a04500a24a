"""The second opinion on a balance of a merchant of high risk: what the log says of it.

The table says which segments were counted since a closing; the log says what they are. The effect
of a segment depends on the other stage and the earlier revisions of its operation, so these are
taken from the log too, however old they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Self

from falcon_balances.domain.balances import fold
from falcon_balances.domain.closings import Closing
from falcon_balances.domain.history import Figures
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.table_keys import BalanceKey


class CheckedSegment(NamedTuple):
    """A counted segment: as its mark has it, and as the log has it; None if it is not there."""

    marked: Segment
    logged: Segment | None

    @property
    def is_as_logged(self) -> bool:
        return self.logged is not None and self.logged.lines == self.marked.lines


class Opinion(NamedTuple):
    """What was added to a balance: as the marks have it, and what is available of it by the log."""

    marked: Figures = Figures()
    available: int = 0

    def plus(self, other: "Opinion") -> "Opinion":
        return Opinion(self.marked + other.marked, self.available + other.available)


def opinion_on(
    balance: BalanceKey, before: Sequence[CheckedSegment], since: Sequence[CheckedSegment]
) -> Opinion:
    """What `since` added. `before`: what was counted earlier of the same operations."""
    marked = _added(balance, _marked(before), _marked(since))
    logged = _added(balance, _logged(before), _logged(since))
    return Opinion(marked, logged.available_before_blocks)


class Standpoint(NamedTuple):
    """Where an opinion begins: the figures of a closing, and what was available by the log then."""

    figures: Figures = Figures()
    available: int = 0

    @classmethod
    def of(cls, closing: Closing | None) -> Self:
        if closing is None:
            return cls()
        return cls(closing.figures, closing.logged_or_counted)


def logged_available(start: Standpoint, since: Opinion, now: Figures) -> int | None:
    """What is available by the log before blocks, in minor units, of a balance with these figures.

    None if the closing and the marks do not make these figures: one of them is missing or wrong.
    `available` is not compared: if the table has more than the log, the log's figure counts.
    """
    if not start.figures.adds_up or _facts(start.figures + since.marked) != _facts(now):
        return None
    return start.available + since.available


def _marked(counted: Iterable[CheckedSegment]) -> Iterable[Segment]:
    return (each.marked for each in counted)


def _logged(counted: Iterable[CheckedSegment]) -> Iterable[Segment]:
    return (each.logged for each in counted if each.logged is not None)


def _facts(figures: Figures) -> Figures:
    return replace(figures, available_before_blocks=0)


def _added(balance: BalanceKey, before: Iterable[Segment], since: Iterable[Segment]) -> Figures:
    """What `since` added to a balance that had `before` already, whatever the order within."""
    earlier = list(before)
    return _figures(balance, [*earlier, *since]) - _figures(balance, earlier)


def _figures(balance: BalanceKey, segments: Iterable[Segment]) -> Figures:
    folded = fold(segments)
    of_balance = (counters for (_, *key), counters in folded.items() if tuple(key) == balance)
    return Figures.of(next(of_balance, {}))
