"""Cuts and windows: as_of never lies, never goes back, and a closed quarter stays as it is."""

from dataclasses import replace
from functools import partial

import pytest
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from falcon_balances.domain.errors import TransientError
from inprocess.aws import STREAM
from lambdas.reducer import handler as reducer
from tests.builders import confirmed, cut_of, data_of, record_of
from tests.component.world import AwsWorld, utc

A, B = "shardId-000000000000", "shardId-000000000001"
CHILD, OTHER_CHILD = "shardId-000000000002", "shardId-000000000003"


def segment(n: int) -> bytes:
    return data_of(record_of(confirmed(external_reference=f"order-{n}")))


def cut(time: str, *shards: str) -> bytes:
    return data_of(cut_of(f"2026-11-20T{time}Z", *shards or (A, B)))


def at(time: str):
    return utc(f"2026-11-20T{time}")


def windows(world) -> dict[str, int]:
    """Lines counted in each quarter of an hour, by its time of day."""
    return {sk[-9:-4]: item["operations_count"] for sk, item in world.items("WINDOW").items()}


def floor(world: AwsWorld, shard_id: str) -> str | None:
    return world.stream_item(f"SHARD#{shard_id}").get("closed_until")


def test_as_of_moves_when_a_cut_is_met_in_all_shards_of_its_list(aws):
    aws.reduce(cut("10:16:00"), arrived_at=at("10:16:01"), shard_id=A)
    assert aws.as_of() is None
    aws.reduce(cut("10:16:00"), arrived_at=at("10:16:01"), shard_id=B)
    assert aws.as_of() == "2026-11-20T10:16:00Z"


def test_a_cut_that_as_of_came_to_says_when_and_keeps_saying_it(aws, monkeypatch):
    counting = reducer._world()
    for shard_id, now, said in [
        (A, "10:16:02", None),
        (B, "10:16:03", "2026-11-20T10:16:03Z"),
        (B, "10:20:00", "2026-11-20T10:16:03Z"),
    ]:
        then = replace(counting, now=partial(at, now))
        with monkeypatch.context() as patch:
            patch.setattr(reducer, "_world", lambda then=then: then)
            aws.reduce(cut("10:16:00"), arrived_at=at("10:16:01"), shard_id=shard_id)
        assert aws.stream_item("CUT#2026-11-20T10:16:00Z").get("completed_at") == said


def test_while_one_reducer_is_held_back_as_of_stands_still(aws):
    for minute in (16, 17, 18):
        aws.reduce(cut(f"10:{minute}:00"), arrived_at=at(f"10:{minute}:01"), shard_id=A)
    assert aws.as_of() is None
    aws.reduce(cut("10:16:00"), cut("10:17:00"), arrived_at=at("10:19:00"), shard_id=B)
    assert aws.as_of() == "2026-11-20T10:17:00Z"


def test_a_batch_that_fails_meets_no_cut_even_one_that_stands_before_what_failed(aws, monkeypatch):
    class Down:
        def __getattr__(self, name):
            return getattr(client("dynamodb"), name)

        def transact_write_items(self, **_):
            error = {"Error": {"Code": "InternalServerError", "Message": ""}}
            raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]

    batch = [cut("10:16:00", A), segment(0), cut("10:17:00", A), segment(1)]
    with monkeypatch.context() as patch:
        patch.setattr(
            reducer, "client", lambda name: Down() if name == "dynamodb" else client(name)
        )
        with pytest.raises(TransientError):
            aws.reduce(*batch, arrived_at=at("10:17:01"))
    assert aws.as_of() is None
    assert aws.balance() == {}
    reducer._world.cache_clear()
    aws.reduce(*batch, arrived_at=at("10:17:01"))
    assert aws.as_of() == "2026-11-20T10:17:00Z"
    assert aws.balance()["operations_count"] == 2


def test_of_several_cuts_in_a_batch_the_newest_complete_one_counts(aws):
    cuts = [cut(f"10:{minute}:00", A) for minute in (16, 17, 18)]
    aws.reduce(*cuts, cut("10:19:00", A, B), arrived_at=at("10:19:01"))
    assert aws.as_of() == "2026-11-20T10:18:00Z"


@pytest.mark.parametrize("late", ["10:18:00", "10:17:00", "10:00:00"])
def test_a_cut_that_comes_again_late_or_out_of_order_moves_nothing_back(aws, late):
    aws.reduce(cut("10:18:00", A), arrived_at=at("10:18:01"))
    before = floor(aws, A)
    aws.reduce(cut(late, A), segment(0), arrived_at=at("10:18:02"))
    assert aws.as_of() == "2026-11-20T10:18:00Z"
    assert floor(aws, A) == before == "2026-11-20T10:15:00Z"
    assert windows(aws) == {"10:15": 1}


def test_a_cut_that_lapsed_is_overtaken_by_the_next(aws):
    aws.reduce(cut("10:16:00", A, "shardId-gone"), arrived_at=at("10:16:01"))
    assert aws.as_of() is None
    aws.reduce(cut("10:17:00", A), arrived_at=at("10:17:01"))
    assert aws.as_of() == "2026-11-20T10:17:00Z"


def test_a_segment_is_counted_in_the_quarter_of_its_arrival(aws):
    for n, time in enumerate(("10:14:59", "10:15:00", "10:29:59", "10:30:00")):
        aws.reduce(segment(n), arrived_at=at(time))
    assert windows(aws) == {"10:00": 1, "10:15": 2, "10:30": 1}


