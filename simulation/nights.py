"""The work of the nights, and requests, while a log grows: time-outs, and their first day.

One merchant is of high risk: a small one. The busiest merchant asks for its past.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from typing import Final

from falcon_balances.capacity.counts import DAY_S
from falcon_balances.capacity.prices import Prices
from falcon_balances.capacity.workload import Batching, Workload
from simulation import requests
from simulation.ageing import Load, Model, Old
from simulation.flow import Flow, Scenario

RUNS: Final = {"closer": 96, "sealer": 10, "reconciler": 8}
"""How often a day the scheduler calls a function."""
RISKY_A_DAY: Final = 200
"""Segments of the merchant of high risk: a check reads only so many."""
GOES_ON: Final = {"closer": 60, "sealer": 120, "reconciler": 120}
"""Those whose next run continues what the last one did, and their margin in seconds."""


@dataclass(frozen=True, slots=True)
class Nightly:
    """A function's nights, or a request on each day. `late`: days whose work was not done, which
    are not in `usd`.
    """

    name: str
    first_s: float
    last_s: float
    allowed_s: float
    late: int
    late_from: int
    usd: float


def nights(
    scenario: Scenario, flow: Flow, models: Sequence[Model], prices: Prices
) -> list[Nightly]:
    return [_nightly(model, scenario, flow, prices) for model in models]


def _nightly(model: Model, scenario: Scenario, flow: Flow, prices: Prices) -> Nightly:
    days = max(1, scenario.seconds // DAY_S)
    of_day = flow.counted / days
    if model.name in RUNS:
        load, share = Load(of_day, _pages(of_day, flow), scenario.merchants, RISKY_A_DAY), 1.0
    else:
        share = Workload(1, scenario.merchants, scenario.zipf).hottest_share
        if model.name == requests.HIGH_RISK:
            share = min(share, RISKY_A_DAY / of_day)
        load = Load(of_day * share)
    before = scenario.days_before * scenario.usual * DAY_S
    olds = [Old(scenario.days_before + day, (before + day * of_day) * share) for day in range(days)]
    late = [day for day, old in enumerate(olds, 1) if _is_late(model, load, old)]
    done = [old for day, old in enumerate(olds, 1) if day not in late]
    return Nightly(
        name=model.name,
        first_s=model.seconds(load, olds[0]),
        last_s=model.seconds(load, olds[-1]),
        allowed_s=_allowed_s(model),
        late=len(late),
        late_from=late[0] if late else 0,
        usd=sum(model.usd(load, old, prices) for old in done) * (model.name in RUNS),
    )


def _pages(segments: float, flow: Flow) -> float:
    """A page has what a shard gets within its window, at most a batch."""
    sizes = Batching()
    windows = flow.shards_usual * DAY_S / sizes.stream_window_s
    return max(min(segments, windows), segments / sizes.stream_records)


def _is_late(model: Model, load: Load, old: Old) -> bool:
    needed_s = model.seconds(load, old)
    if model.name not in GOES_ON:
        return needed_s > _allowed_s(model)
    begun_s = model.seconds(Load(0), old)
    left_s = model.timeout_s - GOES_ON[model.name] - begun_s
    return left_s <= 0 or ceil((needed_s - begun_s) / left_s) > RUNS[model.name]


def _allowed_s(model: Model) -> float:
    """Of one run, or of all runs of a function that goes on."""
    runs = RUNS[model.name] if model.name in GOES_ON else 1
    return min(runs * model.timeout_s, requests.SLOW_S.get(model.name, inf))
