"""Reads that one merchant is allowed (design §8): every key begins with the merchant's id."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import (
    TRY_AGAIN_CODES,
    read_balance,
    read_block,
    read_finding,
    untyped,
)
from falcon_balances.adapters.event_claims import read_claim
from falcon_balances.adapters.merchant_items import numbers, read_day, read_mark, read_window
from falcon_balances.adapters.ports import MarkPage, TryAgain
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.available import Joint
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.counted_order import (
    CountedOrder,
    LateKey,
    MarkKey,
    late_in,
    marks_of,
    operation_referenced,
)
from falcon_balances.domain.effects import Effect, read_effect
from falcon_balances.domain.history import Day, Figures, Mark, Window
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.known_findings import KnownFinding
from falcon_balances.domain.sale_keys import SaleKey, operations_of_sale
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import (
    AS_OF_KEY,
    BALANCE_KEYS,
    CUT_KEYS,
    FINDING_KEYS,
    STANDING_KEYS,
    STREAM_PK,
    BalanceKey,
    BlockKey,
    CorrectionKey,
    CutKey,
    ItemKey,
    ReferenceKey,
    WindowKey,
    corrections_of,
    days_from,
    merchant_pk,
    windows_from,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An index is updated within a fraction of a second after its table. AWS gives no limit, so this is
# ours. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
INDEX_DELAY: Final = timedelta(seconds=10)
_CUTS_A_PAGE: Final = 10


class DynamoMerchantReads:
    """Each method is one query or get; beyond DynamoDB's page of 1 MB, one query per page."""

    def __init__(
        self, dynamodb: "DynamoDBClient", balances_table: str, claims_table: str, merchant_id: str
    ) -> None:
        self._dynamodb = dynamodb
        self._table = balances_table
        self._claims_table = claims_table
        self._pk = merchant_pk(merchant_id)
        self.merchant_id = merchant_id

    def as_of(self) -> datetime | None:
        item = self._get(*AS_OF_KEY)
        return parse_rfc3339(item["as_of"]["S"]) if item else None

    def indexed_as_of(self, now: datetime) -> datetime | None:
        """The newest complete cut, read a page at a time; incomplete cuts are skipped."""
        latest = rfc3339((now - INDEX_DELAY).replace(microsecond=0))
        with aws_call("completed cuts"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :cut)",
                ExpressionAttributeValues={":pk": {"S": STREAM_PK}, ":cut": {"S": CUT_KEYS}},
                ScanIndexForward=False,
                ConsistentRead=True,
                PaginationConfig={"PageSize": _CUTS_A_PAGE},
            )
            for item in (each for page in pages for each in page["Items"]):
                completed_at = item.get("completed_at", {}).get("S")
                if completed_at is not None and completed_at <= latest:
                    return parse_rfc3339(CutKey.parse(item["sk"]["S"]).cut_at)
        return None

    def balances(self) -> Sequence[Balance]:
        return [read_balance(item) for item in self._all(BALANCE_KEYS)]

    def at_once(
        self, balances: Sequence[BalanceKey], starts: Sequence[datetime]
    ) -> tuple[Mapping[BalanceKey, Figures], Sequence[Window]] | TryAgain:
        """One TransactGetItems, the only read that sees each counting transaction whole or not at
        all: a query is read-committed item by item, and may see half of a transaction.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
        """
        sks = [balance.sk for balance in balances]
        sks += [WindowKey(rfc3339(start), each).sk for each in balances for start in starts]
        with aws_call(f"{len(sks)} items of {self.merchant_id} at once"):
            try:
                answer = self._dynamodb.transact_get_items(
                    TransactItems=[
                        {"Get": {"TableName": self._table, "Key": self._key(sk)}} for sk in sks
                    ]
                )
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                reasons: Any = error.response["CancellationReasons"]
                if {reason.get("Code") for reason in reasons} & TRY_AGAIN_CODES:
                    return TryAgain()
                raise
        items = [each.get("Item", {}) for each in answer["Responses"]]
        figures = {
            balance: Figures.of(numbers(item))
            for balance, item in zip(balances, items, strict=False)
        }
        return figures, [read_window(item) for item in items[len(balances) :] if item]

    def windows(self, start: datetime, end: datetime) -> Sequence[Window]:
        first, last = windows_from(rfc3339(start)), windows_from(rfc3339(end))
        return [read_window(item) for item in self._between(first, last)]

    def days(self, first: str, last: str) -> Sequence[Day]:
        return [read_day(item) for item in self._between(days_from(first), f"{days_from(last)}~")]

    def late(self, month: str, limit: int) -> Sequence[CountedOrder]:
        items = self._all(late_in(month), limit)
        return [LateKey.parse(item["sk"]["S"]).order for item in items]

    def marks(
        self, start: str, end: str, *, after: str | None, newest_first: bool, limit: int
    ) -> MarkPage:
        more: Any = {} if after is None else {"ExclusiveStartKey": self._index_key(after)}
        with aws_call(f"marks of {self.merchant_id}"):
            answer = self._dynamodb.query(
                TableName=self._table,
                IndexName="by-window",
                KeyConditionExpression=(
                    "merchant_id = :merchant AND counted_order BETWEEN :start AND :end"
                ),
                ExpressionAttributeValues={
                    ":merchant": {"S": self.merchant_id},
                    ":start": {"S": start},
                    ":end": {"S": end},
                },
                ScanIndexForward=not newest_first,
                Limit=limit,
                **more,
            )
        marks = [read_mark(item) for item in answer["Items"]]
        return MarkPage(marks, is_last="LastEvaluatedKey" not in answer)

    def marks_of(self, falcon_operation_id: str) -> Sequence[Mark]:
        items = self._all(marks_of(falcon_operation_id))
        # A segment of many balances is counted in parts; the mark of the first part is the
        # segment's.
        return [read_mark(item) for item in items if "lines" in item]

    def effect_of(self, mark: Mark) -> Effect:
        """One query for all parts: the mark of the first part has no effects of the other parts."""
        sk = MarkKey(mark.falcon_operation_id, mark.staged).sk
        effect: dict[BalanceKey, Joint] = {}
        # The `.` of a later revision sorts after the `#` of the parts.
        for item in self._between(sk, f"{sk}#~"):
            effect |= read_effect(item["effect"]["S"])
        return effect

    def block(self, block_id: str) -> Block | None:
        item = self._get(self._pk, BlockKey(block_id).sk)
        return read_block(item) if item else None

    def corrections(self, falcon_operation_id: str) -> Sequence[str]:
        items = self._all(corrections_of(falcon_operation_id))
        return [CorrectionKey.parse(item["sk"]["S"]).falcon_operation_id for item in items]

    def open_standings(self, limit: int) -> Sequence[Standing]:
        items = self._query(
            "begins_with(sk, :a)", {":a": {"S": STANDING_KEYS}}, index=("by-open", "open")
        )
        return [
            Standing.from_attributes(ItemKey(self._pk, item["sk"]["S"]), untyped(item))
            for item in islice(items, limit)
        ]

    def referenced(self, reference: str, limit: int) -> Sequence[str]:
        sought = {":a": {"S": ReferenceKey(self.merchant_id, reference).text}}
        with aws_call(f"operations of {self.merchant_id} by reference"):
            answer = self._dynamodb.query(
                TableName=self._table,
                IndexName="by-reference",
                KeyConditionExpression="referenced = :a",
                ExpressionAttributeValues=sought,
                # An operation has at most one item per stage and revision.
                Limit=limit,
            )
        ids = (operation_referenced(item["sk"]["S"]) for item in answer["Items"])
        return list(dict.fromkeys(ids))

    def sale(self, key: SaleKey) -> Sale | None:
        sk = key._replace(merchant_id=self.merchant_id).item.sk
        item = self._get(self._pk, sk)
        return Sale.from_attributes(ItemKey(self._pk, sk), untyped(item)) if item else None

    def sale_operations(self, sale_id: str, limit: int) -> Sequence[SaleOperation]:
        return [
            SaleOperation.from_attributes(ItemKey(self._pk, item["sk"]["S"]), untyped(item))
            for item in self._all(operations_of_sale(sale_id), limit)
        ]

    def findings(self, after: str | None, limit: int) -> Sequence[KnownFinding]:
        items = self._between(FINDING_KEYS if after is None else f"{after}~", f"{FINDING_KEYS}~")
        found = map(read_finding, items)
        return list(islice((each for each in found if each.is_shown), limit))

    def claims(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        with aws_call(f"claims of {falcon_operation_id}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._claims_table,
                KeyConditionExpression="falcon_operation_id = :id",
                ExpressionAttributeValues={":id": {"S": falcon_operation_id}},
                ConsistentRead=True,
            )
            claims = [read_claim(item) for page in pages for item in page["Items"]]
        return [
            claim
            for claim in sorted(claims, key=lambda claim: (claim.stage, claim.revision))
            if self.merchant_id in {segment.merchant_id for segment in claim.segments}
        ]

    def _get(self, pk: str, sk: str) -> Mapping[str, Any]:
        with aws_call(f"read {sk}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
            )
        return answer.get("Item", {})

    def _all(self, prefix: str, limit: int | None = None) -> list[dict[str, Any]]:
        """Items with this prefix of the sort key, `limit` at most."""
        return list(islice(self._query("begins_with(sk, :a)", {":a": {"S": prefix}}), limit))

    def _between(self, first: str, last: str) -> Iterator[dict[str, Any]]:
        return self._query("sk BETWEEN :a AND :b", {":a": {"S": first}, ":b": {"S": last}})

    def _query(
        self, condition: str, values: dict[str, Any], *, index: tuple[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """All items of a query, page by page; boto3's paginator would create a class per call.

        `index`: the index's name, and its partition key, the attribute with the merchant's key.
        """
        more: Any = {"ConsistentRead": True} if index is None else {"IndexName": index[0]}
        while True:
            with aws_call(f"query of {self.merchant_id}"):
                answer = self._dynamodb.query(
                    TableName=self._table,
                    KeyConditionExpression=f"#pk = :pk AND {condition}",
                    ExpressionAttributeNames={"#pk": "pk" if index is None else index[1]},
                    ExpressionAttributeValues={":pk": {"S": self._pk}, **values},
                    **more,
                )
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            more |= {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _key(self, sk: str) -> dict[str, Any]:
        return {"pk": {"S": self._pk}, "sk": {"S": sk}}

    def _index_key(self, order: str) -> dict[str, Any]:
        return self._key(CountedOrder.parse(order).mark.sk) | {
            "merchant_id": {"S": self.merchant_id},
            "counted_order": {"S": order},
        }
