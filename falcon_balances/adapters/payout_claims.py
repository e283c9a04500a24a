"""Claims of payouts in DynamoDB: decided with the balance, then moved state by state (§5)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import outcome_of, transact_item
from falcon_balances.adapters.event_claims import DynamoEventClaims, claim_item, read_claim
from falcon_balances.adapters.ports import ConditionFailed, WriteOutcome
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.table_writes import TableWrite

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoPayoutClaims(DynamoEventClaims):
    def __init__(self, dynamodb: "DynamoDBClient", claims_table: str, balances_table: str) -> None:
        super().__init__(dynamodb, claims_table)
        self._balances_table = balances_table

    def decide(
        self, claim: ClaimV1, writes: Sequence[TableWrite]
    ) -> ClaimV1 | Sequence[WriteOutcome] | None:
        """One TransactWriteItems over the tables of claims and balances."""
        reasons = self._transact(
            {"Put": self._put(claim)}, claim.falcon_operation_id, *self._balance_items(writes)
        )
        if reasons is None:
            return None
        if reasons[0].get("Code") == "ConditionalCheckFailed":
            return read_claim(reasons[0]["Item"])
        return [outcome_of(reason) for reason in reasons[1:]]

    def claim_return(
        self, claim: ClaimV1, payout_operation_id: str, amount: int, paid: int
    ) -> ClaimV1 | WriteOutcome:
        """One TransactWriteItems: two concurrent returns cannot return more than was paid."""
        names = ("state", "returned", "returned_by")
        update = {
            "TableName": self._table,
            "Key": _key(payout_operation_id),
            "UpdateExpression": (
                "SET #returned = #returned + :amount,"
                " #returned_by = list_append(if_not_exists(#returned_by, :none), :return)"
            ),
            "ConditionExpression": "#state = :paid AND #returned <= :returned_max",
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "ExpressionAttributeValues": {
                ":amount": {"N": str(amount)},
                ":none": {"L": []},
                ":return": {"L": [{"S": claim.falcon_operation_id}]},
                ":paid": {"S": PayoutState.PAID.value},
                ":returned_max": {"N": str(paid - amount)},
            },
        }
        reasons = self._transact(
            {"Put": self._put(claim)}, claim.falcon_operation_id, {"Update": update}
        )
        if reasons is None:
            return None
        if reasons[0].get("Code") == "ConditionalCheckFailed":
            return read_claim(reasons[0]["Item"])
        answers = [outcome_of(reason) for reason in reasons]
        return answers[0] or answers[1]

    def move(
        self, falcon_operation_id: str, source: str, target: str, writes: Sequence[TableWrite] = ()
    ) -> Sequence[WriteOutcome]:
        update = {
            "TableName": self._table,
            "Key": _key(falcon_operation_id),
            "UpdateExpression": "SET #state = :target",
            "ConditionExpression": "#state = :source",
            "ExpressionAttributeNames": {"#state": "state"},
            "ExpressionAttributeValues": {":source": {"S": source}, ":target": {"S": target}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        reasons = self._transact(
            {"Update": update}, falcon_operation_id, *self._balance_items(writes)
        )
        if reasons is None:
            return ()
        state = reasons[0].get("Item", {}).get("state", {}).get("S")
        first: WriteOutcome = outcome_of(reasons[0])
        if isinstance(first, ConditionFailed):
            first = ConditionFailed({} if state is None else {"state": state})
        return [first, *(outcome_of(reason) for reason in reasons[1:])]

    def _put(self, claim: ClaimV1) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Item": claim_item(claim),
            "ConditionExpression": "attribute_not_exists(falcon_operation_id)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }

    def _balance_items(self, writes: Sequence[TableWrite]) -> list[dict[str, Any]]:
        return [transact_item(self._balances_table, each) for each in writes]

    def _transact(
        self, claimed: dict[str, Any], operation_id: str, *others: dict[str, Any]
    ) -> list[dict[str, Any]] | None:
        """None if the transaction succeeded, otherwise each item's reason, the claim's first."""
        items: Any = [claimed, *others]
        with aws_call(f"payout {operation_id}"):
            try:
                self._dynamodb.transact_write_items(TransactItems=items)
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                reasons: Any = error.response["CancellationReasons"]
                return list(reasons)
        return None


def _key(falcon_operation_id: str) -> dict[str, Any]:
    return {
        "falcon_operation_id": {"S": falcon_operation_id},
        "stage": {"S": Stage.PAYOUT.value},
    }
