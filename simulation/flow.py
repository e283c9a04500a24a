"""The path under load, in simulated time: queues, dispatchers, stream, reducers and tables.

Time goes on in ticks. Messages are counted, not handled one by one: what a batch takes was measured
on the real functions (`path`). The busiest shard stands for the stream, as `as_of` waits for it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import md5
from typing import Final, NamedTuple

from falcon_balances.capacity.bill import Billing, Paying, bill
from falcon_balances.capacity.counts import (
    CLAIM_UNITS,
    EXECUTION_MESSAGES_MAX,
    RECORD_BYTES,
    STAGES,
    UNITS,
    Batches,
    batches,
)
from falcon_balances.capacity.limits import (
    DISPATCHERS,
    FUNCTIONS,
    INDEX_PARTITIONS,
    NEW_TABLE_UNITS,
    PARTITION_UNITS,
    PREFIX_PUTS,
    SHARD_BYTES,
    SHARD_RECORDS,
    TABLE_UNITS,
    index_units,
    table_units,
)
from falcon_balances.capacity.prices import list_prices
from falcon_balances.capacity.workload import Batching, Workload
from falcon_balances.fakes.stream import HASH_KEYS
from generated import events
from simulation.assumptions import assumptions
from simulation.path import Path
from simulation.waiting import Group, OnDemand, Waiting

RECEIVES_MAX: Final = 52
"""Of the stages' queues; a test compares it with the template."""
_FUNCTIONS_A_MESSAGE: Final = 2
"""At once: the dispatcher, and the function of the state machine that it waits for."""
_SIZES: Final = Batching()
CUT_EVERY_S: Final = 60


@dataclass(frozen=True, slots=True)
class Scenario:
    """`rate`: messages a second at a second of the simulated time. `usual`: before it began.

    `shards`: None for a stream on demand. `age_max_s`: of the oldest message that is not counted.
    """

    name: str
    """What happens, after a comma, and a short name before it."""
    seconds: int
    tick_s: int
    usual: float
    rate: Callable[[float], float]
    age_max_s: float
    merchants: int = 100
    zipf: float = 0.0
    shards: int | None = None
    days_before: int = 0
    """How long the log already grew, at the usual rate."""

    @property
    def short(self) -> str:
        return self.name.partition(",")[0]


@dataclass(slots=True)
class Flow:
    """What happened. Ages are of messages that were not counted yet, in seconds."""

    messages: float = 0.0
    counted: float = 0.0
    age_max_s: float = 0.0
    queue_age_max_s: float = 0.0
    lag_max_s: float = 0.0
    left: int = 0
    shards_usual: int = 0
    shards_max: int = 0
    dispatchers_max: float = 0.0
    waiting_max: float = 0.0
    throttled: Counter[str] = field(default_factory=Counter)
    receives_max: int = 0
    calls: float = 0.0
    usd: float = 0.0


