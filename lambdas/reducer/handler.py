"""Reducer: counts and journals the segments of one shard, each once, and meets its cuts.

Input     a Kinesis batch, all of one shard, in its order
Output    nothing: Lambda repeats a batch until all of it is counted
Retries   safe: marks make a segment count once; what a mark says is journaled by each attempt, and
          a page that no later one builds on is not read; cuts and floors only ever move forward
Errors    TransientError (the batch comes back); a record that is not ours goes to quarantine as
          E_RECORD and does not hold up the shard
"""

from base64 import b64decode
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.observability import metrics
from falcon_balances.settings import ReducerSettings
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def _world() -> ReducerPorts:
    settings = ReducerSettings.load()
    return ReducerPorts(
        DynamoBalanceStore(client("dynamodb"), settings.balances_table),
        KinesisBalanceStream(client("kinesis"), settings.stream),
        S3Quarantine(client("s3"), settings.quarantine_bucket),
        S3Journal(client("s3"), settings.journal_bucket),
    )


@metrics.log_metrics
def lambda_handler(event: dict[str, Any], _context: "LambdaContext") -> None:
    records = event["Records"]
    # `shardId-000000000000:4959…`: a batch is of one shard.
    shard_id = records[0]["eventID"].partition(":")[0]
    reduce_batch(
        shard_id,
        [
            StreamRecord(
                b64decode(record["kinesis"]["data"]),
                datetime.fromtimestamp(record["kinesis"]["approximateArrivalTimestamp"], UTC),
            )
            for record in records
        ],
        _world(),
    )
