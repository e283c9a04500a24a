"""The rule for `available` (design §7): incoming money counts when both stages report it, outgoing
money as soon as either does.
"""

from typing import NamedTuple


class Agreement(NamedTuple):
    """The figures of one balance that follow from the two stages of one operation, in minor units.

    Always: counted = confirmed - pending - debits_unconfirmed = reconciled - unapplied -
    debits_untraced.
    """

    counted: int
    """The operation's part of `available`: incoming money as far as both stages report it, outgoing
    money as far as either does.
    """
    pending: int
    """Confirmed and not yet traced; never below zero."""
    unapplied: int
    """Traced but not confirmed, so it cannot be spent; never below zero."""
    debits_unconfirmed: int
    """Already deducted because the bank reports it; never below zero."""
    debits_untraced: int
    """Already deducted because the PSP reports it; never below zero."""


def agreement(confirmed: int, reconciled: int) -> Agreement:
    """The figures from the sums of each stage's lines; a missing stage has the sum 0."""
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
        """The changes that are not zero, by their names in the table."""
        return {name: value for name, value in zip(self._fields, self, strict=True) if value}
