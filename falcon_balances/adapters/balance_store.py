"""The table `balances` in DynamoDB (design §7): counting transactions, reads, cuts and shards."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import (
    attributes_of,
    item_key,
    negative_since,
    outcome_of,
    read_balance,
    read_block,
    transact_item,
)
from falcon_balances.adapters.batch_get import batch_get
from falcon_balances.adapters.ports import AvailableNow, WriteOutcome
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.cuts import Cut, ShardState
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.table_keys import (
    AS_OF_KEY,
    BALANCE_KEYS,
    BLOCK_KEYS,
    PARKED_KEY,
    CutKey,
    ItemKey,
    ShardKey,
    corrections_of,
    merchant_pk,
    parse_merchant_pk,
)
from falcon_balances.domain.table_writes import TableWrite

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An incomplete cut is useless after a day; a complete one tells how far the stream was counted when
# the reducer last advanced, however long ago.
_CUT_KEPT: Final = timedelta(days=30)


class DynamoBalanceStore:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def transact(self, writes: Sequence[TableWrite]) -> Sequence[WriteOutcome]:
        """Sends one TransactWriteItems: at most a hundred items, no item twice.

        It uses no client token, as DynamoDB forgets tokens after ten minutes. Marks prevent double
        counting.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        with aws_call(f"count {len(writes)} items"):
            try:
                self._dynamodb.transact_write_items(
                    TransactItems=[transact_item(self._table, write) for write in writes]
                )
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                return [outcome_of(reason) for reason in error.response["CancellationReasons"]]
        return ()

    def blocks(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Block]:
        return {key: read_block(item) for key, item in self._items(keys, "blocks").items()}

    def items(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, Mapping[str, str | int]]:
        found = self._items(keys, "items") if keys else {}
        return {key: attributes_of(item) for key, item in found.items()}

    def available_now(self, keys: Collection[ItemKey]) -> Mapping[ItemKey, AvailableNow]:
        return {
            key: AvailableNow(int(item.get("available", {"N": "0"})["N"]), negative_since(item))
            for key, item in self._items(keys, "balances").items()
        }

    def _items(self, keys: Collection[ItemKey], kind: str) -> dict[ItemKey, dict[str, Any]]:
        with aws_call(f"{len(keys)} {kind}"):
            items = batch_get(self._dynamodb, self._table, [item_key(key) for key in keys])
            return {ItemKey(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    def set_negative_since(self, key: ItemKey, since: datetime | None) -> None:
        update, condition = "SET negative_since = :since", "available < :zero AND NOT"
        values: Any = {":zero": {"N": "0"}}
        if since is None:
            update, condition = "REMOVE negative_since", "available >= :zero AND"
        else:
            values[":since"] = {"S": rfc3339(since)}
        with aws_call(f"set negative_since of {key.sk}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(key),
                    UpdateExpression=update,
                    ConditionExpression=f"{condition} attribute_exists(negative_since)",
                    ExpressionAttributeValues=values,
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise

    def blocks_of(self, merchant_id: str) -> Sequence[Block]:
        with aws_call(f"blocks of {merchant_id}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :block)",
                ExpressionAttributeValues={
                    ":pk": {"S": merchant_pk(merchant_id)},
                    ":block": {"S": BLOCK_KEYS},
                },
                ConsistentRead=True,
            )
            return [read_block(item) for page in pages for item in page["Items"]]

    def due_blocks(self, partition: str, now: datetime) -> Sequence[Block]:
        return [read_block(item) for item in self._due(partition, now)]

    def due_authorizations(self, partition: str, now: datetime) -> Sequence[Authorization]:
        return [
            Authorization.from_attributes(
                ItemKey(item["pk"]["S"], item["sk"]["S"]), attributes_of(item)
            )
            for item in self._due(partition, now)
        ]

    def _due(self, partition: str, now: datetime) -> list[dict[str, Any]]:
        """The due items, from an index that is updated a little after the table: it can still list
        ended blocks, so the write that ends a block has its own condition.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
        """
        with aws_call(f"expired items of {partition}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                IndexName="by-expiry",
                KeyConditionExpression="expiring = :partition AND expiry <= :now",
                ExpressionAttributeValues={
                    ":partition": {"S": partition},
                    ":now": {"S": rfc3339(now)},
                },
            )
            return [dict(item) for page in pages for item in page["Items"]]

    def balances(self, merchant_id: str) -> Sequence[Balance]:
        with aws_call(f"balances of {merchant_id}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :balance)",
                ExpressionAttributeValues={
                    ":pk": {"S": merchant_pk(merchant_id)},
                    ":balance": {"S": BALANCE_KEYS},
                },
                ConsistentRead=True,
            )
            return [read_balance(item) for page in pages for item in page["Items"]]

    def all_balances(self) -> Iterator[tuple[str, Balance]]:
        """(merchant_id, balance) of all merchants, in no order: a scan, for operators only."""
        with aws_call("balances of all merchants"):
            pages = self._dynamodb.get_paginator("scan").paginate(
                TableName=self._table,
                FilterExpression="begins_with(sk, :balance)",
                ExpressionAttributeValues={":balance": {"S": BALANCE_KEYS}},
                ConsistentRead=True,
            )
            for page in pages:
                for item in page["Items"]:
                    yield parse_merchant_pk(item["pk"]["S"]), read_balance(item)

    def mark(self, merchant_id: str, falcon_operation_id: str, staged: str) -> dict[str, str]:
        """The attributes of a segment's mark; empty if the segment is not counted."""
        sk = MarkKey(falcon_operation_id, staged).sk
        with aws_call(f"mark of {sk}"):
            answer = self._dynamodb.get_item(
                TableName=self._table,
                Key={"pk": {"S": merchant_pk(merchant_id)}, "sk": {"S": sk}},
                ConsistentRead=True,
            )
        return {name: value["S"] for name, value in answer.get("Item", {}).items()}

    def corrections(self, merchant_id: str, falcon_operation_id: str) -> list[str]:
        """The falcon_operation_ids of the adjustments that correct an operation."""
        prefix = corrections_of(falcon_operation_id)
        with aws_call(f"corrections of {falcon_operation_id}"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={
                    ":pk": {"S": merchant_pk(merchant_id)},
                    ":prefix": {"S": prefix},
                },
                ConsistentRead=True,
            )
            return [item["sk"]["S"].removeprefix(prefix) for p in pages for item in p["Items"]]

    def as_of(self) -> datetime | None:
        return self._read_time(AS_OF_KEY, "as_of")

    def advance_as_of(self, cut_at: datetime) -> None:
        self._raise_time(AS_OF_KEY, "as_of", rfc3339(cut_at))

    def meet_cut(self, cut: Cut, shard_id: str) -> frozenset[str]:
        """Idempotent: ADD puts the shard into a set, and the answer holds the whole set. If two
        shards meet the cut at the same time, the later write returns both.
        """
        with aws_call(f"meet cut {rfc3339(cut.cut_at)} in {shard_id}"):
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(CutKey(rfc3339(cut.cut_at)).item),
                UpdateExpression="SET expires_at = :expires ADD met :shard",
                ExpressionAttributeValues={
                    ":expires": _expiry(cut.cut_at),
                    ":shard": {"SS": [shard_id]},
                },
                ReturnValues="ALL_NEW",
            )
        return frozenset(answer["Attributes"]["met"]["SS"])

    def complete_cut(self, cut_at: datetime, now: datetime) -> None:
        with aws_call(f"complete cut {rfc3339(cut_at)}"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(CutKey(rfc3339(cut_at)).item),
                UpdateExpression=(
                    "SET expires_at = :expires, completed_at = if_not_exists(completed_at, :now)"
                ),
                ExpressionAttributeValues={
                    ":expires": _expiry(cut_at),
                    ":now": {"S": rfc3339(now.replace(microsecond=0))},
                },
            )

    def shard_state(self, shard_id: str) -> ShardState:
        """One BatchGetItem, before each batch."""
        shard = ShardKey(shard_id).item
        found = self._items([shard, PARKED_KEY], "items of the stream")
        closed_until = found.get(shard, {}).get("closed_until", {}).get("S", "")
        return ShardState(
            shard in found,
            parse_rfc3339(closed_until) if closed_until else None,
            frozenset(found.get(PARKED_KEY, {}).get("records", {}).get("SS", ())),
        )

    def counted(self, marks: Collection[ItemKey]) -> frozenset[ItemKey]:
        return frozenset(self._items(marks, "marks"))

    def park(self, names: Collection[str]) -> None:
        self._change_parked("ADD", names)

    def unpark(self, names: Collection[str]) -> None:
        self._change_parked("DELETE", names)

    def _change_parked(self, how: str, names: Collection[str]) -> None:
        with aws_call(f"{how} {len(names)} parked records"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(PARKED_KEY),
                UpdateExpression=f"{how} records :names",
                ExpressionAttributeValues={":names": {"SS": sorted(names)}},
            )

    def raise_shard_floor(self, shard_id: str, closed_until: datetime | None) -> None:
        floor = "" if closed_until is None else rfc3339(closed_until)
        self._raise_time(ShardKey(shard_id).item, "closed_until", floor)

    def _read_time(self, key: ItemKey, attribute: str) -> datetime | None:
        with aws_call(f"read {key.sk}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(key), ConsistentRead=True
            )
        text = answer.get("Item", {}).get(attribute, {}).get("S", "")
        return parse_rfc3339(text) if text else None

    def _raise_time(self, key: ItemKey, attribute: str, value: str) -> None:
        """Sets a time, unless the stored one is as late; RFC 3339 in UTC sorts as text."""
        with aws_call(f"raise {key.sk}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(key),
                    UpdateExpression="SET #time = :value",
                    ConditionExpression="attribute_not_exists(#time) OR #time < :value",
                    ExpressionAttributeNames={"#time": attribute},
                    ExpressionAttributeValues={":value": {"S": value}},
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise


def _expiry(cut_at: datetime) -> Any:  # noqa: ANN401 - boto3's union
    return {"N": str(int((cut_at + _CUT_KEPT).timestamp()))}
