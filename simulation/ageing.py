"""Measures what functions cost at several ages of a log, and models what they cost at others.

Nights of different sizes show what a segment, a journal page and a balance cost. The same night
before and after a large one shows what older objects cost, and at another age, what older days
cost: nothing, as it should be; or what is recent is read again; or the cost grows with the age of
the log, which the oldest log shows, where little is recent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import inf
from typing import Any, Final, NamedTuple

import numpy as np

from falcon_balances.capacity.prices import Prices
from generated import events
from simulation import requests
from simulation.account import Account, functions
from simulation.history import MERCHANTS, NIGHT, DayOfWork, History
from simulation.metering import Cost

BEGINNING: Final = date(2026, 1, 30)
_ASKED_AT: Final = time(23, 50, tzinfo=UTC)
_RISKY: Final = 32
_USUAL: Final = DayOfWork(12)
_SIZES: Final = (
    DayOfWork(12, batches=4),
    DayOfWork(12, merchants=MERCHANTS - 1),
    DayOfWork(12, risky=_RISKY),
)
_THIN: Final = DayOfWork(4)
_FACTOR_MAX: Final = 1.3
_ROOM: Final = {"calls": 5.0, "items": 20.0, "size": 20_000.0}
"""How much more the same night may take in an older log: for shards, binary searches, digits."""
_CPU_ROOM_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Ages:
    """In days. Between `later` and `oldest` something happens on one day of `thinned`."""

    first: int = 3
    later: int = 45
    oldest: int = 365
    thinned: int = 10
    operations: int = 300
    """Of the largest night that is measured: the more, the less noise a segment's CPU time has."""


class Load(NamedTuple):
    """Of a night: what is new; of the segments, `risky` are of merchants of high risk. Of a
    request: `segments` of its merchant since the last closing.
    """

    segments: float
    pages: float = 0
    balances: float = 0
    risky: float = 0


class Old(NamedTuple):
    """What was before: days, and objects in the log, or the merchant's."""

    days: float
    objects: float


class Measured(NamedTuple):
    load: Load
    old: Old
    cost: Cost


@dataclass(frozen=True, slots=True)
class Model:
    """What a function costs, by the names of `_figures`: `per_load` for a run and for each of a
    load's parts, `per_object` and `per_day` for older ones, of the last `window_days` only.

    `measured`: the same night at three ages.
    """

    name: str
    per_load: Mapping[str, Sequence[float]]
    per_object: Mapping[str, float]
    per_day: Mapping[str, float]
    window_days: float
    measured: tuple[Measured, Measured, Measured]

    @property
    def grows(self) -> bool:
        return self.window_days == inf

    @property
    def looks_back(self) -> bool:
        """What it reads again is recent, and no more the older the log is."""
        return not self.grows and bool(self.per_object or self.per_day)

    def figure(self, name: str, load: Load, old: Old) -> float:
        recent = min(1.0, self.window_days / max(1.0, old.days))
        known = sum(
            times * each
            for times, each in zip((1, *load), self.per_load.get(name, ()), strict=False)
        )
        of_objects = old.objects * self.per_object.get(name, 0.0)
        return known + recent * (of_objects + old.days * self.per_day.get(name, 0.0))

    def cost(self, load: Load, old: Old) -> Cost:
        return Cost(
            items=round(self.figure("items", load, old)),
            size=round(self.figure("size", load, old)),
            latency_s=self.figure("latency_s", load, old),
            cpu_s=self.figure("cpu_s", load, old),
            units=_units({name: self.figure(name, load, old) for name in self.per_load}),
        )

    def seconds(self, load: Load, old: Old) -> float:
        return self.cost(load, old).seconds(self.memory_mb)

    def usd(self, load: Load, old: Old, prices: Prices) -> float:
        return self.cost(load, old).usd(self.memory_mb, prices)

    @property
    def memory_mb(self) -> int:
        return functions()[requests.FUNCTIONS.get(self.name, self.name)].memory_mb

    @property
    def timeout_s(self) -> int:
        return functions()[requests.FUNCTIONS.get(self.name, self.name)].timeout_s

    @property
    def expected_calls(self) -> float:
        """At the oldest age, which the model does not know."""
        return self.figure("calls", self.measured[-1].load, self.measured[-1].old)

    @property
    def holds(self) -> bool:
        """Whether the oldest log costs what the model says: at most, where little is recent."""
        found = self.measured[-1].cost.calls.total()
        return self.grows or found <= _FACTOR_MAX * self.expected_calls + _ROOM["calls"]


def models(ages: Ages, planted: Mapping[str, Any] | None = None) -> list[Model]:
    """Of the functions of the night and of the requests. `planted`: by a function's name, another
    function to measure in its place.
    """
    account = Account(datetime.combine(BEGINNING, time(tzinfo=UTC)))
    with account.opened(events.histories_of(MERCHANTS)):
        measuring = _Measuring(account, planted or {})
        measuring.grow_to(ages.first)
        first = measuring.measure(_USUAL)
        measuring.grow_to(ages.later)
        large = DayOfWork(ages.operations, risky=_RISKY)
        later = [measuring.measure(each) for each in (_USUAL, *_SIZES, large, _USUAL)]
        measuring.grow_to(ages.oldest, ages.thinned)
        oldest = measuring.measure(_USUAL)
    return [
        _model(name, ages, first[name], [each[name] for each in later], oldest[name])
        for name in (*NIGHT, *requests.NAMES)
    ]


