"""Findings in DynamoDB for operators: lists and acknowledges them (design §7)."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import item_key, read_finding
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.known_findings import FindingStatus, KnownFinding, finding_partitions
from falcon_balances.domain.table_keys import FINDING_KEYS, ItemKey, merchant_pk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoFindings:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def open(self) -> Iterator[KnownFinding]:
        """Open findings of all merchants, in no order, from an index that lags behind the table."""
        for partition in finding_partitions():
            yield from self._query(
                IndexName="by-open",
                KeyConditionExpression="#open = :partition",
                ExpressionAttributeNames={"#open": "open"},
                ExpressionAttributeValues={":partition": {"S": partition}},
            )

    def of(self, merchant_id: str) -> Iterator[KnownFinding]:
        """Findings of a merchant, including acknowledged ones; strongly consistent."""
        found = self._query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :finding)",
            ExpressionAttributeValues={
                ":pk": {"S": merchant_pk(merchant_id)},
                ":finding": {"S": FINDING_KEYS},
            },
            ConsistentRead=True,
        )
        return (each for each in found if each.is_shown)

    def find(self, key: ItemKey) -> KnownFinding | None:
        """The finding; None if it does not exist or was cleared."""
        with aws_call(f"finding {key.sk}"):
            answer = self._dynamodb.get_item(
                TableName=self._table,
                Key=item_key(key),
                ConsistentRead=True,
            )
        found = read_finding(answer["Item"]) if "Item" in answer else None
        return found if found is not None and found.is_shown else None

    def acknowledge(
        self, key: ItemKey, finding: KnownFinding, by: str, reason: str, at: datetime
    ) -> bool:
        """Acknowledges a finding and removes it from the index; False if it changed since it was
        read, or is not open.
        """
        with aws_call(f"acknowledge {key.sk}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(key),
                    UpdateExpression=(
                        "SET #status = :acknowledged, acknowledged_at = :at, "
                        "acknowledged_by = :by, reason = :reason REMOVE #open"
                    ),
                    ConditionExpression="#status = :open AND figures = :figures",
                    ExpressionAttributeNames={"#status": "status", "#open": "open"},
                    ExpressionAttributeValues={
                        ":acknowledged": {"S": FindingStatus.ACKNOWLEDGED},
                        ":open": {"S": FindingStatus.OPEN},
                        ":at": {"S": rfc3339(at)},
                        ":by": {"S": by},
                        ":reason": {"S": reason},
                        ":figures": {"S": finding.figures_text},
                    },
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _query(self, **query: Any) -> Iterator[KnownFinding]:  # noqa: ANN401 - boto3's arguments
        with aws_call("findings"):
            pages = self._dynamodb.get_paginator("query").paginate(TableName=self._table, **query)
            for page in pages:
                yield from map(read_finding, page["Items"])
