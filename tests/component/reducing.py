"""Segments as they lie on the stream, and a reducer whose DynamoDB is disturbed."""

from typing import Any

from falcon_balances.adapters.aws import client
from lambdas.reducer import handler as reducer
from tests.builders import (
    confirmed,
    context_of,
    data_of,
    fee_of,
    record_of,
)
from tests.component.disturbed import DisturbedDynamo

WITH_FEE = context_of(fees=[fee_of("1.00")])
ONCE = {"confirmed": 10000, "pending": 10000, "operations_count": 1}


def segment(n: int, **changes: Any) -> bytes:
    return data_of(record_of(confirmed(external_reference=f"order-{n}", **changes)))


def disturb(monkeypatch, dynamodb: DisturbedDynamo) -> DisturbedDynamo:
    monkeypatch.setattr(
        reducer, "client", lambda service: dynamodb if service == "dynamodb" else client(service)
    )
    reducer._world.cache_clear()
    return dynamodb
