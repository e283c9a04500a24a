"""The cutter: every minute a marker into every open shard, with the time and the list."""

import json

import pytest

from falcon_balances.adapters.aws import client
from falcon_balances.domain.errors import TransientError
from inprocess.aws import STREAM
from lambdas.cutter import handler as cutter
from tests.component.lambda_events import event_file, lambda_context
from tests.component.world import utc

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


def cut(monkeypatch, now: str) -> None:
    monkeypatch.setattr(cutter, "utc_now", lambda: utc(now))
    cutter.lambda_handler(event_file("schedule.json"), lambda_context())


def test_every_open_shard_gets_the_same_cut(aws, monkeypatch):
    cut(monkeypatch, "2026-11-20T10:20:00.999999")
    expected = {
        "schema_version": "1",
        "kind": "cut",
        "cut_at": "2026-11-20T10:20:00Z",
        "shards": [FIRST, SECOND],
    }
    found = {name: [json.loads(data) for data in held] for name, held in aws.stream().items()}
    assert found == {FIRST: [expected], SECOND: [expected]}


def test_a_cut_lies_behind_everything_that_was_published_before_it(aws, monkeypatch):
    for shard, hash_key in ((FIRST, "0"), (SECOND, str(2**127))):
        client("kinesis").put_record(
            StreamName=STREAM, Data=shard.encode(), PartitionKey="m", ExplicitHashKey=hash_key
        )
    cut(monkeypatch, "2026-11-20T10:20:00")
    assert [held[0] for held in aws.stream().values()] == [FIRST.encode(), SECOND.encode()]
    assert [len(held) for held in aws.stream().values()] == [2, 2]


def test_a_closed_shard_is_neither_cut_nor_waited_for(aws, monkeypatch):
    client("kinesis").split_shard(
        StreamName=STREAM, ShardToSplit=FIRST, NewStartingHashKey=str(2**126)
    )
    put: list[tuple[str, list[str]]] = []

    class RoutingKinesis:
        """As AWS does, and moto does not: a closed shard takes no records any more."""

        list_shards = client("kinesis").list_shards

        def put_record(self, **said):
            put.append((said["ExplicitHashKey"], json.loads(said["Data"])["shards"]))

    monkeypatch.setattr(cutter, "client", lambda _: RoutingKinesis())
    cut(monkeypatch, "2026-11-20T10:20:00")
    open_shards = [SECOND, "shardId-000000000002", "shardId-000000000003"]
    assert put == [(str(2**127), open_shards), ("0", open_shards), (str(2**126), open_shards)]


def test_the_time_is_taken_before_the_shards_are_listed(aws, monkeypatch):
    order: list[str] = []

    class Watched:
        put_record = client("kinesis").put_record

        def list_shards(self, **said):
            order.append("list")
            return client("kinesis").list_shards(**said)

    def now():
        order.append("time")
        return utc("2026-11-20T10:20:00")

    monkeypatch.setattr(cutter, "client", lambda _: Watched())
    monkeypatch.setattr(cutter, "utc_now", now)
    cutter.lambda_handler(event_file("schedule.json"), lambda_context())
    assert order == ["time", "list"]


def test_a_stream_that_cannot_be_reached_is_an_error(aws, monkeypatch):
    client("kinesis").delete_stream(StreamName=STREAM)
    with pytest.raises(TransientError, match="list shards"):
        cut(monkeypatch, "2026-11-20T10:20:00")
