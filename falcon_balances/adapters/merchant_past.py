"""Reads a merchant's past in DynamoDB: its balances, windows and closings."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.balance_items import read_balance
from falcon_balances.adapters.merchant_items import read_closed_day, read_closing, read_window
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.closings import ClosedDay, Closing
from falcon_balances.domain.history import Window
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, rfc3339
from falcon_balances.domain.past_keys import CLOSED_DAY_KEY, WindowKey, closings_before, closings_of
from falcon_balances.domain.table_keys import (
    AS_OF_KEY,
    BALANCE_KEYS,
    STREAM_PK,
    BalanceKey,
    merchant_pk,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CONCURRENT: Final = 16
T = TypeVar("T")


class DynamoPastReads:
    """Each method is one query or get; beyond DynamoDB's page of 1 MB, one query per page."""

    def __init__(self, dynamodb: "DynamoDBClient", balances_table: str, merchant_id: str) -> None:
        self._dynamodb = dynamodb
        self._table = balances_table
        self._pk = merchant_pk(merchant_id)
        self.merchant_id = merchant_id

    def as_of(self) -> datetime | None:
        item = self._get(*AS_OF_KEY)
        return parse_rfc3339(item["as_of"]["S"]) if item else None

    def progress(self) -> tuple[datetime | None, ClosedDay]:
        """One query for both items: no other item has a key between their keys."""
        found = self._query(
            "sk BETWEEN :a AND :b",
            {":a": {"S": AS_OF_KEY.sk}, ":b": {"S": CLOSED_DAY_KEY.sk}},
            partition=STREAM_PK,
        )
        items = {item["sk"]["S"]: item for item in found}
        as_of = items.get(AS_OF_KEY.sk)
        closed_day = read_closed_day(items.get(CLOSED_DAY_KEY.sk, {}))
        return None if as_of is None else parse_rfc3339(as_of["as_of"]["S"]), closed_day

    def balances(self) -> Sequence[Balance]:
        return [read_balance(item) for item in self._all(BALANCE_KEYS)]

    def windows(self, balance: BalanceKey, start: datetime, end: datetime) -> Sequence[Window]:
        if start >= end:
            return []
        first, last = (WindowKey(balance, rfc3339(each)).sk for each in (start, end - QUARTER))
        return [read_window(item) for item in self._between(first, last)]

    def closings(self, balance: BalanceKey, before: str, limit: int) -> Sequence[Closing]:
        first, last = closings_of(balance), closings_before(balance, before)
        items = islice(self._between(first, last, limit=limit, newest_first=True), limit)
        return [read_closing(item) for item in items]

    def of_each(
        self, balances: Sequence[BalanceKey], read: Callable[[BalanceKey], T]
    ) -> Sequence[T]:
        if len(balances) <= 1:
            return [read(each) for each in balances]
        with ThreadPoolExecutor(min(_CONCURRENT, len(balances))) as pool:
            return list(pool.map(read, balances))

    def _get(self, pk: str, sk: str) -> Mapping[str, Any]:
        with aws_call(f"read {sk}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
            )
        return answer.get("Item", {})

    def _all(self, prefix: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Items with this prefix of the sort key, `limit` at most."""
        return list(islice(self._query("begins_with(sk, :a)", {":a": {"S": prefix}}), limit))

    def _between(
        self, first: str, last: str, *, limit: int | None = None, newest_first: bool = False
    ) -> Iterator[dict[str, Any]]:
        ends = {":a": {"S": first}, ":b": {"S": last}}
        condition = "sk BETWEEN :a AND :b"
        return self._query(condition, ends, limit=limit, newest_first=newest_first)

    def _query(
        self,
        condition: str,
        values: dict[str, Any],
        *,
        index: tuple[str, str] | None = None,
        partition: str | None = None,
        limit: int | None = None,
        newest_first: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """All items of a query, page by page; boto3's paginator would create a class per call.

        `index`: the index's name, and its partition key. `partition`: that of the merchant by
        default. `limit`: how many items a page has at most.
        """
        name, pk = index or (None, "pk")
        more: Any = {"ConsistentRead": True} if name is None else {"IndexName": name}
        more |= {} if limit is None else {"Limit": limit}
        while True:
            with aws_call(f"query of {self.merchant_id}"):
                answer = self._dynamodb.query(
                    TableName=self._table,
                    KeyConditionExpression=f"#pk = :pk AND {condition}",
                    ExpressionAttributeNames={"#pk": pk},
                    ExpressionAttributeValues={":pk": {"S": partition or self._pk}, **values},
                    ScanIndexForward=not newest_first,
                    **more,
                )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            more |= {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _key(self, sk: str) -> dict[str, Any]:
        return {"pk": {"S": self._pk}, "sk": {"S": sk}}
