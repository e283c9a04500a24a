"""Counting what arrived long ago: quarters close every 15 minutes, which no test waits for.

The stream is held back from the reducer, which gets the stream's records from here instead, as if
they had arrived when the test says. Let go, the reducer finds them counted and goes on. Nothing of
the product is changed, and `as_of` stays the reducer's own.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.cli.target import Target
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import BEGINNING
from tests.e2e import observed

REDUCER = "falcon-balances-local-reducer"
# None of the stream's own: a shard says which quarters it has closed.
SHARD = "shardId-of-the-past"
LONG_AGO = parse_rfc3339("2000-01-01T00:00:00Z")
_RECORDS = 200  # of one call


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
    by_time = sorted(known, key=lambda pair: pair[0])
    for start in range(0, len(by_time), _RECORDS):
        _reduce(target, by_time[start : start + _RECORDS])
    _open_days_again(target)
    return len(known)


def _reduce(target: Target, some: Sequence[tuple[datetime, dict[str, Any]]]) -> None:
    """Calls the function as its event source mapping does: nobody else may write the journal."""
    event = {"Records": [_record(number, *each) for number, each in enumerate(some)]}
    answer = target.client("lambda").invoke(FunctionName=REDUCER, Payload=json.dumps(event))
    assert "FunctionError" not in answer, answer["Payload"].read()


def _record(number: int, arrived_at: datetime, said: dict[str, Any]) -> dict[str, Any]:
    data = b64encode(json.dumps(said).encode()).decode()
    return {
        "eventID": f"{SHARD}:{number}",
        "kinesis": {"data": data, "approximateArrivalTimestamp": arrived_at.timestamp()},
    }


def _open_days_again(target: Target) -> None:
    """The closer may have closed days of which something was counted only now."""
    dynamodb = target.client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=target.balances_table)
    keys = [{"pk": item["pk"], "sk": item["sk"]} for page in pages for item in page["Items"]]
    for key in keys:
        if key["sk"]["S"].startswith(("CLOSING#", "CLOSED_DAY", "CLOSED_JOURNAL")):
            dynamodb.delete_item(TableName=target.balances_table, Key=key)
