"""Tells operators what became of sent events, from claims and marks."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from falcon_balances.adapters.balance_items import item_key
from falcon_balances.adapters.batch_get import batch_get
from falcon_balances.domain.table_keys import ItemKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A person waits and sets a time limit, so unprocessed keys are requested again until then.
_ATTEMPTS: Final = 1_000


class ClaimedEvent(NamedTuple):
    """The part of a claim that tells whether its event is counted. `state`: only of a payout."""

    falcon_operation_id: str
    staged: str
    fingerprint: str
    state: str | None
    merchant_ids: tuple[str, ...]


class DynamoDeliveries:
    def __init__(self, dynamodb: "DynamoDBClient", claims_table: str, balances_table: str) -> None:
        self._dynamodb = dynamodb
        self._claims_table = claims_table
        self._balances_table = balances_table

    def claimed(self, names: Collection[tuple[str, str]]) -> Iterator[ClaimedEvent]:
        """The claims of these operations, each with its stage and revision."""
        keys = [
            {"falcon_operation_id": {"S": operation_id}, "stage": {"S": in_stage}}
            for operation_id, in_stage in sorted(names)
        ]
        for item in batch_get(self._dynamodb, self._claims_table, keys, attempts=_ATTEMPTS):
            yield ClaimedEvent(
                item["falcon_operation_id"]["S"],
                item["stage"]["S"],
                item["fingerprint"]["S"],
                item.get("state", {}).get("S"),
                tuple(each["M"]["merchant_id"]["S"] for each in item["segments"]["L"]),
            )

    def counted(self, marks: Collection[ItemKey]) -> set[ItemKey]:
        """The given marks that exist."""
        keys = [item_key(key) for key in sorted(marks)]
        found = batch_get(
            self._dynamodb, self._balances_table, keys, projection="pk, sk", attempts=_ATTEMPTS
        )
        return {ItemKey(item["pk"]["S"], item["sk"]["S"]) for item in found}
