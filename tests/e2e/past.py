"""Counting what arrived long ago: quarters close every 15 minutes, which no test waits for.

The reducer is held, and its own code counts the stream's records into the embedded DynamoDB, as if
they had arrived when the test says. Let go, the reducer finds them counted and goes on. Nothing of
the product is changed, and `as_of` stays the reducer's own.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.balance_stream import KinesisBalanceStream
from falcon_balances.adapters.journal import S3Journal
from falcon_balances.adapters.quarantine import S3Quarantine
from falcon_balances.cli.target import Target
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import BEGINNING
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.e2e import observed

REDUCER = "falcon-balances-local-reducer"
# None of the stream's own: a shard says which quarters it has closed.
SHARD = "shardId-of-the-past"
LONG_AGO = parse_rfc3339("2000-01-01T00:00:00Z")


@contextmanager
def held_reducer(target: Target) -> Iterator[None]:
    """Nothing is counted meanwhile; the emulator may still be at a batch when this begins."""
    lambdas = target.client("lambda")
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=REDUCER)["EventSourceMappings"]
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def count_earlier(target: Target, arrived_at: Callable[[dict[str, Any]], datetime | None]) -> int:
    """Count the stream's segments as having arrived then; None leaves one to the reducer.

    The reducer must be held. How many were counted.
    """
    chosen = [(arrived_at(each), each) for each in observed.segments_on_stream(target)]
    known = [(when, each) for when, each in chosen if when is not None]
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    store.move_shard(SHARD, BEGINNING, LONG_AGO, BEGINNING)
    world = ReducerPorts(
        store,
        KinesisBalanceStream(target.client("kinesis"), target.stream),
        S3Quarantine(target.client("s3"), target.quarantine_bucket),
        S3Journal(target.client("s3"), target.log_bucket.replace("-log-", "-journal-")),
    )
    for when, group in groupby(sorted(known, key=lambda pair: pair[0]), key=lambda pair: pair[0]):
        records = [StreamRecord(json.dumps(each).encode(), when) for _, each in group]
        reduce_batch(SHARD, records, world)
    _open_days_again(target)
    return len(known)


def _open_days_again(target: Target) -> None:
    """The closer may have closed days of which something was counted only now."""
    dynamodb = target.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=target.balances_table)
    keys = [{"pk": item["pk"], "sk": item["sk"]} for page in pages for item in page["Items"]]
    for key in keys:
        if key["sk"]["S"].startswith(("CLOSING#", "CLOSED_DAY")):
            dynamodb.delete_item(TableName=target.balances_table, Key=key)
