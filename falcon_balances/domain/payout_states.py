"""Payout states (design §5), and the moves from one to the next.

    decided --LOG--> logging --PAY--> paid
       |
       +--GIVE_UP--> given_up           refused from the start

Each move is a conditional write on the payout's claim, so it is made once. From `logging` on a
payout only moves forward: its line may already be in the log.
"""

from enum import StrEnum
from typing import Final, NamedTuple


class PayoutState(StrEnum):
    DECIDED = "decided"
    LOGGING = "logging"
    PAID = "paid"
    GIVEN_UP = "given_up"
    REFUSED = "refused"


class Move(NamedTuple):
    source: PayoutState
    target: PayoutState


LOG: Final = Move(PayoutState.DECIDED, PayoutState.LOGGING)
"""Made by the payout logger, before anything is in the log."""
PAY: Final = Move(PayoutState.LOGGING, PayoutState.PAID)
"""Made by the payout announcer, once the line is in the log and on the stream."""
GIVE_UP: Final = Move(PayoutState.DECIDED, PayoutState.GIVEN_UP)
"""Made by a person, with the end of the block in the same write."""
MOVES: Final = (LOG, PAY, GIVE_UP)

UNDER_WAY: Final = frozenset(move.source for move in MOVES)
"""States that are not final."""
DECIDED_AGAINST: Final = frozenset({PayoutState.REFUSED, PayoutState.GIVEN_UP})
"""Final states without a payment: nothing of such a payout is ever logged."""
