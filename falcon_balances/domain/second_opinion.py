"""The second opinion on a balance of a merchant of high risk: what the log says of it.

The table says which segments were counted since a closing; the log says what they are. The effect
of a segment depends on the other stage and the earlier revisions of its operation, so these are
taken from the log too, however old they are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from falcon_balances.domain.balances import fold
from falcon_balances.domain.history import Figures
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.table_keys import BalanceKey


class Counted(NamedTuple):
    """A counted segment: as its mark has it, and as the log has it; None if it is not there."""

    marked: Segment
    logged: Segment | None

    @property
    def is_as_logged(self) -> bool:
        return self.logged is not None and self.logged.lines == self.marked.lines


class Balanced(NamedTuple):
    """A balance: at a closing, and now, as the table has it."""

    balance: BalanceKey
    closing: Figures
    now: Figures


def logged_available(
    balanced: Balanced, before: Sequence[Counted], since: Sequence[Counted]
) -> int | None:
    """What is available by the log before blocks, in minor units.

    `since`: all that was counted since the closing. `before`: what was counted earlier of the same
    operations. None if the closing and the marks do not make the balance that the table has: one of
    them is missing or wrong. `available` is not compared: if the table has more than the log, the
    log's figure counts.
    """
    balance, closing, now = balanced
    marked = _added(balance, _marked(before), _marked(since))
    if not closing.adds_up or _facts(closing + marked) != _facts(now):
        return None
    logged = _added(balance, _logged(before), _logged(since))
    return (closing + logged).available_before_blocks


def _marked(counted: Iterable[Counted]) -> Iterable[Segment]:
    return (each.marked for each in counted)


def _logged(counted: Iterable[Counted]) -> Iterable[Segment]:
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
