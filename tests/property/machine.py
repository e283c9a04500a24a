"""The world of a property test: the pipeline, its actors, their faults, and what must hold."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.instants import QUARTER, quarter_of
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from tests.property.actors import FAULTS, Actor, Scheduler
from tests.property.pipeline import Pipeline
from tests.property.promises import Promises
from tests.property.reading import Reading

FAULT = st.sampled_from([None, None, *FAULTS])
# Which actor goes on, how many calls far, and what happens to it there.
SCHEDULE = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), FAULT), min_size=1, max_size=8)


def in_depth(steps: int, share: int = 1) -> settings:
    """Settings of a test of the whole path: many examples of `steps` steps. `share`: how many tests
    of this kind share the examples.
    """
    times = 1 if settings.get_current_profile_name() == "quick" else 10
    return settings(
        max_examples=times * settings().max_examples // share,
        stateful_step_count=steps,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def context(
    merchant: str, percent: str, status: str = "active", owner: str | None = None
) -> dict[str, Any]:
    """`owner`: whose shop it is, if it is another one's."""
    return {
        "schema_version": "1",
        "psp_id": "psp",
        "local_merchant_id": merchant,
        "shop_id": "shop",
        "merchant_id": f"m-{owner or merchant}",
        "balance_shops": {"EUR": f"bs-{merchant}"},
        "status": status,
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": [{"type": "psp_fee", "on": "capture", "percent": percent}],
    }


class Machine(RuleBasedStateMachine):
    def __init__(self, promises: Promises | None = None) -> None:
        super().__init__()
        self.promises = Promises() if promises is None else promises
        self.pipeline = Pipeline(Scheduler(self._observe).interrupt)
        self.promises.pipeline = self.pipeline
        self.reading = Reading(self.promises, self.pipeline)
        self.is_read_at_end = True
        self._broken: list[AssertionError] = []
        self.actors: list[Actor] = []

    def _observe(self, point: str) -> None:
        """What breaks within an actor would end with it, or be taken for an error of AWS."""
        try:
            self.promises.observe(point)
        except AssertionError as broken:
            self._broken.append(broken)
            raise
        self.reading.observe(point)

    def _load(self, document: dict[str, Any]) -> None:
        version = parse_merchant_context(document)
        self.pipeline.directory.contexts[version.key] = [version]
        for merchant_id, merchant in merchants_of([version]).items():
            self.pipeline.directory.name_merchant(merchant_id, merchant)

    def _send(self, stage: Stage, body: bytes) -> None:
        self.pipeline.send(stage, body)
        self.promises.sent.append((stage, body))

    @precondition(lambda self: self.actors)
    @rule(schedule=SCHEDULE)
    def go_on(self, schedule: list[Any]) -> None:
        self._go_on(schedule)

    def _go_on(self, schedule: list[Any]) -> None:
        for which, calls, fault in schedule:
            if not self.actors:
                return
            actor = self.actors[which % len(self.actors)]
            for _ in range(calls):
                actor.step()
            actor.step(fault)
            self.actors = [actor for actor in self.actors if not actor.is_done]

    @rule(position=st.integers(0, 2))
    def conflict(self, position: int) -> None:
        """The next transaction meets another one on one of its items."""

        def conflicts(writes: Any) -> list[int]:
            self.pipeline.store.conflicts = lambda _writes: ()
            return [position % len(writes)]

        self.pipeline.store.conflicts = conflicts

    def _dispatch_all(self) -> None:
        for stage, queue in self.pipeline.queues.items():
            while queue.waiting:
                self.pipeline.dispatcher(stage, 10)()

    def _redrive(self) -> None:
        for queue in self.pipeline.queues.values():
            queue.redrive()
        self._dispatch_all()

    def _finish_all(self) -> None:
        for actor in self.actors:
            actor.finish()
        self.actors = []
        self.pipeline.cutter()()
        self.pipeline.reduce_all()

    @invariant()
    def balances_follow_marks(self) -> None:
        self._check_nothing_broke()
        self.promises.check_balances_follow_marks()
        self.reading.check()

    def _check_nothing_broke(self) -> None:
        for broken in self._broken:
            raise broken

    def teardown(self) -> None:
        """Let all end, dead letters too, without further faults; then nothing may be missing."""
        for actor in self.actors:
            actor.finish()
        self._redrive()
        if any(queue.dead for queue in self.pipeline.queues.values()):
            # Revisions whose predecessor never came are given up after twenty hours.
            self.pipeline.tick(hours=21)
            self._redrive()
        self.pipeline.tick(minutes=1)
        self._finish_all()
        self.promises.check_balances_follow_marks()
        self.promises.check_drained()
        self.promises.check_replay()
        self._check_nothing_broke()
        if self.is_read_at_end:
            self.pipeline.now = next_quarter(self.pipeline.now)
            self._finish_all()
            self.reading.check_end()


def next_quarter(now: datetime) -> datetime:
    """A few seconds after it has begun, so that a cut closes the one before."""
    return quarter_of(now) + QUARTER + timedelta(seconds=6)
