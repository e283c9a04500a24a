"""The simulation of the path finds what is too slow or throttled, and loses no message."""

from dataclasses import replace

import pytest

from simulation import scenarios
from simulation.flow import RECEIVES_MAX, Flow, Scenario, run
from simulation.path import REDUCER, Line, Path

HOUR_S = 3_600
PATH = Path(
    seconds={
        "splitter": Line(0.01, 0.001),
        "persister": Line(0.05, 0.01),
        "publisher": Line(0.03, 0.0002),
        REDUCER: Line(0.15, 0.002),
    },
    calls=dict.fromkeys(("splitter", "persister", "publisher", REDUCER), Line(1, 1)),
)


def steadily(rate: float, **more) -> Scenario:
    return Scenario("an hour", HOUR_S, 1, rate, lambda _now: rate, age_max_s=60, **more)


def broken(scenario: Scenario, flow: Flow) -> str:
    return "; ".join(scenarios.of_scenario(scenario, flow, []))


def test_an_hour_at_12_a_second_waits_for_its_batches_only():
    scenario = steadily(12)
    flow = run(scenario, PATH)
    assert (flow.messages, flow.left, flow.throttled) == (12 * HOUR_S, 0, {})
    assert flow.age_max_s < 20
    assert broken(scenario, flow) == ""
    assert 14 < 1e6 * flow.usd / flow.messages < 20


@pytest.mark.parametrize("slow", ["persister", REDUCER])
def test_a_slow_function_lets_messages_wait(slow):
    """The dispatchers' and the reducers' time is used up."""
    path = replace(PATH, seconds={**PATH.seconds, slow: Line(0, 1)})
    scenario = steadily(500)
    assert "the oldest message waits" in broken(scenario, run(scenario, path))


def test_one_merchant_throttles_its_shard():
    scenario = steadily(2_000, merchants=1, shards=4)
    flow = run(scenario, PATH)
    # Of each second 812 messages of 1,290 bytes fit into a megabyte.
    assert flow.throttled["stream: bytes of a shard"] > 1_000 * HOUR_S
    assert "the oldest message waits" in broken(scenario, flow)
    assert not run(steadily(400, merchants=1, shards=4), PATH).throttled


def test_a_table_that_is_new_throttles_until_it_has_grown():
    flow = run(replace(steadily(3_000), usual=12), PATH)
    assert flow.throttled["table balances: units"] > 0
    assert not run(steadily(500), PATH).throttled


def test_after_a_peak_every_message_is_counted_once():
    def rate(now: float) -> float:
        return 5_000 if 600 <= now < 660 else 100

    flow = run(replace(steadily(100), rate=rate, seconds=3 * HOUR_S), PATH)
    assert flow.throttled
    assert 1 < flow.receives_max < RECEIVES_MAX
    assert flow.left == 0
    assert flow.counted == pytest.approx(flow.messages)


def test_messages_that_are_throttled_for_a_day_become_dead_letters():
    scenario = replace(steadily(2_000, merchants=1, shards=1), seconds=30 * HOUR_S, tick_s=60)
    assert "dead letters" in broken(scenario, run(scenario, PATH))
