"""How far the reducers are, in the table `balances` (design §7): cuts, shards, journals."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.balance_items import item_key
from falcon_balances.adapters.batch_get import batch_get
from falcon_balances.domain.cuts import Cut, ShardState
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.domain.table_keys import (
    AS_OF_KEY,
    PARKED_KEY,
    SHARD_KEYS,
    STREAM_PK,
    CutKey,
    ItemKey,
    ShardKey,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# An incomplete cut is useless after a day; a complete one tells how far the stream was counted when
# the reducer last advanced, however long ago.
_CUT_KEPT: Final = timedelta(days=30)
_JOURNALED: Final = "journaled#"


class DynamoStreamProgress:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def as_of(self) -> datetime | None:
        return self._read_time(AS_OF_KEY, "as_of")

    def advance_as_of(self, cut_at: datetime) -> None:
        self._raise_time(AS_OF_KEY, "as_of", rfc3339(cut_at))

    def meet_cut(self, cut: Cut, shard_id: str, journaled: JournalPosition) -> frozenset[str]:
        """Idempotent: ADD puts the shard into a set, and the answer holds the whole set. If two
        shards meet the cut at the same time, the later write returns both.

        The item takes less than 200 bytes for each shard of the cut; DynamoDB allows it 400 KB.
        """
        with aws_call(f"record that {shard_id} met cut {rfc3339(cut.cut_at)}"):
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=item_key(CutKey(rfc3339(cut.cut_at)).item),
                UpdateExpression=(
                    "SET expires_at = :expires, #journaled = if_not_exists(#journaled, :journaled)"
                    " ADD met :shard"
                ),
                ExpressionAttributeNames={"#journaled": f"{_JOURNALED}{shard_id}"},
                ExpressionAttributeValues={
                    ":expires": _expiry(cut.cut_at),
                    ":journaled": {"S": journaled.text},
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
        item = found.get(shard, {})
        closed_until = item.get("closed_until", {}).get("S", "")
        return ShardState(
            shard in found,
            parse_rfc3339(closed_until) if closed_until else None,
            frozenset(found.get(PARKED_KEY, {}).get("records", {}).get("SS", ())),
            _journaled(item),
        )

    def ends(self, cut_at: datetime) -> Mapping[str, JournalPosition]:
        """Two reads: the cut, and all shards."""
        with aws_call(f"journals at {rfc3339(cut_at)}"):
            cut = self._dynamodb.get_item(
                TableName=self._table,
                Key=item_key(CutKey(rfc3339(cut_at)).item),
                ConsistentRead=True,
            ).get("Item", {})
        # Read after the cut: what the cut does not name has ended, or opened after it.
        newest = self.journaled_now()
        if "completed_at" not in cut:
            raise TransientError(f"the cut of {rfc3339(cut_at)} is not known, or not complete")
        return newest | {
            name.removeprefix(_JOURNALED): JournalPosition.parse(value["S"])
            for name, value in cut.items()
            if name.startswith(_JOURNALED)
        }

    def journaled_now(self) -> dict[str, JournalPosition]:
        """One read. A shard's item stays when the shard has ended, so it grows with each
        resharding, by 200 bytes for each shard, and with nothing else.
        """
        with aws_call("journals of all shards"):
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression="pk = :stream AND begins_with(sk, :shard)",
                ExpressionAttributeValues={
                    ":stream": {"S": STREAM_PK},
                    ":shard": {"S": SHARD_KEYS},
                },
                ConsistentRead=True,
            )
            shards = [item for page in pages for item in page["Items"]]
        return {
            ShardKey.parse(ItemKey(STREAM_PK, item["sk"]["S"])).shard_id: _journaled(item)
            for item in shards
        }

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

    def move_shard(
        self,
        shard_id: str,
        seen: JournalPosition,
        closed_until: datetime | None,
        journaled: JournalPosition,
    ) -> bool:
        """One conditional write. Two functions can handle a batch at the same time if the first one
        was thought dead; if both journal from the same position, one succeeds.
        """
        floor = "" if closed_until is None else rfc3339(closed_until)
        is_first = " OR attribute_not_exists(pk)" if seen == BEGINNING else ""
        with aws_call(f"move {shard_id}"):
            try:
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=item_key(ShardKey(shard_id).item),
                    UpdateExpression="SET closed_until = :floor, journaled = :journaled",
                    ConditionExpression=(
                        f"(journaled = :seen AND closed_until <= :floor){is_first}"
                    ),
                    ExpressionAttributeValues={
                        ":floor": {"S": floor},
                        ":journaled": {"S": journaled.text},
                        ":seen": {"S": seen.text},
                    },
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def _items(self, keys: Collection[ItemKey], kind: str) -> dict[ItemKey, dict[str, Any]]:
        with aws_call(f"{len(keys)} {kind}"):
            items = batch_get(self._dynamodb, self._table, [item_key(key) for key in keys])
            return {ItemKey(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    def _read_time(self, key: ItemKey, attribute: str) -> datetime | None:
        with aws_call(f"read {key.sk}"):
            answer = self._dynamodb.get_item(
                TableName=self._table, Key=item_key(key), ConsistentRead=True
            )
        text = answer.get("Item", {}).get(attribute, {}).get("S", "")
        return parse_rfc3339(text) if text else None

    def _raise_time(self, key: ItemKey, attribute: str, value: str) -> None:
        """Sets a time, unless the stored time is equal or later; RFC 3339 in UTC sorts as text."""
        with aws_call(f"move the time of {key.sk} forward"):
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


def _journaled(item: Mapping[str, Any]) -> JournalPosition:
    return JournalPosition.parse(item["journaled"]["S"]) if "journaled" in item else BEGINNING


def _expiry(cut_at: datetime) -> Any:  # noqa: ANN401 - boto3's union
    return {"N": str(int((cut_at + _CUT_KEPT).timestamp()))}
