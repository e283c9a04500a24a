"""How long an execution of the payout decider waits, and for what."""

from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import Final

from falcon_balances.adapters.retries import delays
from falcon_balances.domain.errors import TransientError

WAITS_S_MAX: Final = 14.0
"""After the execution began, no wait ends later: checks against the log take time too, and the task
ends after 19 s.
"""
# For concurrent writes to the same balances, and for requests that arrive a moment after their
# returns.
CONTENTION_DELAYS_S: Final = tuple(delays(7, 0.05))
RETURN_DELAYS_S: Final = (1.5,) * 5
# For each merchant: an index lists a mark a moment after it was counted.
LISTING_DELAYS_S: Final = tuple(delays(4, 0.1))


class NotDecidedNowError(TransientError):
    """Nothing is decided on one message, which comes back alone."""


class Patience:
    """The remaining delays of one execution; those for the index are of each merchant."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = clock() + WAITS_S_MAX
        self.contention = self._in_time(CONTENTION_DELAYS_S)
        self.returns = self._in_time(RETURN_DELAYS_S)
        self._listing: dict[str, Iterator[float]] = {}

    def listing(self, merchant_id: str) -> Iterator[float]:
        return self._listing.setdefault(merchant_id, self._in_time(LISTING_DELAYS_S))

    def _in_time(self, some: Iterable[float]) -> Iterator[float]:
        return takewhile(lambda delay_s: self._clock() + delay_s <= self._until, some)
