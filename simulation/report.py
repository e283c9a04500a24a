"""What the simulation prints, 80 columns wide."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from falcon_balances.capacity.counts import JOURNAL_ENTRY_BYTES, OBJECT_BYTES, RECORD_BYTES
from falcon_balances.capacity.prices import Prices
from simulation.account import schedules
from simulation.ageing import Ages, Model
from simulation.assumptions import assumptions
from simulation.flow import Flow, Scenario
from simulation.nights import RISKY_A_DAY, RUNS, Nightly

WIDTH: Final = 80
_OBJECTS: Final = RECORD_BYTES + OBJECT_BYTES + JOURNAL_ENTRY_BYTES


def of_models(models: Sequence[Model], ages: Ages) -> Iterator[str]:
    """The calls to AWS of the same night, and of the same request, at three ages of the log."""
    days = (ages.first, ages.later, ages.oldest)
    yield "The same night and the same requests, at three ages of a log"
    yield f"  {'AWS calls, days old':22}" + "".join(f"{each:>10}" for each in (*days, "model"))
    for model in models:
        calls = [f"{each.cost.calls.total():>10,}" for each in model.measured]
        grows = "  GROWS" if model.grows else "  looks back" if model.looks_back else ""
        yield f"  {model.name:22}{''.join(calls)}{model.expected_calls:>10,.0f}{grows}"


def of_scenario(scenario: Scenario, flow: Flow, nightly: Sequence[Nightly]) -> Iterator[str]:
    yield f"Simulated: {scenario.name}"
    size = flow.messages * _OBJECTS
    rows = (
        ("messages", f"{flow.messages:,.0f}", f"of {scenario.merchants} merchants"),
        ("not counted at the end", f"{flow.left:,.0f}", ""),
        ("oldest message", f"{flow.age_max_s:,.0f} s", f"at most {scenario.age_max_s:,.0f}"),
        ("  in its queue", f"{flow.queue_age_max_s:,.0f} s", f"{flow.waiting_max:,.0f} waited"),
        ("lag of balances", f"{flow.lag_max_s:,.0f} s", "at most, with the next cut"),
        ("received", f"{flow.receives_max or 1}", "times at most; 52 make a dead letter"),
        ("dispatchers", f"{flow.dispatchers_max:,.0f}", "at once at most"),
        ("shards", f"{flow.shards_usual}", f"at most {flow.shards_max}"),
        ("AWS calls", f"{flow.calls:,.0f}", f"{flow.calls / flow.messages:.2f} a message"),
        ("bytes", f"{size / 1e9:,.0f} GB", "on the stream, in the log and its journal"),
        ("cost", f"USD {flow.usd:,.0f}", f"{1e6 * flow.usd / flow.messages:.2f} a million"),
        ("nights", f"USD {sum(each.usd for each in nightly):,.2f}", "beside it"),
    )
    for name, value, more in rows:
        yield f"  {name:22}{value:>18}  {more}"
    yield from _throttles(flow)
    yield f"  {'seconds':22}{'first day':>12}{'last day':>12}{'at most':>12}{'days late':>12}"
    for each in nightly:
        kind = "" if each.name in RUNS else " *"
        figures = (f"{value:>12,.4g}" for value in (each.first_s, each.last_s, each.allowed_s))
        yield f"  {each.name + kind:22}{''.join(figures)}{each.late:>12}"


def _throttles(flow: Flow) -> Iterator[str]:
    if not flow.throttled:
        yield f"  {'throttles':22}{'none':>18}"
    for name, count in sorted(flow.throttled.items()):
        yield f"  throttled: {name:32}{count:>14,} messages, tried again"


def of_assumptions(prices: Prices) -> Iterator[str]:
    of = assumptions()
    for name in sorted(set(schedules()) - set(RUNS)):
        yield f"not simulated: {name}, which the scheduler calls as well"
    text = (
        "* a request at the end of a day, of the busiest merchant, and a block of one of high "
        f"risk with {RISKY_A_DAY} segments a day. Durations are the functions' own calls at the "
        f"latencies of the table of {of.date}, and this machine's CPU time. Memory is not "
        f"simulated. {of.source} Prices: {prices.region}, {prices.date}."
    )
    yield from wrap(text, WIDTH)


def of_broken(broken: Sequence[str]) -> Iterator[str]:
    yield from (line for each in broken for line in wrap(f"BROKEN  {each}", WIDTH))
    if not broken:
        yield "ok  no limit is broken, and no cost grows with the age of the log"
