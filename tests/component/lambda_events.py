"""What calls a function on AWS: events of SQS and Kinesis, and a context."""

import json
from base64 import b64encode
from collections.abc import Iterable
from copy import deepcopy
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from falcon_balances.domain.instants import parse_rfc3339
from tests.builders import SENT_AT

EVENTS = Path(__file__).parent / "events"


ARRIVED_AT = parse_rfc3339("2026-11-20T10:20:01Z")


SHARD = "shardId-000000000000"


def lambda_context(seconds_left: float = 300) -> Any:
    """As little of a Lambda context as the functions look at."""
    return SimpleNamespace(
        function_name="test",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: int(seconds_left * 1000),
    )


def event_file(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((EVENTS / name).read_text())
    return document


def sqs_event(bodies: Iterable[bytes], sent_at: datetime = SENT_AT) -> dict[str, Any]:
    """A batch of messages `message-0`, `message-1`, …"""
    template = event_file("sqs.json")
    records = []
    for n, body in enumerate(bodies):
        record = deepcopy(template) | {
            "messageId": f"message-{n}",
            "body": body.decode("utf-8", "surrogatepass"),
        }
        record["attributes"]["SentTimestamp"] = str(int(sent_at.timestamp()) * 1000 + 123)
        records.append(record)
    return {"Records": records}


def kinesis_event(
    records: Iterable[tuple[bytes, datetime]], shard_id: str = SHARD
) -> dict[str, Any]:
    """A batch of records, each with the time of its arrival."""
    template = event_file("kinesis.json")
    built = []
    for data, arrived_at in records:
        record = deepcopy(template) | {"eventID": f"{shard_id}:4959033827149025660855969253836157"}
        record["kinesis"] |= {
            "data": b64encode(data).decode(),
            "approximateArrivalTimestamp": arrived_at.timestamp(),
        }
        built.append(record)
    return {"Records": built}
