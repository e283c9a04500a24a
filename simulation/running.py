"""Measures, simulates, prints and judges, in this order."""

from collections.abc import Iterable

from falcon_balances.capacity.prices import list_prices
from simulation import before as before_journals
from simulation import report, scenarios
from simulation.ageing import Ages, models
from simulation.flow import run
from simulation.nights import nights
from simulation.path import path


def simulate(*, before: bool = False) -> int:
    """Returns 1 if anything is broken. `before`: with the functions of `before`."""
    ages, prices = Ages(), list_prices()
    measured = models(ages, before_journals.FUNCTIONS if before else None)
    _say(report.of_models(measured, ages))
    broken = list(scenarios.of_models(measured))
    for scenario in (scenarios.YEAR, scenarios.PEAK):
        flow = run(scenario, path())
        of_nights = nights(scenario, flow, measured, prices)
        _say(report.of_scenario(scenario, flow, of_nights))
        broken += scenarios.of_scenario(scenario, flow, of_nights)
    _say(report.of_assumptions(prices))
    _say(report.of_broken(list(dict.fromkeys(broken))))
    return 1 if broken else 0


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)
    print(flush=True)
