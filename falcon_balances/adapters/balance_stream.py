"""The balance stream in Kinesis: segments by merchant, cuts by shard (design §3, §7)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.ports import StreamEntry
from falcon_balances.domain.cuts import Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


class KinesisBalanceStream:
    def __init__(self, kinesis: "KinesisClient", stream: str) -> None:
        self._kinesis = kinesis
        self._stream = stream

    def publish(self, entries: Sequence[StreamEntry]) -> Sequence[int]:
        """One PutRecords, of five hundred records at most. It answers 200 even if it accepted only
        a part, and promises no order among records: a caller who needs an order publishes one
        record after the other.
        https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
        """
        with aws_call(f"publish {len(entries)} records"):
            answer = self._kinesis.put_records(
                StreamName=self._stream,
                Records=[
                    {"Data": entry.data, "PartitionKey": entry.partition_key} for entry in entries
                ],
            )
        return [n for n, record in enumerate(answer["Records"]) if record.get("ErrorCode")]

    def shards(self) -> Sequence[Shard]:
        with aws_call("list shards"):
            # The paginator of botocore sends StreamName beside NextToken, which Kinesis refuses.
            answer = self._kinesis.list_shards(StreamName=self._stream)
            listed = answer["Shards"]
            while token := answer.get("NextToken"):
                answer = self._kinesis.list_shards(NextToken=token)
                listed += answer["Shards"]
        return [
            Shard(
                shard_id=shard["ShardId"],
                starting_hash_key=shard["HashKeyRange"]["StartingHashKey"],
                parents=tuple(
                    parent
                    for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
                    if parent
                ),
                is_open=not shard["SequenceNumberRange"].get("EndingSequenceNumber"),
            )
            for shard in listed
        ]

    def put_cut(self, shard: Shard, data: bytes) -> None:
        # The shard's own hash key puts the cut behind all records that the shard took before. If
        # the shard was split meanwhile, the child that covers the key takes the cut.
        # https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
        with aws_call(f"cut into {shard.shard_id}"):
            self._kinesis.put_record(
                StreamName=self._stream,
                Data=data,
                PartitionKey="cut",
                ExplicitHashKey=shard.starting_hash_key,
            )
