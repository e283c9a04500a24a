"""The reducer's own code on the embedded AWS, killed before and after each of its calls."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.cli.target import Target
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.operations import staged
from falcon_balances.fakes.interruptions import Crash
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.builders import confirmed, cut_of, data_of, reconciled, record_of
from tests.e2e import observed

QUARTER = parse_rfc3339("2026-11-20T10:15:00Z")
CUTS = QUARTER + timedelta(minutes=15, seconds=10)
LONG_AGO = parse_rfc3339("2000-01-01T00:00:00Z")


class Killable:
    """Tells `tick` before and after each call of a port."""

    def __init__(self, port: object, tick: Callable[[], None]) -> None:
        self._port = port
        self._tick = tick

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._port, name)

        def told(*args: Any, **said: Any) -> Any:
            self._tick()
            answer = call(*args, **said)
            self._tick()
            return answer

        return told


class Attempt:
    """A shard of its own, whose reducer is killed at the call `killed_at`."""

    def __init__(self, target: Target, killed_at: int) -> None:
        self.shard_id = f"shardId-killed-{killed_at:03d}"
        self.cut_at = CUTS + timedelta(seconds=killed_at)
        self.left = killed_at
        dynamodb, s3 = target.client("dynamodb"), target.client("s3")
        self.store = DynamoBalanceStore(dynamodb, target.balances_table)
        self.journal = S3Journal(s3, observed.journal_bucket(target))
        self.store.move_shard(self.shard_id, BEGINNING, LONG_AGO, BEGINNING)
        ports = [
            self.store,
            KinesisBalanceStream(target.client("kinesis"), target.stream),
            S3Quarantine(s3, target.quarantine_bucket),
            self.journal,
        ]
        killable: list[Any] = [Killable(port, self.tick) for port in ports]
        self.ports = ReducerPorts(*killable)

    def tick(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def records(self) -> list[StreamRecord]:
        """Both stages of an operation, a repeat, the cut that closes their quarter, one more."""
        first, second = (f"{self.shard_id}-{n}" for n in (1, 2))
        captured = data_of(record_of(confirmed(external_reference=first)))
        traced = data_of(record_of(reconciled(external_reference=first)))
        later = data_of(record_of(confirmed(external_reference=second)))
        cut = data_of(cut_of(rfc3339(self.cut_at), self.shard_id))
        arrivals: list[tuple[bytes, datetime]] = [
            (captured, QUARTER),
            (traced, QUARTER),
            (captured, QUARTER),
            (cut, self.cut_at),
            (later, self.cut_at),
        ]
        return [StreamRecord(*each) for each in arrivals]

    def check(self) -> None:
        ends = {self.shard_id: self.store.ends(self.cut_at)[self.shard_id]}
        closed = ClosedJournal(self.journal, ends, {})
        entries = list(closed.entries(None, closed_until(self.cut_at)))
        keys = [LogKey.parse(each.log_key) for each in entries]
        assert sorted(key.stage for key in keys) == ["confirmed", "reconciled"]
        for entry, key in zip(entries, keys, strict=True):
            named = (key.falcon_operation_id, staged(key.stage, key.revision))
            assert self.store.mark(key.merchant_id, *named)["window"] == rfc3339(entry.window)


def test_killed_at_any_call_the_journal_is_complete_when_the_quarter_is_closed(fresh_stack):
    target = fresh_stack().target
    killed_at, is_killed = 0, True
    while is_killed:
        killed_at += 1
        attempt = Attempt(target, killed_at)
        records = attempt.records()
        with suppress(Crash):
            reduce_batch(attempt.shard_id, records, attempt.ports)
        is_killed = attempt.left == 0
        attempt.left = -1  # lives from now on
        for some in (records[:1], records[1:]):
            reduce_batch(attempt.shard_id, some, attempt.ports)
        attempt.check()
    assert killed_at > 20, "before and after ten calls"
