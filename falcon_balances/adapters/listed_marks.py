"""Lists a merchant's marks in the order of counting: keys from an index, then marks by key.

The index also has codes of what filters ask, so only the marks that may pass are read.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.batch_get import batch_get
from falcon_balances.adapters.merchant_items import read_mark
from falcon_balances.adapters.merchant_past import DynamoPastReads
from falcon_balances.adapters.ports import MarkPage, TaggedMarks, WantedMarks
from falcon_balances.domain.counted_order import CountedOrder, marks_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.history import Mark
from falcon_balances.domain.merged_marks import (
    Bounds,
    SeenOrders,
    bounds_after,
    index_partitions,
    merged,
    merged_until_seen,
)
from falcon_balances.domain.operation_tags import EVERY
from falcon_balances.domain.table_keys import merchant_pk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import QueryOutputTypeDef


class ListedMarks:
    """A page takes a query for each partition of the index, and a BatchGetItem for a hundred
    marks.
    """

    def __init__(self, dynamodb: "DynamoDBClient", table: str, merchant_id: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._merchant_id = merchant_id

    def page(
        self, start: str, end: str, *, after: str | None, newest_first: bool, limit: int
    ) -> MarkPage:
        bounds = bounds_after(start, end, after, newest_first=newest_first)
        if bounds.is_empty:
            return MarkPage([], is_last=True)
        # One more, because `after` can be among them; another, to know whether a page follows.
        found = [
            self._orders(partition, bounds, limit + 2, newest_first=newest_first)
            for partition in index_partitions(self._merchant_id)
        ]
        page = merged(found, after, limit, newest_first=newest_first)
        return MarkPage(self.with_orders(page.orders), page.is_last)

    def tagged(self, tags: Collection[str], wanted: WantedMarks) -> TaggedMarks:
        """One query for each partition, however few marks have the codes."""
        after, newest_first = wanted.after, wanted.newest_first
        bounds = bounds_after(wanted.start, wanted.end, after, newest_first=newest_first)
        if bounds.is_empty:
            return TaggedMarks([], None)
        codes = {f":tag{n}": {"S": each} for n, each in enumerate(tags)}
        has_all = " AND ".join(f"contains(tags, {name})" for name in codes)
        found = []
        for partition in index_partitions(self._merchant_id):
            answer = self._query(
                partition,
                bounds,
                codes | {":every": {"S": EVERY}},
                FilterExpression=f"tags = :every OR ({has_all})",
                ScanIndexForward=not newest_first,
                Limit=wanted.look_at,
            )
            orders = [item["counted_order"]["S"] for item in answer["Items"]]
            last = answer.get("LastEvaluatedKey", {}).get("counted_order", {}).get("S")
            found.append(SeenOrders(orders, last))
        page = merged_until_seen(found, after, wanted.limit, newest_first=newest_first)
        return TaggedMarks(self.with_orders(page.orders), page.seen)

    def _query(
        self,
        partition: str,
        bounds: Bounds,
        values: Mapping[str, Any],
        **how: Any,  # noqa: ANN401 - boto3's parameters
    ) -> "QueryOutputTypeDef":
        with aws_call(f"marks of {self._merchant_id}"):
            return self._dynamodb.query(
                TableName=self._table,
                IndexName="by-window",
                KeyConditionExpression=(
                    "spread = :partition AND counted_order BETWEEN :first AND :last"
                ),
                ExpressionAttributeValues={
                    ":partition": {"S": partition},
                    ":first": {"S": bounds.first},
                    ":last": {"S": bounds.last},
                    **values,
                },
                **how,
            )

    def _orders(
        self, partition: str, bounds: Bounds, limit: int, *, newest_first: bool
    ) -> list[str]:
        """The first orders of a partition: one query, as a page of DynamoDB holds 2,000 of them."""
        found: list[str] = []
        more: Any = {}
        while True:
            answer = self._query(
                partition, bounds, {}, ScanIndexForward=not newest_first, Limit=limit, **more
            )
            found += (item["counted_order"]["S"] for item in answer["Items"])
            if len(found) >= limit or "LastEvaluatedKey" not in answer:
                return list(islice(found, limit))
            more = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def with_orders(self, orders: Sequence[str]) -> list[Mark]:
        """The marks with these orders, strongly consistent. The index lists only what is in the
        table, and no mark is ever removed. Raises IntegrityError for a missing mark.
        """
        pk = {"S": merchant_pk(self._merchant_id)}
        keys = [{"pk": pk, "sk": {"S": CountedOrder.parse(each).mark.sk}} for each in orders]
        with aws_call(f"{len(keys)} marks of {self._merchant_id}"):
            found = {item["sk"]["S"]: item for item in batch_get(self._dynamodb, self._table, keys)}
        try:
            return [read_mark(found[key["sk"]["S"]]) for key in keys]
        except KeyError as error:
            raise IntegrityError(f"in the index, but not in the table: {error}") from error


class DynamoMarkReads(DynamoPastReads):
    """The merchant's past and marks."""

    def marks(
        self, start: str, end: str, *, after: str | None, newest_first: bool, limit: int
    ) -> MarkPage:
        listed = ListedMarks(self._dynamodb, self._table, self.merchant_id)
        return listed.page(start, end, after=after, newest_first=newest_first, limit=limit)

    def tagged(self, tags: Collection[str], wanted: WantedMarks) -> TaggedMarks:
        return ListedMarks(self._dynamodb, self._table, self.merchant_id).tagged(tags, wanted)

    def marks_of(self, falcon_operation_id: str) -> Sequence[Mark]:
        items = self._all(marks_of(falcon_operation_id))
        # A segment of many balances is counted in parts; the mark of the first part is the
        # segment's.
        return [read_mark(item) for item in items if "lines" in item]
