"""What the stream does, in memory and in Kinesis: order within a shard, a shard per merchant."""

from hashlib import md5

import pytest

from falcon_balances.adapters.ports import StreamEntry
from falcon_balances.fakes.stream import MemoryBalanceStream
from tests.component.ports.conftest import ARRIVAL

MERCHANTS = [f"m-{n}" for n in range(20)]


def shard_for(partition_key: str) -> str:
    """Of two shards, worked out by hand: the first has the lower half of the hash keys."""
    hashed = int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest())
    return f"shardId-{hashed * 2 // 2**128:012d}"


def test_the_entries_of_a_merchant_lie_in_one_shard_in_the_order_of_publishing(stream):
    sent = {merchant: [f"{merchant}/{n}".encode() for n in range(3)] for merchant in MERCHANTS}
    for n in range(3):
        refused = stream.port.publish([StreamEntry(name, sent[name][n]) for name in MERCHANTS])
        assert list(refused) == []
    records = stream.read()
    for merchant, expected in sent.items():
        held = records[shard_for(merchant)]
        assert [data for data in held if data in expected] == expected
    assert sum(len(held) for held in records.values()) == 3 * len(MERCHANTS)


def test_one_publication_keeps_its_order_within_a_shard(stream):
    entries = [StreamEntry("m-1", str(n).encode()) for n in range(50)]
    stream.port.publish(entries)
    assert stream.read()[shard_for("m-1")] == [entry.data for entry in entries]


def test_the_same_bytes_can_be_published_again(stream):
    for _ in range(2):
        stream.port.publish([StreamEntry("m-1", b"same")])
    assert stream.read()[shard_for("m-1")] == [b"same", b"same"]


def test_shards_are_listed_with_their_hash_keys(stream):
    shards = stream.port.shards()
    assert [shard.shard_id for shard in shards] == [
        "shardId-000000000000",
        "shardId-000000000001",
    ]
    assert [shard.starting_hash_key for shard in shards] == ["0", str(2**127)]
    assert all(shard.is_open and shard.parents == () for shard in shards)


@pytest.mark.parametrize("position", [0, 1])
def test_a_cut_lies_in_the_shard_that_it_was_put_into(stream, position):
    shard = stream.port.shards()[position]
    stream.port.put_cut(shard, b"cut")
    assert stream.read()[shard.shard_id] == [b"cut"]
    assert sum(len(held) for held in stream.read().values()) == 1


def test_a_split_shard_is_closed_and_its_children_name_it(stream):
    stream.split("shardId-000000000000")
    by_id = {shard.shard_id: shard for shard in stream.port.shards()}
    assert [(name, shard.is_open, shard.parents) for name, shard in sorted(by_id.items())] == [
        ("shardId-000000000000", False, ()),
        ("shardId-000000000001", True, ()),
        ("shardId-000000000002", True, ("shardId-000000000000",)),
        ("shardId-000000000003", True, ("shardId-000000000000",)),
    ]
    assert by_id["shardId-000000000002"].starting_hash_key == "0"
    assert by_id["shardId-000000000003"].starting_hash_key == str(2**126)


def test_after_a_split_records_and_cuts_go_to_the_child_that_covers_their_hash_keys():
    """The fake only: moto goes on writing into closed shards, which AWS does not."""
    fake = MemoryBalanceStream(lambda: ARRIVAL)
    closed, _ = fake.shards()
    merchant = next(name for name in MERCHANTS if shard_for(name) == closed.shard_id)
    fake.split_shard(closed.shard_id)
    fake.put_cut(closed, b"cut")
    fake.publish([StreamEntry(merchant, b"1"), StreamEntry(merchant, b"2")])
    held = {name: [record.data for record in shard.records] for name, shard in fake.by_id.items()}
    assert held[closed.shard_id] == []
    assert held["shardId-000000000002"][0] == b"cut"
    assert [data for records in held.values() for data in records if data != b"cut"] == [b"1", b"2"]