@pytest.mark.parametrize(
    ("cut_at", "counted_in"),
    [("10:15:04", "10:00"), ("10:15:05", "10:15"), ("10:29:00", "10:15"), ("10:30:05", "10:30")],
)
def test_behind_a_cut_nothing_is_counted_in_a_quarter_that_it_closed(aws, cut_at, counted_in):
    """Arrival times are Kinesis' own: one may lie before the cut that stands before it."""
    aws.reduce(cut(cut_at, A), arrived_at=at(cut_at))
    aws.reduce(segment(0), arrived_at=at("10:14:59"))
    assert windows(aws) == {counted_in: 1}


def test_in_a_batch_that_straddles_a_cut_each_side_has_its_own_quarter(aws):
    """The clock that says when a record arrived goes back behind each cut."""
    aws.reduce_arrivals(
        (segment(0), at("10:14:58")),
        (cut("10:15:05", A), at("10:15:05")),
        (segment(1), at("10:14:59")),
        (cut("10:30:10", A), at("10:30:10")),
        (segment(2), at("10:29:59")),
    )
    assert windows(aws) == {"10:00": 1, "10:15": 1, "10:30": 1}
    aws.reduce(segment(3), arrived_at=at("10:14:59"))
    assert windows(aws) == {"10:00": 1, "10:15": 1, "10:30": 2}


def test_before_the_cut_of_a_batch_the_old_floor_holds(aws):
    aws.reduce(cut("10:15:05", A), arrived_at=at("10:15:05"))
    aws.reduce_arrivals(
        (segment(0), at("10:14:59")),
        (cut("10:45:05", A), at("10:45:05")),
        (segment(1), at("10:44:59")),
    )
    assert windows(aws) == {"10:15": 1, "10:45": 1}


def test_in_a_batch_no_record_is_counted_in_an_earlier_quarter_than_one_before_it(aws):
    aws.reduce_arrivals(
        (segment(0), at("10:14:59")), (segment(1), at("10:15:00")), (segment(2), at("10:14:59"))
    )
    assert windows(aws) == {"10:00": 1, "10:15": 2}


def test_a_floor_holds_in_its_own_shard_only(aws):
    aws.reduce(cut("10:16:00"), arrived_at=at("10:16:01"), shard_id=A)
    aws.reduce(segment(0), arrived_at=at("10:14:59"), shard_id=B)
    assert windows(aws) == {"10:00": 1}


def test_a_child_shard_begins_where_its_parent_closed(aws):
    aws.reduce(cut("10:31:00", A), arrived_at=at("10:31:01"), shard_id=A)
    client("kinesis").split_shard(StreamName=STREAM, ShardToSplit=A, NewStartingHashKey=str(2**126))
    aws.reduce(segment(0), arrived_at=at("10:14:00"), shard_id=CHILD)
    assert windows(aws) == {"10:30": 1}
    assert floor(aws, CHILD) == "2026-11-20T10:30:00Z"


def test_a_merged_shard_begins_where_the_later_of_its_parents_closed(aws):
    aws.reduce(cut("10:16:00"), arrived_at=at("10:16:01"), shard_id=A)
    aws.reduce(cut("10:46:00"), arrived_at=at("10:46:01"), shard_id=B)
    client("kinesis").merge_shards(StreamName=STREAM, ShardToMerge=A, AdjacentShardToMerge=B)
    aws.reduce(segment(0), arrived_at=at("10:14:00"), shard_id=CHILD)
    assert windows(aws) == {"10:45": 1}


def test_a_grandchild_inherits_through_a_parent_that_never_held_anything(aws):
    kinesis = client("kinesis")
    aws.reduce(cut("10:31:00", A), arrived_at=at("10:31:01"), shard_id=A)
    kinesis.split_shard(StreamName=STREAM, ShardToSplit=A, NewStartingHashKey=str(2**126))
    kinesis.split_shard(StreamName=STREAM, ShardToSplit=CHILD, NewStartingHashKey=str(2**125))
    aws.reduce(segment(0), arrived_at=at("10:14:00"), shard_id="shardId-000000000004")
    assert windows(aws) == {"10:30": 1}


def test_a_cut_that_meets_resharding_lapses_and_the_next_one_counts(aws):
    """Listed before the split, the cut lands in the children: its list is never complete."""
    client("kinesis").split_shard(StreamName=STREAM, ShardToSplit=A, NewStartingHashKey=str(2**126))
    for shard_id in (CHILD, B):
        aws.reduce(cut("10:16:00", A, B), arrived_at=at("10:16:01"), shard_id=shard_id)
    assert aws.as_of() is None
    for shard_id in (CHILD, OTHER_CHILD, B):
        assert aws.as_of() is None
        aws.reduce(
            cut("10:17:00", B, CHILD, OTHER_CHILD), arrived_at=at("10:17:01"), shard_id=shard_id
        )
    assert aws.as_of() == "2026-11-20T10:17:00Z"


def test_what_is_closed_never_changes_again(aws):
    """So for a closed quarter: balance then = live balance - windows since."""
    aws.reduce(segment(0), arrived_at=at("10:10:00"))
    aws.reduce(cut("10:15:05", A), arrived_at=at("10:15:06"))
    closed = windows(aws)["10:00"]
    for n in range(1, 6):
        aws.reduce(segment(n), segment(0), arrived_at=at("10:14:50"))
    since = sum(count for quarter, count in windows(aws).items() if quarter >= "10:15")
    assert windows(aws)["10:00"] == closed == 1
    assert aws.balance()["operations_count"] - since == 1