@cache
def busiest_share(shards: int, merchants: int, zipf: float) -> float:
    """The part of all records that the busiest shard gets: the stream hashes merchants' ids."""
    weights: list[float] = [rank**-zipf for rank in range(1, merchants + 1)]
    loads = [0.0] * shards
    for n, weight in enumerate(weights):
        hashed = md5(events.merchant_id(n).encode(), usedforsecurity=False).digest()
        loads[int.from_bytes(hashed) * shards // HASH_KEYS] += weight
    return max(loads) / sum(weights)


class Sizes(NamedTuple):
    """Batches at some rate, what a message takes of the table `balances`, and what it costs."""

    batches: Batches
    units: float
    usd_a_million: float


@cache
def sizes(rate: float, shards: int, merchants: int, zipf: float) -> Sizes:
    """The units are of its items or of its indexes, whichever take more."""
    load = Workload(rate, merchants, zipf, batching=_SIZES)
    found = batches(load, shards)
    paid = bill(load, shards, found, Paying(Billing.ON_DEMAND), list_prices())
    return Sizes(found, max(table_units(found), index_units()), sum(each.usd for each in paid))


def _rounded(rate: float) -> float:
    return max(float(f"{rate:.2g}"), 0.01)


class _World:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, path: Path) -> None:
        self._of = scenario
        self._path = path
        self.flow = Flow()
        self.hottest = Workload(1, scenario.merchants, scenario.zipf).hottest_share
        self._queue, self._stream = Waiting(), Waiting()
        at, usual = assumptions(), scenario.usual
        self._capacity = OnDemand(
            max(at.on_demand_stream_shards, 2 * usual * RECORD_BYTES / SHARD_BYTES),
            at.on_demand_stream_shards_max,
            at.on_demand_stream_doubles_s,
        )
        self.flow.shards_usual = self._shards
        self._claims = self._table(usual * CLAIM_UNITS)
        self._balances = self._table(usual * self._sizes(usual).units)
        self._dispatchers = float(STAGES * at.pollers_first)

    def _table(self, usual_units: float) -> OnDemand:
        first = max(NEW_TABLE_UNITS, 2 * usual_units)
        return OnDemand(first, TABLE_UNITS, assumptions().on_demand_table_doubles_s)

    @property
    def _shards(self) -> int:
        return self._of.shards or int(self._capacity.allowed)

    @property
    def _share(self) -> float:
        return busiest_share(self._shards, self._of.merchants, self._of.zipf)

    def _sizes(self, rate: float) -> "Sizes":
        return sizes(_rounded(rate), self._shards, self._of.merchants, self._of.zipf)

    def tick(self, now: float) -> None:
        arriving = self._of.rate(now) * self._of.tick_s
        self.flow.messages += arriving
        self._queue.come_back(now)
        self._queue.add(now, arriving)
        done = self._dispatch(now)
        self._count(now)
        self._pay(done)
        self._look(now)

    def _dispatch(self, now: float) -> float:
        """From the queues to the stream, as far as there are functions, units and shards."""
        tick_s, at = self._of.tick_s, assumptions()
        more = self._queue.count > self._of.usual * tick_s * 2
        step = at.pollers_more_per_minute / 60 * tick_s * (1 if more else -1)
        most = min(STAGES * DISPATCHERS, FUNCTIONS / _FUNCTIONS_A_MESSAGE)
        self._dispatchers = min(most, max(STAGES * at.pollers_first, self._dispatchers + step))
        full = _SIZES.queue_messages
        can = self._dispatchers * full / self._path.dispatcher_s(full) * tick_s
        room = max(0.0, STAGES * at.in_flight_messages - self._queue.hidden)
        asked = min(self._queue.count, can) / tick_s
        in_flight = self._limited(asked, {"SQS: messages in flight": room / tick_s})
        taken = self._queue.take(in_flight * tick_s)
        wanted = sum(group.messages for group in taken)
        self._claims.take(now, wanted / tick_s * CLAIM_UNITS)
        self._capacity.take(now, wanted / tick_s * RECORD_BYTES / SHARD_BYTES)
        share = self._share
        done = tick_s * self._limited(
            wanted / tick_s,
            {
                "S3: PUTs of a prefix": STAGES * PREFIX_PUTS,
                "Express: executions": at.express_starts_per_s * EXECUTION_MESSAGES_MAX,
                "table event-claims: units": self._claims.allowed / CLAIM_UNITS,
                "stream: bytes of a shard": SHARD_BYTES / RECORD_BYTES / share,
                "stream: records of a shard": SHARD_RECORDS / share,
            },
        )
        self._hand_on(now, taken, done)
        self.flow.dispatchers_max = max(self.flow.dispatchers_max, self._dispatchers)
        return done

    def _hand_on(self, now: float, taken: list[Group], done: float) -> None:
        refused, left = [], done
        for group in taken:
            passed = min(group.messages, left)
            left -= passed
            if passed:
                self._stream.add(group.arrived_s, passed)
            if passed < group.messages:
                refused.append(group._replace(messages=group.messages - passed))
        self._queue.refuse(now, refused)

    def _count(self, now: float) -> None:
        """As far as the reducer of the busiest shard comes; all shards share the table's units."""
        tick_s, share = self._of.tick_s, self._share
        records = min(max(self._stream.count * share, 1), _SIZES.stream_records)
        can = records / self._path.reducer_s(records) / share
        wanted = min(self._stream.count / tick_s, can)
        units = self._sizes(wanted).units
        self._balances.take(now, wanted * units)
        of_index = INDEX_PARTITIONS * PARTITION_UNITS / UNITS["index by-window"]
        counted = self._limited(
            wanted,
            {
                "table balances: units": self._balances.allowed / units,
                "index by-window: a partition": of_index / self.hottest,
            },
        )
        self._stream.take(counted * tick_s)
        self.flow.counted += counted * tick_s

    def _limited(self, wanted: float, limits: Mapping[str, float]) -> float:
        """What can be done a second; what cannot is throttled."""
        for name, limit in limits.items():
            if wanted > limit:
                self.flow.throttled[name] += round((wanted - limit) * self._of.tick_s)
        return min(wanted, *limits.values())

    def _pay(self, done: float) -> None:
        """At list prices; what is throttled is retried, and not in it."""
        of = self._sizes(done / self._of.tick_s)
        self.flow.usd += done * of.usd_a_million / 1e6
        calls = self._path.calls_of(of.batches.execution_messages, of.batches.records)
        self.flow.calls += done * calls

    def _look(self, now: float) -> None:
        """A message also waits for its batches and the functions themselves; a cut, a minute."""
        flow, end = self.flow, now + self._of.tick_s
        usual = self._sizes(self._of.usual).batches
        through_s = _SIZES.queue_window_s + self._path.dispatcher_s(usual.messages)
        counting_s = _SIZES.stream_window_s + self._path.reducer_s(usual.records)
        in_queue_s = max(0.0, end - self._queue.oldest_s) + through_s
        on_stream_s = max(0.0, end - self._stream.oldest_s) + through_s + counting_s
        flow.queue_age_max_s = max(flow.queue_age_max_s, in_queue_s)
        flow.age_max_s = max(flow.age_max_s, in_queue_s + counting_s, on_stream_s)
        flow.lag_max_s = max(flow.lag_max_s, on_stream_s - through_s + CUT_EVERY_S)
        flow.receives_max = max(flow.receives_max, self._queue.receives_max)
        left = self._queue.count + self._queue.hidden + self._stream.count
        flow.left = max(0, round(left))
        flow.shards_max = max(flow.shards_max, self._shards)
        flow.waiting_max = max(flow.waiting_max, self._queue.count)


def run(scenario: Scenario, path: Path) -> Flow:
    world = _World(scenario, path)
    for now in range(0, scenario.seconds, scenario.tick_s):
        world.tick(float(now))
    return world.flow
