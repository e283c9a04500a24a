"""DynamoDB as it is when others write at the same time, which moto never plays."""

from typing import Any

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from inprocess.aws import BALANCES_TABLE


class DisturbedDynamo:
    """The first transactions meet others: `conflicts` says at which positions of the request."""

    def __init__(self, *conflicts: tuple[int, ...], code: str = "TransactionConflict") -> None:
        self._real = client("dynamodb")
        self._conflicts = list(conflicts)
        self._code = code
        self.sizes: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def transact_write_items(self, **said: Any) -> Any:
        self.sizes.append(len(said["TransactItems"]))
        if not self._conflicts:
            return self._real.transact_write_items(**said)
        positions = self._conflicts.pop(0)
        reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in said["TransactItems"]]
        for n, item in enumerate(said["TransactItems"]):
            put = item.get("Put")
            there = put and self._item(put["Item"])
            if there:
                reasons[n] = {"Code": "ConditionalCheckFailed", "Item": there}
        for n in positions:
            reasons[n] = {"Code": self._code}
        error = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": reasons,
        }
        raise ClientError(error, "TransactWriteItems")  # type: ignore[arg-type]

    def _item(self, item: dict[str, Any]) -> Any:
        key = {name: item[name] for name in ("pk", "sk")}
        return self._real.get_item(TableName=BALANCES_TABLE, Key=key).get("Item")
