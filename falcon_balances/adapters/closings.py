"""Closings in DynamoDB: written if absent, never changed; the closed day only moves forward."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import item_key
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.merchant_items import read_closed_day, read_closing
from falcon_balances.adapters.moved_notes import items_of, read_noted
from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.past_keys import CLOSED_DAY_KEY, CLOSED_JOURNAL_KEY, ClosingKey
from falcon_balances.domain.table_keys import ItemKey, merchant_pk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DynamoClosings:
    def __init__(self, dynamodb: "DynamoDBClient", balances_table: str) -> None:
        self._dynamodb = dynamodb
        self._table = balances_table

    def closed_day(self) -> ClosedDay:
        with aws_call("read CLOSED_JOURNAL"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(CLOSED_JOURNAL_KEY), ConsistentRead=True
            )
        return read_closed_day(answer.get("Item", {}))

    def put(self, merchant_id: str, closing: Closing) -> Closing | None:
        """One conditional PutItem. A lost answer is harmless: a retry finds our own closing."""
        key = ItemKey(merchant_pk(merchant_id), ClosingKey(closing.balance, closing.day).sk)
        said = asdict(closing.figures)
        if closing.logged is not None:
            said["logged"] = closing.logged
        figures = {name: {"N": str(value)} for name, value in said.items()}
        with aws_call(f"closing {key.sk} of {merchant_id}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item_key(key) | figures,
                    ConditionExpression="attribute_not_exists(pk)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                existing: dict[str, Any] = error.response["Item"]  # type: ignore[typeddict-item]
                return read_closing(existing)
        return None

    def noted(self, day: str) -> Set[MovedBalance]:
        """One request for each megabyte: some 30,000 balances."""
        return read_noted(self._dynamodb, self._table, day)

    def note(self, day: str, balances: Iterable[MovedBalance]) -> None:
        """One write for each 2,000 balances."""
        for item in items_of(day, balances, utc_now()):
            with aws_call(f"note what moved on {day}"):
                self._dynamodb.put_item(TableName=self._table, Item=item)

    def pause(self, closed: ClosedDay) -> None:
        if closed.read_until is not None:
            self._write(closed.day, closed)

    def advance(self, closed: str | None, following: ClosedDay) -> None:
        """Writes the closer's item, then the readers' item. If a run ends between the two writes,
        readers see the day before until the next day is closed, and must read one more day of
        quarters.
        """
        self._write(closed, following)
        if following.day is not None:
            self._tell(following.day)

    def _write(self, closed: str | None, said: ClosedDay) -> None:
        """Replaces the item while `closed` is the closed day, so that the day never goes back."""
        attributes = {"journal": said.journal}
        if said.day is not None:
            attributes["day"] = said.day
        if said.read_until is not None:
            attributes["read_until"] = rfc3339(said.read_until)
        if said.after is not None:
            attributes |= {
                "merchant_id": said.after.merchant_id,
                "balance": said.after.balance.sk,
            }
        self._put(CLOSED_JOURNAL_KEY, attributes, "#day = :day", closed)

    def _tell(self, day: str) -> None:
        """Moves the day that readers see forward. Even a slow run names closed days only."""
        self._put(CLOSED_DAY_KEY, {"day": day}, "attribute_not_exists(#day) OR #day < :day", day)

    def _put(
        self, key: ItemKey, attributes: Mapping[str, str], condition: str, day: str | None
    ) -> None:
        """Puts the item if the condition, which names `day`, holds. If `day` is None, it puts the
        item if the stored item has no day.
        """
        more: Any = {"ConditionExpression": "attribute_not_exists(#day)"}
        if day is not None:
            more = {
                "ConditionExpression": condition,
                "ExpressionAttributeValues": {":day": {"S": day}},
            }
        item = {name: {"S": value} for name, value in attributes.items()}
        with aws_call(f"move {key.sk}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item_key(key) | item,
                    ExpressionAttributeNames={"#day": "day"},
                    **more,
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
