"""Event claims in DynamoDB (design §5): written if absent, never changed, never expired."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.stored_claims import read_stored, stored

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_SERIALIZER: Final = TypeSerializer()
_DESERIALIZER: Final = TypeDeserializer()


class DynamoEventClaims:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def claim(self, claim: ClaimV1) -> ClaimV1 | None:
        """One conditional PutItem. A lost answer is harmless: a retry finds our own claim."""
        with aws_call(f"claim {claim.falcon_operation_id} {claim.staged}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=claim_item(claim),
                    ConditionExpression="attribute_not_exists(falcon_operation_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                existing: dict[str, Any] = error.response["Item"]  # type: ignore[typeddict-item]
                return read_claim(existing)
        return None

    def find(self, falcon_operation_id: str, staged: str) -> ClaimV1 | None:
        with aws_call(f"find claim {falcon_operation_id} {staged}"):
            answer = self._dynamodb.get_item(
                TableName=self._table,
                Key={"falcon_operation_id": {"S": falcon_operation_id}, "stage": {"S": staged}},
                ConsistentRead=True,
            )
        return read_claim(answer["Item"]) if "Item" in answer else None

    def of_operation(self, falcon_operation_id: str) -> Sequence[ClaimV1]:
        with aws_call(f"claims of {falcon_operation_id}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="falcon_operation_id = :id",
                ExpressionAttributeValues={":id": {"S": falcon_operation_id}},
                ConsistentRead=True,
            )
            return [read_claim(item) for page in pages for item in page["Items"]]


def claim_item(claim: ClaimV1) -> dict[str, Any]:
    return {name: _SERIALIZER.serialize(value) for name, value in stored(claim).items()}


def read_claim(item: dict[str, Any]) -> ClaimV1:
    return read_stored({name: _DESERIALIZER.deserialize(value) for name, value in item.items()})
