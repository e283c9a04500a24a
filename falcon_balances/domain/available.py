"""What is available (design §7): money in counts when both stages say so, money out as soon as
either does.
"""

from typing import NamedTuple


class Agreement(NamedTuple):
    """What the two stages of one operation make of one balance, in minor units.

    Always: counted = confirmed - pending - debits_unconfirmed
                    = reconciled - unapplied - debits_untraced.
    """

    counted: int
    """Part of `available`: what both stages say of money in, what either says of money out."""
    pending: int
    """Confirmed and not yet traced; never below zero."""
    unapplied: int
    """Traced, but nobody confirmed it: nobody can spend it; never below zero."""
    debits_unconfirmed: int
    """Taken already because the bank says so; never below zero."""
    debits_untraced: int
    """Taken already because the PSP says so; never below zero."""


def agreement(confirmed: int, reconciled: int) -> Agreement:
    """`confirmed`, `reconciled`: the nets of the stages' lines, 0 while a stage is absent."""
    counted = min(confirmed, reconciled)
    return Agreement(
        counted,
        max(confirmed, 0) - max(counted, 0),
        max(reconciled, 0) - max(counted, 0),
        min(confirmed, 0) - min(counted, 0),
        min(reconciled, 0) - min(counted, 0),
    )


class Joint(NamedTuple):
    """Changes of the figures that follow from both stages, in minor units, signed."""

    pending: int = 0
    unapplied: int = 0
    debits_unconfirmed: int = 0
    debits_untraced: int = 0
    available: int = 0

    @classmethod
    def between(cls, before: Agreement, after: Agreement) -> "Joint":
        return cls(
            after.pending - before.pending,
            after.unapplied - before.unapplied,
            after.debits_unconfirmed - before.debits_unconfirmed,
            after.debits_untraced - before.debits_untraced,
            after.counted - before.counted,
        )

    def counters(self) -> dict[str, int]:
        """Those that change, by their names in the table."""
        return {name: value for name, value in zip(self._fields, self, strict=True) if value}
