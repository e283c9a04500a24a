"""A merchant reads while all else goes on and goes wrong: what it was told stays true for ever."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from falcon_balances.contracts.blocks import BlockRequestV1
from falcon_balances.domain.history import parse_month
from falcon_balances.domain.instants import QUARTER, rfc3339
from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.operations import Stage
from lambdas.systems_api.blocking import BlockConflictError, request_block
from tests.property.actors import Actor
from tests.property.machine import SCHEDULE, Machine, context, in_depth, next_quarter
from tests.property.promises import dump
from tests.property.read_checks import Request
from tests.property.reading import FIRST_BORDER
from tests.property.test_pipeline import MERCHANTS, PERCENTS, events

Sent = tuple[Stage, dict[str, object]]
REQUESTS = st.builds(
    Request,
    st.sampled_from(["m-ann", "m-ann", "m-market", "m-ben"]),
    index_delay_s=st.sampled_from([0, 1, 10, 10]),
    marks_a_page=st.sampled_from([100, 3, 1]),
)
WANTED = st.sampled_from(
    [
        OperationFilter(),
        OperationFilter(),
        OperationFilter(stage="confirmed"),
        OperationFilter(type="refund"),
        OperationFilter(balance_shop_id="bs-ann", psp_id="psp"),
        OperationFilter(start=FIRST_BORDER + QUARTER, end=FIRST_BORDER + 3 * QUARTER),
    ]
)
BORDER = st.integers(0, 20)


@st.composite
def adjustments(draw: st.DrawFn) -> Sent:
    number = draw(st.integers(1, 4))
    return Stage.ADJUSTMENT, {
        "schema_version": "1",
        "merchant_id": "m-ann",
        "balance_shop_id": "bs-ann",
        "adjustment_id": f"adj-{number}",
        "direction": ("credit", "debit")[number % 2],
        "amount": f"{number}.00",
        "currency": "EUR",
        "adjusted_at": "2026-03-05T09:00:00Z",
        "reason": "counted twice",
        "reason_code": "double_booking",
        "requested_by": "ops",
    }


@st.composite
def payments(draw: st.DrawFn) -> Sent:
    """Of many more references, so that there is always something new."""
    stage, event = draw(events())
    reference = f"{event['external_reference']}-{draw(st.integers(1, 9))}"
    return stage, event | {"external_reference": reference}


SENT = st.one_of(payments(), payments(), payments(), adjustments())


BATCH = st.lists(SENT, max_size=2)
LIMIT = st.integers(1, 3)
PAUSE = st.integers(0, 16)  # calls of the reader


class ReadingMachine(Machine):
    @initialize(
        percent=PERCENTS,
        is_shop_of_ann=st.booleans(),
        batch=st.lists(SENT, min_size=1, max_size=4),
    )
    def begin(self, percent: str, is_shop_of_ann: bool, batch: list[Sent]) -> None:
        """Where ben is a shop of ann, she has two balances, and one segment may touch both."""
        owners = {"ben": "ann"} if is_shop_of_ann else {}
        for merchant in MERCHANTS:
            self._load(context(merchant, percent, owner=owners.get(merchant)))
        self.pass_time(batch, "quarter", "caught up", 0, [], 0, 1)

    def _publish(self, batch: list[Sent]) -> None:
        """As far as the stream, without faults: those are looked for elsewhere."""
        for stage, event in batch:
            self._send(stage, dump(event))
        self._dispatch_all()

    @rule(
        batch=st.lists(SENT, max_size=4),
        until=st.sampled_from(["now", "quarter", "quarter", "month"]),
        reducers=st.sampled_from(["caught up", "late", "held"]),
        skew_s=st.sampled_from([0, 0, -50, 50]),
        then=BATCH,
        since=st.sampled_from([0, 1, -2, -2]),
        limit=st.sampled_from([1, 2, 100]),
    )
    def pass_time(
        self,
        batch: list[Sent],
        until: str,
        reducers: str,
        skew_s: int,
        then: list[Sent],
        since: int,
        limit: int,
    ) -> None:
        """To where a cut may close what lies before it, and something is counted after it.

        Reducers that are late count half of it only then, so that the index may not have it yet;
        those that are held do not go on at all. Kinesis' clock, which says when a record arrived,
        may be wrong.
        """
        self.pipeline.stream_clock_skew = timedelta(seconds=skew_s)
        in_time = len(batch) if reducers == "caught up" else len(batch) // 2
        self._publish(batch[:in_time])
        self._finish_all()
        self._publish(batch[in_time:])
        before = self.pipeline.store.known_as_of
        if until == "month":
            _, ends = parse_month(rfc3339(self.pipeline.now)[:7])
            self.pipeline.now = ends + timedelta(seconds=6)
        elif until == "quarter":
            self.pipeline.now = next_quarter(self.pipeline.now)
        self.pipeline.cutter()()
        self._publish(then)
        if reducers == "held":
            self.reading.check_stands_still(before)
            return
        self._finish_all()
        if reducers == "late":
            self.reading.read_behind("m-ann", since, limit)

    @rule(shard=st.integers(0, 5), batch_size=st.integers(1, 6), schedule=SCHEDULE)
    def reduce(self, shard: int, batch_size: int, schedule: list[Any]) -> None:
        shard_ids = list(self.pipeline.stream.by_id)
        self._start_reducer(shard_ids[shard % len(shard_ids)], batch_size)
        self._go_on(schedule)

    def _start_reducer(self, shard_id: str, batch_size: int) -> None:
        work = self.pipeline.reducer(shard_id, batch_size)
        if work is not None:
            self.actors.append(Actor("reducer", work))

    @rule(minutes=st.integers(0, 16), seconds=st.integers(0, 10), schedule=SCHEDULE)
    def cut(self, minutes: int, seconds: int, schedule: list[Any]) -> None:
        self.pipeline.tick(minutes=minutes, seconds=seconds)
        self.actors.append(Actor("cutter", self.pipeline.cutter()))
        self._go_on(schedule)

    @rule(shard=st.integers(0, 5), amount=st.sampled_from(["0.10", "3.00"]))
    def split_shard_and_set_aside(self, shard: int, amount: str) -> None:
        """What is set aside is no part of the past, which is before blocks."""
        open_shards = [s for s, held in self.pipeline.stream.by_id.items() if held.shard.is_open]
        if len(self.pipeline.stream.by_id) < 8:
            self.pipeline.stream.split_shard(open_shards[shard % len(open_shards)])
        asked = BlockRequestV1(
            balance_shop_id="bs-ann", reference="by-hand", amount=amount, currency="EUR"
        )
        block = asked.to_block("m-ann", amount, "tester", self.pipeline.now)
        with suppress(BlockConflictError):
            request_block(block, self.pipeline.store, wait=lambda _delay_s: None)

    @rule(request=REQUESTS, since=BORDER, batch=BATCH, pause=PAUSE, schedule=SCHEDULE)
    def look_back(
        self, request: Request, since: int, batch: list[Sent], pause: int, schedule: list[Any]
    ) -> None:
        self._read(lambda: self.reading.look_back(request, since), batch, pause, schedule)

    @rule(
        balances_max=st.sampled_from([None, 1, 2]),
        batch=BATCH,
        pause=PAUSE,
        schedule=SCHEDULE,
    )
    def close(
        self, balances_max: int | None, batch: list[Sent], pause: int, schedule: list[Any]
    ) -> None:
        self._read(lambda: self.reading.close(balances_max), batch, pause, schedule)

    @rule(request=REQUESTS, batch=BATCH, pause=PAUSE, schedule=SCHEDULE)
    def ask_the_log(
        self, request: Request, batch: list[Sent], pause: int, schedule: list[Any]
    ) -> None:
        self._read(lambda: self.reading.ask_the_log(request), batch, pause, schedule)

    @rule(
        request=REQUESTS,
        borders=st.tuples(BORDER, BORDER),
        limit=LIMIT,
        by_shop=st.booleans(),
        batch=BATCH,
        pause=PAUSE,
        schedule=SCHEDULE,
    )
    def state(
        self,
        request: Request,
        borders: tuple[int, int],
        limit: int,
        by_shop: bool,
        batch: list[Sent],
        pause: int,
        schedule: list[Any],
    ) -> None:
        self._read(
            lambda: self.reading.state(request, borders, limit, by_shop=by_shop),
            batch,
            pause,
            schedule,
        )

    @rule(
        request=REQUESTS,
        wanted=WANTED,
        newest_first=st.booleans(),
        limit=LIMIT,
        batch=BATCH,
        pause=PAUSE,
        schedule=SCHEDULE,
    )
    def read_operations(
        self,
        request: Request,
        wanted: OperationFilter,
        newest_first: bool,
        limit: int,
        batch: list[Sent],
        pause: int,
        schedule: list[Any],
    ) -> None:
        """A page more of the merchant's walk, or the first of a new one."""
        walk = self.reading.walk(request.merchant_id, wanted, newest_first=newest_first)
        self._read(lambda: self.reading.next_page(request, walk, limit), batch, pause, schedule)

    def _read(
        self, work: Callable[[], None], batch: list[Sent], pause: int, schedule: list[Any]
    ) -> None:
        """While every shard is reduced: much of it where the reader pauses. Requests are answered
        in seconds, so it ends before others let time pass.
        """
        self._publish(batch)
        reader = Actor("reader", self.reading.in_actor(work))
        for _ in range(pause):
            reader.step()
        for shard_id in list(self.pipeline.stream.by_id):
            self._start_reducer(shard_id, 3)
        self.actors.append(reader)
        self._go_on(schedule)
        if pause % 2:
            self._finish_all()
        reader.finish()


TestReading = ReadingMachine.TestCase
TestReading.settings = in_depth(steps=30, share=4)
