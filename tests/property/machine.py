"""The world of a property test: the pipeline, its actors, their faults, and what must hold."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.operations import Stage
from tests.property.actors import FAULTS, Actor, Scheduler
from tests.property.pipeline import Pipeline
from tests.property.promises import Promises

FAULT = st.sampled_from([None, None, *FAULTS])
# Which actor goes on, how many calls far, and what happens to it there.
SCHEDULE = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6), FAULT), min_size=1, max_size=8)


def context(merchant: str, percent: str, status: str = "active") -> dict[str, Any]:
    return {
        "schema_version": "1",
        "psp_id": "psp",
        "local_merchant_id": merchant,
        "shop_id": "shop",
        "merchant_id": f"m-{merchant}",
        "balance_shops": {"EUR": f"bs-{merchant}"},
        "status": status,
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": [{"type": "psp_fee", "on": "capture", "percent": percent}],
    }


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.promises = Promises()
        self.pipeline = Pipeline(Scheduler(self.promises.observe).interrupt)
        self.promises.pipeline = self.pipeline
        self.actors: list[Actor] = []

    def _load(self, document: dict[str, Any]) -> None:
        version = parse_merchant_context(document)
        self.pipeline.directory.contexts[version.key] = [version]
        self.pipeline.directory.named |= merchants_of([version])

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

    def _finish_all(self) -> None:
        for actor in self.actors:
            actor.finish()
        self.actors = []
        self.pipeline.cutter()()
        self.pipeline.reduce_all()

    @invariant()
    def balances_follow_marks(self) -> None:
        self.promises.check_balances_follow_marks()

    def teardown(self) -> None:
        """Let all end, dead letters too, without further faults; then nothing may be missing."""
        for actor in self.actors:
            actor.finish()
        for stage, queue in self.pipeline.queues.items():
            queue.redrive()
            while queue.waiting:
                self.pipeline.dispatcher(stage, 10)()
        self.pipeline.tick(minutes=1)
        self._finish_all()
        self.promises.check_balances_follow_marks()
        self.promises.check_drained()
        self.promises.check_replay()
