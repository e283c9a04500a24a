"""What grows with the age of a log is found on the real handlers' AWS, and a flat cost is flat."""

import pytest

from falcon_balances.capacity.prices import list_prices
from infra.parts.stage_queue import MAX_RECEIVES
from lambdas.closer import handler as closer
from lambdas.reconciler import handler as reconciler
from lambdas.sealer import handler as sealer
from simulation import requests, scenarios
from simulation.account import functions, schedules
from simulation.ageing import Ages, Load, Model, Old, models
from simulation.before import FUNCTIONS
from simulation.flow import RECEIVES_MAX, Flow
from simulation.nights import GOES_ON, RUNS, nights

AGES = Ages(first=3, later=12, oldest=20, thinned=4, operations=60)
GROWN = Flow(counted=12 * scenarios.YEAR.seconds, shards_usual=4)


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
        yield


def by_name(planted=None) -> dict[str, Model]:
    return {each.name: each for each in models(AGES, planted)}


@pytest.fixture(scope="module")
def today() -> dict[str, Model]:
    return by_name()


@pytest.fixture(scope="module")
def before() -> dict[str, Model]:
    return by_name(FUNCTIONS)


FLAT = ("closer", "sealer", requests.AT, requests.STATEMENT)


@pytest.mark.parametrize("name", FLAT)
def test_a_night_and_an_answer_cost_the_same_at_any_age(today, name):
    assert not today[name].grows
    assert today[name].holds


def test_what_is_new_costs_what_it_is(today):
    """The sealer reads each new page once, and no object of the log."""
    small, large = Load(100, 10, 1, 0), Load(100_000, 20, 1, 0)
    calls = [today["sealer"].figure("calls", each, Old(10**4, 10**9)) for each in (small, large)]
    assert calls[1] - calls[0] == pytest.approx(10, abs=2)


def test_the_year_s_nights_are_done_in_time(today):
    flat = [today[name] for name in FLAT]
    found = nights(scenarios.YEAR, GROWN, flat, list_prices())
    assert [each.late for each in found] == [0] * len(flat)
    assert not list(scenarios.of_models(flat))


@pytest.mark.parametrize("name", ["sealer", requests.HIGH_RISK, requests.AT])
def test_a_function_that_reads_all_that_is_there_is_found(before, name):
    assert before[name].grows
    [found] = scenarios.of_models([before[name]])
    assert found == f"{name}: its cost grows with the age of the log"


@pytest.mark.parametrize("name", ["sealer", "reconciler", requests.HIGH_RISK])
def test_its_time_is_used_up_within_days(before, name):
    [found] = nights(scenarios.YEAR, GROWN, [before[name]], list_prices())
    assert 1 <= found.late_from <= 30
    assert found.late == 366 - found.late_from


def test_the_simulation_knows_the_template_s_figures():
    assert RECEIVES_MAX == MAX_RECEIVES
    assert {name: schedules()[name] for name in RUNS} == RUNS
    margins = {
        "closer": closer._MARGIN_MS,
        "sealer": sealer._MARGIN_MS,
        "reconciler": reconciler._MARGIN_MS,
    }
    assert {name: margin_ms / 1000 for name, margin_ms in margins.items()} == GOES_ON
    assert functions()["sealer"].timeout_s == 900
