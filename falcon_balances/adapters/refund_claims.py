"""Refund authorizations, granted only while no stage of the refund is claimed (design §8)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import (
    attributes_of,
    item_key,
    outcome_of,
    transact_item,
)
from falcon_balances.adapters.ports import ConditionFailed, WriteOutcome
from falcon_balances.domain.authorizations import Current
from falcon_balances.domain.operations import PSP_STAGES
from falcon_balances.domain.table_keys import current_key
from falcon_balances.domain.table_writes import TableWrite

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_CHECKS: Final = len(PSP_STAGES)


class DynamoRefundClaims:
    def __init__(self, dynamodb: "DynamoDBClient", claims_table: str, balances_table: str) -> None:
        self._dynamodb = dynamodb
        self._claims_table = claims_table
        self._balances_table = balances_table

    def authorize(
        self, falcon_operation_id: str, writes: Sequence[TableWrite]
    ) -> Sequence[WriteOutcome] | None:
        """One TransactWriteItems over the tables of claims and balances."""
        items: Any = [
            *(self._unclaimed(falcon_operation_id, stage) for stage in PSP_STAGES),
            *(transact_item(self._balances_table, each) for each in writes),
        ]
        with aws_call(f"authorize {falcon_operation_id}"):
            try:
                self._dynamodb.transact_write_items(TransactItems=items)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                reasons = error.response["CancellationReasons"]
                outcomes = [outcome_of(reason) for reason in reasons]
                if any(isinstance(each, ConditionFailed) for each in outcomes[:_CHECKS]):
                    return None
                return outcomes[_CHECKS:]
        return ()

    def _unclaimed(self, falcon_operation_id: str, stage: str) -> Any:  # noqa: ANN401 - boto3's union
        """The condition that no stage of the refund is claimed. It checks only the first revision
        of each stage: a later revision is never claimed before the first, which may be empty.
        """
        return {
            "ConditionCheck": {
                "TableName": self._claims_table,
                "Key": {"falcon_operation_id": {"S": falcon_operation_id}, "stage": {"S": stage}},
                "ConditionExpression": "attribute_not_exists(falcon_operation_id)",
            }
        }


class DynamoAuthorizations:
    def __init__(self, dynamodb: "DynamoDBClient", balances_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = balances_table

    def current(self, falcon_operation_id: str) -> Current:
        with aws_call(f"authorization of {falcon_operation_id}"):
            answer = self._dynamodb.get_item(
                TableName=self._table,
                Key=item_key(current_key(falcon_operation_id)),
                ConsistentRead=True,
            )
        return Current.from_attributes(attributes_of(answer.get("Item", {})))
