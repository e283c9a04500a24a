"""Crashes, repeats, reorderings and races at every call of the whole path break no promise."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import QUARTER, quarter_of
from falcon_balances.domain.operations import Stage
from tests.property.actors import Actor
from tests.property.machine import SCHEDULE, Machine, context, in_depth
from tests.property.pipeline import POISON
from tests.property.promises import dump

MERCHANTS = ("ann", "ben", "market")
STAGES = st.sampled_from([Stage.CONFIRMED, Stage.RECONCILED])
PERCENTS = st.sampled_from(["0", "1.00", "2.50"])
# By reference, so that repeats stay repeats. r4 is of the month before: it is counted late.
DATES = dict.fromkeys(["r1", "r2"], "2026-03-05T09:00:00Z") | {"r4": "2026-02-28T23:59:59Z"}
# Of amounts, how market's sale is split.
SPLITS = {"10.00": ("0.10", "9.90"), "0.30": ("0.10", "0.20"), "0.00": ("0.00", "0.00")}
# The third of them may be dated before the second.
REVISED_AT = {2: ("2026-03-05T09:40:00Z",), 3: ("2026-03-05T09:50:00Z", "2026-03-05T09:35:00Z")}


@st.composite
def events(draw: st.DrawFn) -> tuple[Stage, dict[str, object]]:
    """Few identities and few contents, so that repeats and conflicts are common."""
    stage = draw(STAGES)
    revision = draw(st.sampled_from([1, 1, 2, 3]))
    amount = draw(st.sampled_from(sorted(SPLITS)[0 if revision > 1 else 1 :]))
    reference = draw(st.sampled_from(sorted(DATES)))
    event: dict[str, object] = {
        "schema_version": "1",
        "psp_id": "psp",
        "external_reference": reference,
        "type": draw(st.sampled_from(["capture", "refund"])),
        "amount": amount,
        "currency": "EUR",
        "operation_date": DATES[reference],
        "local_merchant_id": draw(st.sampled_from(["ann", "ben"])),
        "shop_id": "shop",
    }
    if draw(st.booleans()):
        event["local_merchant_id"] = "market"
        event["splits"] = [
            {
                "local_merchant_id": merchant,
                "shop_id": "shop",
                "amount": part,
                "marketplace_fee": "0.00" if amount == "0.00" else "0.05",
            }
            for merchant, part in zip(("ann", "ben"), SPLITS[amount], strict=True)
        ]
    if draw(st.integers(0, 3)) == 0:
        event["occurrence"] = 2
    if revision > 1:
        event |= {"revision": revision, "revised_at": draw(st.sampled_from(REVISED_AT[revision]))}
    if stage is Stage.RECONCILED:
        event |= {"reconciled_date": "2026-03-05T09:30:00Z", "bank_reference": "bank-1"}
    return stage, event


BROKEN = st.sampled_from(
    [
        b"{",
        b'{"schema_version": "1"}',
        b'{"a": 1, "a": 2}',
        b"\xff",
        dump(context("ann", "0")),
    ]
)


class PipelineMachine(Machine):
    @initialize(percent=PERCENTS)
    def load_merchants(self, percent: str) -> None:
        for merchant in MERCHANTS:
            self._load(context(merchant, percent))

    @rule(event=events(), copies=st.integers(1, 2))
    def publish(self, event: tuple[Stage, dict[str, object]], copies: int) -> None:
        for _ in range(copies):
            self._send(event[0], dump(event[1]))

    @rule(stage=STAGES, body=BROKEN)
    def publish_broken(self, stage: Stage, body: bytes) -> None:
        self._send(stage, body)

    @rule(event=events())
    def publish_poison(self, event: tuple[Stage, dict[str, object]]) -> None:
        self._send(event[0], dump(event[1] | {"external_reference": POISON}))

    @rule(stage=STAGES, position=st.integers(0, 3))
    def deliver_again(self, stage: Stage, position: int) -> None:
        self.pipeline.deliver_again(stage, position)

    @rule(stage=STAGES, batch_size=st.integers(1, 4), schedule=SCHEDULE)
    def dispatch(self, stage: Stage, batch_size: int, schedule: list[Any]) -> None:
        if self.pipeline.queues[stage].waiting:
            self.actors.append(Actor("dispatcher", self.pipeline.dispatcher(stage, batch_size)))
        self._go_on(schedule)

    @rule(shard=st.integers(0, 5), batch_size=st.integers(1, 6), schedule=SCHEDULE)
    def reduce(self, shard: int, batch_size: int, schedule: list[Any]) -> None:
        shard_ids = list(self.pipeline.stream.by_id)
        work = self.pipeline.reducer(shard_ids[shard % len(shard_ids)], batch_size)
        if work is not None:
            self.actors.append(Actor("reducer", work))
        self._go_on(schedule)

    @rule(schedule=SCHEDULE, minutes=st.integers(0, 16))
    def cut(self, schedule: list[Any], minutes: int) -> None:
        self.pipeline.tick(minutes=minutes, seconds=1)
        self.actors.append(Actor("cutter", self.pipeline.cutter()))
        self._go_on(schedule)

    @rule(merchant=st.sampled_from(MERCHANTS), percent=PERCENTS, status=st.booleans())
    def change_context(self, merchant: str, percent: str, status: bool) -> None:
        """What may not happen and must do no harm: another version of the code, a table edited."""
        self._load(context(merchant, percent, "active" if status else "inactive"))

    @rule(position=st.integers(0, 2))
    def refuse_a_record(self, position: int) -> None:
        """The next PutRecords takes only a part."""

        def refuse(entries: Any) -> list[int]:
            self.pipeline.stream.refuse = lambda _entries: ()
            return [position] if position < len(entries) else []

        self.pipeline.stream.refuse = refuse

    @rule(seconds=st.sampled_from([-50, 0, 50]))
    def skew(self, seconds: int) -> None:
        """Kinesis' clock, which says when a record arrived, goes wrong."""
        self.pipeline.stream_clock_skew = timedelta(seconds=seconds)

    @rule(first=events(), second=events())
    def skew_at_a_border(
        self, first: tuple[Stage, dict[str, object]], second: tuple[Stage, dict[str, object]]
    ) -> None:
        """It goes back over the end of a quarter between two messages."""
        border = quarter_of(self.pipeline.now) + QUARTER
        self.pipeline.now = max(self.pipeline.now, border - timedelta(seconds=20))
        for seconds, (stage, event) in ((50, first), (-50, second)):
            self.pipeline.stream_clock_skew = timedelta(seconds=seconds)
            self._send(stage, dump(event))
            with suppress(TransientError):
                self.pipeline.dispatcher(stage, 10)()

    @rule(to_quarter=st.booleans())
    def catch_up(self, to_quarter: bool) -> None:
        """A quiet moment: all is read, and a cut closes what lies before it."""
        if to_quarter:
            next_quarter = quarter_of(self.pipeline.now) + QUARTER
            self.pipeline.now = next_quarter + timedelta(seconds=6)
        self._finish_all()

    @rule(shard=st.integers(0, 5))
    def split_shard(self, shard: int) -> None:
        open_shards = [s for s, held in self.pipeline.stream.by_id.items() if held.shard.is_open]
        if len(self.pipeline.stream.by_id) < 8:
            self.pipeline.stream.split_shard(open_shards[shard % len(open_shards)])


TestPipeline = PipelineMachine.TestCase
TestPipeline.settings = in_depth(steps=50)
