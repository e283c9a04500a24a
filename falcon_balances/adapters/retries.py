"""Delays between attempts that fail because of conflicts."""

from collections.abc import Iterator
from math import inf
from random import uniform


def delays(
    attempts: int, first_s: float, *, longest_s: float = inf, is_spread: bool = False
) -> Iterator[float]:
    """The delay after each attempt in seconds, each twice the previous one, up to `longest_s`.
    `is_spread`: each delay is random, from half its length to all of it, so that callers that
    collided do not collide again.
    https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
    """
    for attempt in range(attempts):
        delay_s: float = min(first_s * 2**attempt, longest_s)
        yield uniform(0.5, 1.0) * delay_s if is_spread else delay_s  # noqa: S311 - no secret
