"""How long is waited before something is tried again that others got in the way of."""

from collections.abc import Iterator
from math import inf
from random import uniform


def delays(
    attempts: int, first_s: float, *, longest_s: float = inf, is_spread: bool = False
) -> Iterator[float]:
    """One for each attempt, in seconds: what to wait after it if it failed, each twice the one
    before. `is_spread`: between half of that and all of it, so that many callers who met do not
    meet again.
    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    for attempt in range(attempts):
        delay_s: float = min(first_s * 2**attempt, longest_s)
        yield uniform(0.5, 1.0) * delay_s if is_spread else delay_s  # noqa: S311 - no secret
