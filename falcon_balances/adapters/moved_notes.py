"""The closer's notes in DynamoDB: which balances moved on a day that it has not closed.

`MOVED#{day}` / the SHA-256 of the item's balances. So a note that is written again is the same
item, and a run never replaces the notes of another. Items expire after a year; the alarm for a day
that is not closed has rung since its night.
"""

from collections.abc import Iterable, Iterator, Set
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from zlib import compress, decompress

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.balance_items import item_key
from falcon_balances.domain.closings import MovedBalance
from falcon_balances.domain.past_keys import moved_pk
from falcon_balances.domain.table_keys import BalanceKey, ItemKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# At most 270 KB, also where nothing can be compressed; DynamoDB allows an item 400 KB.
_BALANCES_MAX: Final = 2_000
_KEPT: Final = timedelta(days=365)


def items_of(day: str, balances: Iterable[MovedBalance], now: datetime) -> Iterator[dict[str, Any]]:
    """No item without balances."""
    expires_at = {"N": str(int((now + _KEPT).timestamp()))}
    every = sorted(balances)
    for start in range(0, len(every), _BALANCES_MAX):
        text = "".join(map(_line, every[start : start + _BALANCES_MAX])).encode()
        key = item_key(ItemKey(moved_pk(day), sha256(text).hexdigest()))
        yield key | {"balances": {"B": compress(text)}, "expires_at": expires_at}


def read_noted(dynamodb: "DynamoDBClient", table: str, day: str) -> Set[MovedBalance]:
    found: set[MovedBalance] = set()
    with aws_call(f"read what moved on {day}"):
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": moved_pk(day)}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                text = decompress(item["balances"]["B"]).decode()
                found.update(map(_balance, text.splitlines()))
    return found


def _line(moved: MovedBalance) -> str:
    return "#".join((moved.merchant_id, *moved.balance)) + "\n"


def _balance(line: str) -> MovedBalance:
    merchant_id, *balance = line.split("#")
    return MovedBalance(merchant_id, BalanceKey(*balance))
