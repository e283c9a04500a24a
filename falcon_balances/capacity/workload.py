"""A load to plan for: messages a second, among merchants, kept for years; and how it is batched."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import expm1, isfinite, log1p
from typing import Final

PER_SECOND_MIN: Final = 0.001
PER_SECOND_MAX: Final = 1_000_000.0
MERCHANTS_MAX: Final = 100_000
ZIPF_MAX: Final = 10.0
YEARS_MAX: Final = 100.0
WINDOW_S_MAX: Final = 300
"""https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html"""


@dataclass(frozen=True, slots=True)
class Batching:
    """The sizes and windows of the event source mappings, as in the settings of `live`."""

    queue_messages: int = 100
    queue_window_s: int = 5
    stream_records: int = 1_000
    stream_window_s: int = 10


@dataclass(frozen=True, slots=True)
class Workload:
    """`zipf`: the merchant of rank k has a share of k^-zipf; with 0 all have the same.

    Raises ValueError for a figure that is outside its bounds.
    """

    per_second: float
    merchants: int = 100
    zipf: float = 0.0
    years: float = 10.0
    batching: Batching = Batching()

    def __post_init__(self) -> None:
        _check("--per-second", self.per_second, PER_SECOND_MIN, PER_SECOND_MAX)
        _check("--merchants", self.merchants, 1, MERCHANTS_MAX)
        _check("--zipf", self.zipf, 0, ZIPF_MAX)
        _check("--years", self.years, 0, YEARS_MAX)
        for name, window_s in (
            ("--queue-window", self.batching.queue_window_s),
            ("--stream-window", self.batching.stream_window_s),
        ):
            _check(name, window_s, 0, WINDOW_S_MAX)

    @property
    def hottest_share(self) -> float:
        return _shares(self.merchants, self.zipf)[0]

    @property
    def hottest_per_second(self) -> float:
        return self.per_second * self.hottest_share

    def merchants_among(self, messages: float) -> float:
        """How many different merchants so many messages have on average."""
        return _among(self.merchants, self.zipf, messages)


def _check(name: str, value: float, least: float, most: float) -> None:
    if not isfinite(value) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:,g} to {most:,g}")


@cache
def _shares(merchants: int, zipf: float) -> list[float]:
    weights = [rank**-zipf for rank in range(1, merchants + 1)]
    total = sum(weights)
    return [weight / total for weight in weights]


@cache
def _among(merchants: int, zipf: float, messages: float) -> float:
    hit: Callable[[float], float] = lambda share: -expm1(messages * log1p(-share))  # noqa: E731
    return sum(hit(share) if share < 1 else 1.0 for share in _shares(merchants, zipf))
