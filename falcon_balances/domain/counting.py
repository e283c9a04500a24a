"""Counting (design §7): which figures of a balance the lines of each stage add to."""

from collections.abc import Mapping
from typing import Final

from falcon_balances.domain.operations import Stage

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
_OF_ONE_STAGE: Final = {
    Stage.CONFIRMED: ("confirmed", 1),
    Stage.RECONCILED: ("reconciled", 1),
    Stage.PAYOUT: ("withdrawn", -1),
    Stage.ADJUSTMENT: ("adjusted", 1),
}


def stage_counters(stage: Stage, amount: int, lines: int) -> dict[str, int]:
    """What lines of one stage that add up to `amount` add whatever the other stage says.

    The joint figures, and `available` with them, follow from both (`domain/available.py`).
    """
    name, sign = _OF_ONE_STAGE[stage]
    return {name: sign * amount, "operations_count": lines}


def add_to(total: dict[str, int], added: Mapping[str, int]) -> None:
    for name, value in added.items():
        total[name] = total.get(name, 0) + value
