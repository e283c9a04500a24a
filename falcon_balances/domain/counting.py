"""Counting (design §7): which figures of a balance the lines of each stage add to.

The other figures follow from both stages of an operation together: `domain/available.py`.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

from falcon_balances.domain.operations import Stage


class Available(Enum):
    """How the lines of a stage affect `available`."""

    BY_BOTH_STAGES = "both stages of the operation together decide"
    AT_ONCE = "the line alone decides"


class Counted(NamedTuple):
    """How the lines of a stage are counted."""

    figure: str
    """The figure to which the lines add."""
    sign: int
    """-1 if the figure counts outgoing money, whose lines are negative."""
    available: Available


BY_STAGE: Final[Mapping[Stage, Counted]] = {
    Stage.CONFIRMED: Counted("confirmed", 1, Available.BY_BOTH_STAGES),
    Stage.RECONCILED: Counted("reconciled", 1, Available.BY_BOTH_STAGES),
    Stage.PAYOUT: Counted("withdrawn", -1, Available.AT_ONCE),
    Stage.ADJUSTMENT: Counted("adjusted", 1, Available.AT_ONCE),
}
# All counters of a balance, and of a window.
COUNTERS: Final = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "adjusted",
    "available",
    "operations_count",
)


def stage_counters(stage: Stage, amount: int, lines: int) -> dict[str, int]:
    """The changes that `lines` lines with the sum `amount` make, whatever the other stage says."""
    counted = BY_STAGE[stage]
    return {counted.figure: counted.sign * amount, "operations_count": lines}


def available_at_once(stage: Stage, amount: int) -> int:
    """The change of `available` by lines with the sum `amount`, whatever the other stage says."""
    return amount if BY_STAGE[stage].available is Available.AT_ONCE else 0


def add_to(total: dict[str, int], added: Mapping[str, int]) -> None:
    for name, value in added.items():
        total[name] = total.get(name, 0) + value
