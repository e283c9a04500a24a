"""Functions that do what four of ours did before there were journals: they show what the simulation
finds, and prove that it can.

They only read as those did; what they answered has no part in it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

from falcon_balances.adapters import clock
from falcon_balances.adapters.aws import client
from falcon_balances.domain.operations import Stage
from generated import events
from inprocess.aws import BALANCES_TABLE, LOG_BUCKET
from simulation.account import Handler

_READERS: Final = 32
_DAYS: Final = 38


def seal(_event: Any, _context: Any) -> None:
    """Lists every version in the log."""
    for page in client("s3").get_paginator("list_object_versions").paginate(Bucket=LOG_BUCKET):
        assert "Versions" in page or page["KeyCount"] == 0


def reconcile(_event: Any, _context: Any) -> None:
    """Reads the log objects of the last 38 days."""
    first = (clock.utc_now() - timedelta(days=_DAYS)).date().isoformat()
    keys = list(_keys(f"{Stage.RECONCILED}/"))
    _read([key for key in keys if key.partition("/date=")[2] >= first])


def block(_event: Any, _context: Any) -> dict[str, Any]:
    """Reads the merchant's whole log."""
    for stage in (Stage.CONFIRMED, Stage.RECONCILED):
        _read(list(_keys(f"{stage}/merchant_id={events.merchant_id(0)}/")))
    return {"statusCode": 201}


def look_back(_event: Any, _context: Any) -> dict[str, Any]:
    """Reads every quarter of the merchant's."""
    pages = (
        client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=BALANCES_TABLE,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": {"S": f"MERCHANT#{events.merchant_id(0)}"},
                ":sk": {"S": "WINDOW#"},
            },
            PaginationConfig={"PageSize": 1},
        )
    )
    return {"statusCode": 200, "items": sum(len(page["Items"]) for page in pages)}


FUNCTIONS: Final[dict[str, Handler]] = {
    "sealer": seal,
    "reconciler": reconcile,
    "systems-api": block,
    "balance-api": look_back,
}


def _keys(prefix: str) -> Iterator[str]:
    pages = client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=LOG_BUCKET, Prefix=prefix):
        yield from (each["Key"] for each in page.get("Contents", ()))


def _read(keys: list[str]) -> None:
    with ThreadPoolExecutor(_READERS) as pool:
        list(pool.map(_object, keys))


def _object(key: str) -> bytes:
    body: bytes = client("s3").get_object(Bucket=LOG_BUCKET, Key=key)["Body"].read()
    return body
