"""Reads that one merchant is allowed (design §8): every key begins with the merchant's id."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.balance_items import (
    read_block,
    read_finding,
    untyped,
)
from falcon_balances.adapters.event_claims import read_claim
from falcon_balances.adapters.listed_marks import DynamoMarkReads
from falcon_balances.adapters.merchant_items import read_day
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.available import Joint
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.counted_order import (
    CountedOrder,
    LateKey,
    MarkKey,
    late_in,
    operation_referenced,
)
from falcon_balances.domain.effects import Effect, read_effect
from falcon_balances.domain.history import Day, Mark
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.known_findings import KnownFinding
from falcon_balances.domain.sale_keys import SaleKey, operations_of_sale
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.standing import Standing
from falcon_balances.domain.table_keys import (
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
    corrections_of,
    days_from,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An index is updated within a fraction of a second after its table. AWS gives no limit, so this is
# ours. https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
INDEX_DELAY: Final = timedelta(seconds=10)
_CUTS_A_PAGE: Final = 10


class DynamoMerchantReads(DynamoMarkReads):
    """Each method is one query or get; beyond DynamoDB's page of 1 MB, one query per page. Marks
    are listed with more calls: `ListedMarks`.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", balances_table: str, claims_table: str, merchant_id: str
    ) -> None:
        super().__init__(dynamodb, balances_table, merchant_id)
        self._claims_table = claims_table

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

    def days(self, first: str, last: str) -> Sequence[Day]:
        return [read_day(item) for item in self._between(days_from(first), f"{days_from(last)}~")]

    def late(self, month: str, limit: int) -> Sequence[CountedOrder]:
        items = self._all(late_in(month), limit)
        return [LateKey.parse(item["sk"]["S"]).order for item in items]

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
