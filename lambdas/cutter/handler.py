"""Cutter: every minute puts a cut into every open shard of the stream.

Input     the scheduler's event, which is ignored
Output    nothing
Retries   safe: another cut, complete or not, moves nothing back; an incomplete cut lapses
Errors    TransientError; the next minute brings the next cut
"""

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.ports import BalanceStream
from falcon_balances.contracts.stream_records import CutRecordV1
from falcon_balances.domain.cuts import Cut
from falcon_balances.settings import CutterSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def put_cuts(now: datetime, stream: BalanceStream) -> None:
    """`now` is an argument because it must be read before the shards are listed."""
    open_shards = [shard for shard in stream.shards() if shard.is_open]
    cut = Cut(now.replace(microsecond=0), tuple(shard.shard_id for shard in open_shards))
    data = CutRecordV1.of(cut).model_dump_json().encode()
    for shard in open_shards:
        stream.put_cut(shard, data)


@cache
def _stream() -> BalanceStream:
    return KinesisBalanceStream(client("kinesis"), CutterSettings.load().stream)


def lambda_handler(_event: dict[str, Any], _context: "LambdaContext") -> None:
    put_cuts(utc_now(), _stream())