class _Measuring:
    def __init__(self, account: Account, planted: Mapping[str, Any]) -> None:
        self._account = account
        self._planted = planted
        self._day = BEGINNING
        self._history = History(account, self._run)

    def _run(self, name: str, event: Any = None) -> tuple[Cost, Any]:
        return self._account.run(name, event, self._planted.get(name))

    def grow_to(self, age: int, thinned: int = 1) -> None:
        """Up to the day before, which is not left out."""
        end = BEGINNING + timedelta(days=age - 1)
        while self._day < end:
            self._thin()
            self._day = min(self._day + timedelta(days=thinned - 1), end)

    def _thin(self) -> None:
        self._history.day(self._day, _THIN)
        self._history.night(self._day)
        self._day += timedelta(days=1)

    def measure(self, work: DayOfWork) -> dict[str, Measured]:
        """After a day with little work, so that nothing of another measured night is left."""
        self._thin()
        history, day = self._history, self._day
        days = (day - BEGINNING).days
        old, own = Old(days, history.objects), Old(days, history.own_objects)
        pages = history.day(day, work)
        self._account.now = datetime.combine(day, _ASKED_AT)
        asked = requests.ask(self._run, f"block-{day}", f"{BEGINNING:%Y-%m}")
        load = Load(history.objects - old.objects, pages, work.merchants + 1, 2 * work.risky)
        of_request = Load(2 * work.risky)
        night = history.night(day)
        self._day += timedelta(days=1)
        return {name: Measured(load, old, cost) for name, cost in night.items()} | {
            name: Measured(of_request, own, cost) for name, cost in asked.items()
        }


def _model(
    name: str, ages: Ages, first: Measured, later: Sequence[Measured], oldest: Measured
) -> Model:
    """`later`: nights of all sizes; the first and the last are usual ones, as the others are."""
    *sizes, again = later
    per_object = _slope(sizes[0], again, again.old.objects - sizes[0].old.objects)
    grows = _has_grown(_figures(sizes[0].cost), _figures(oldest.cost))
    per_day = _slope(first, sizes[0], sizes[0].old.days - first.old.days, per_object)
    if grows and not (per_object or per_day):
        per_day = _slope(sizes[0], oldest, oldest.old.days - sizes[0].old.days)
    window_days = inf if grows else float(ages.later)
    per_load = _per_load(sizes, per_object, per_day)
    measured = (first, sizes[0], oldest)
    return Model(name, per_load, per_object, per_day, window_days, measured)


def _slope(
    before: Measured, after: Measured, more: float, known: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Of each figure, for each of `more`; empty if the function's cost has not grown. `known`: of
    each older object.
    """
    figures, grown = _figures(before.cost), _figures(after.cost)
    objects = after.old.objects - before.old.objects
    explained = {name: objects * each for name, each in (known or {}).items()}
    grown = {name: value - explained.get(name, 0.0) for name, value in grown.items()}
    if not _has_grown(figures, grown):
        return {}
    return {name: max(0.0, value - figures.get(name, 0.0)) / more for name, value in grown.items()}


def _has_grown(before: Mapping[str, float], after: Mapping[str, float]) -> bool:
    cpu = after["cpu_s"] > 2 * before["cpu_s"] + _CPU_ROOM_S
    return cpu or any(after[each] > _FACTOR_MAX * before[each] + _ROOM[each] for each in _ROOM)


def _per_load(
    measured: Sequence[Measured], per_object: Mapping[str, float], per_day: Mapping[str, float]
) -> dict[str, list[float]]:
    """By least squares, without what is older. What comes out below zero is noise, and so
    are some calls more for many segments, as when a binary search ends later.
    """
    parts = [(1, *each.load) for each in measured]
    used = [n for n in range(len(parts[0])) if n == 0 or len({each[n] for each in parts}) > 1]
    figures = [_figures(each.cost) for each in measured]
    found = {}
    for name in sorted({name for each in figures for name in each}):
        values = np.array(
            [
                of_night.get(name, 0.0)
                - per_object.get(name, 0.0) * each.old.objects
                - per_day.get(name, 0.0) * each.old.days
                for of_night, each in zip(figures, measured, strict=True)
            ]
        )
        known = np.array([[each[n] for n in used] for each in parts], dtype=float)
        solved = np.linalg.lstsq(known, values, rcond=None)[0]
        of_part = dict(zip(used, solved.tolist(), strict=True))
        found[name] = [max(0.0, of_part.get(n, 0.0)) for n in range(len(parts[0]))]
    if found["calls"][1] * max(each.load.segments for each in measured) < _ROOM["calls"]:
        for name in set(found) - {"cpu_s", "size"}:
            found[name][1] = 0.0
        if found["size"][1] < 1:  # without a call and without a byte there is no work
            found["cpu_s"][1] = 0.0
    return found


def _figures(cost: Cost) -> dict[str, float]:
    return {
        "calls": cost.calls.total(),
        "items": cost.items,
        "size": cost.size,
        "latency_s": cost.latency_s,
        "cpu_s": cost.cpu_s,
        **{name: float(count) for name, count in cost.units.items()},
    }


def _units(figures: Mapping[str, float]) -> Any:
    return {name: value for name, value in figures.items() if name not in _figures(Cost())}
