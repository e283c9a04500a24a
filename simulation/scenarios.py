"""The two loads that are simulated, and what may not happen under them."""

from collections.abc import Iterator, Sequence
from math import pi, sin
from typing import Final

from falcon_balances.capacity.counts import DAY_S
from simulation.ageing import Model
from simulation.flow import RECEIVES_MAX, Flow, Scenario
from simulation.nights import Nightly

HOUR_S: Final = 3_600
_PEAK_FROM_S: Final = 12 * HOUR_S
_PEAK_S: Final = 600
_USUAL_PEAK: Final = 40


def _day_and_night(now: float) -> float:
    return 12 * (1 + 0.5 * sin(2 * pi * now / DAY_S))


def _with_a_peak(now: float) -> float:
    return 500 * (_USUAL_PEAK if _PEAK_FROM_S <= now < _PEAK_FROM_S + _PEAK_S else 1)


YEAR: Final = Scenario(
    name="a year at 12 messages a second, 6 by night and 18 by day",
    seconds=365 * DAY_S,
    tick_s=60,
    usual=12,
    rate=_day_and_night,
    age_max_s=60,
)
PEAK: Final = Scenario(
    name="a day at 500 a second, 10 minutes of it at 20,000, after such a year",
    seconds=DAY_S,
    tick_s=1,
    usual=500,
    rate=_with_a_peak,
    age_max_s=6 * HOUR_S,
    days_before=365,
)


def of_models(models: Sequence[Model]) -> Iterator[str]:
    """What is broken whatever the load is."""
    for model in models:
        if model.grows:
            yield f"{model.name}: its cost grows with the age of the log"
        if not model.holds:
            yield f"{model.name}: an old log costs more than the model says"


def of_scenario(scenario: Scenario, flow: Flow, nightly: Sequence[Nightly]) -> Iterator[str]:
    """What is broken under a load."""
    if flow.age_max_s > scenario.age_max_s:
        yield f"the oldest message waits {flow.age_max_s:,.0f} s; {scenario.short}"
    if flow.receives_max >= RECEIVES_MAX:
        yield f"messages are throttled until they are dead letters; {scenario.short}"
    if flow.left > scenario.usual * max(scenario.tick_s, HOUR_S):
        yield f"{flow.left:,.0f} messages still wait at the end; {scenario.short}"
    for each in nightly:
        if each.late:
            yield f"{each.name}: too slow from day {each.late_from} on; {scenario.short}"
