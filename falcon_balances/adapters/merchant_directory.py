"""Merchant contexts in DynamoDB: one item per key with all its versions and forms, oldest first."""

import json
from collections.abc import Callable, Collection, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.batch_get import batch_get
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.contracts.merchant_contexts import context_document, parse_merchant_context
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, Merchant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A new version starts 20 minutes after it is loaded, so caching for a minute is safe. A currency
# added to a known version can stay unknown for a minute: E_NO_BALANCE_SHOP.
CACHED_S: Final = 60
_CACHED_KEYS_MAX: Final = 10_000


class DynamoMerchantDirectory:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        """One BatchGetItem per hundred keys, strongly consistent."""
        histories = map(_history, self._items(keys))
        return {history[0].key: history for history in histories}

    def merchants(self, merchant_ids: Collection[str]) -> Mapping[str, Merchant]:
        keys = {_merchant_key(each): each for each in merchant_ids}
        return {keys[item["context_key"]["S"]]: _merchant(item) for item in self._items(list(keys))}

    def context_of(
        self, key: ContextKey, merchant_id: str
    ) -> tuple[ContextHistory, Merchant | None]:
        items = {
            item["context_key"]["S"]: item
            for item in self._items([key, _merchant_key(merchant_id)])
        }
        context, merchant = items.get(str(key)), items.get(_merchant_key(merchant_id))
        return (_history(context) if context else ()), (_merchant(merchant) if merchant else None)

    def name_merchant(self, merchant_id: str, merchant: Merchant) -> None:
        """One UpdateItem that adds to sets: a repetition changes nothing, and of two concurrent
        loads neither removes what the other added.
        """
        said = {
            "balances": sorted("|".join(balance) for balance in merchant.balances),
            "high_risk_keys": sorted(str(key) for key in merchant.high_risk_keys),
        }
        sets = {name: values for name, values in said.items() if values}
        with aws_call(f"balances of merchant {merchant_id}"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"context_key": {"S": _merchant_key(merchant_id)}},
                UpdateExpression="ADD " + ", ".join(f"{name} :{name}" for name in sets),
                ExpressionAttributeValues={
                    f":{name}": {"SS": values} for name, values in sets.items()
                },
            )

    def _items(self, keys: Collection[ContextKey | str]) -> list[dict[str, Any]]:
        wanted = [{"context_key": {"S": str(key)}} for key in keys]
        with aws_call(f"contexts of {len(keys)} merchants"):
            return list(batch_get(self._dynamodb, self._table, wanted))

    def replace(self, key: ContextKey, seen: ContextHistory, history: ContextHistory) -> bool:
        """Forms are only added and never removed, so their number tells whether another load was
        faster.
        """
        documents = [json.dumps(context_document(version)) for version in history]
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(context_key)"}
        if seen:
            condition = {
                "ConditionExpression": "version_count = :seen",
                "ExpressionAttributeValues": {":seen": {"N": str(len(seen))}},
            }
        with aws_call(f"contexts of {key}"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item={
                        "context_key": {"S": str(key)},
                        "version_count": {"N": str(len(history))},
                        "versions": {"L": [{"S": document} for document in documents]},
                    },
                    **condition,
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True

    def all_histories(self) -> list[ContextHistory]:
        """The contexts of all merchants, sorted by key: a scan, for operators only."""
        with aws_call("contexts of all merchants"):
            pages = self._dynamodb.get_paginator("scan").paginate(
                TableName=self._table,
                FilterExpression="attribute_exists(versions)",
                ConsistentRead=True,
            )
            found = [_history(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda history: history[0].key)


def _merchant_key(merchant_id: str) -> str:
    """The key of a merchant's item; keys of contexts have two `|`, so none is equal to it."""
    return f"MERCHANT#{merchant_id}"


def _merchant(item: Mapping[str, Any]) -> Merchant:
    balances = (text.split("|") for text in item.get("balances", {}).get("SS", ()))
    risky = item.get("high_risk_keys", {}).get("SS", ())
    return Merchant(
        frozenset((shop, code) for shop, code in balances),
        frozenset(map(ContextKey.parse, risky)),
    )


def _history(item: Mapping[str, Any]) -> ContextHistory:
    return [parse_merchant_context(json.loads(version["S"])) for version in item["versions"]["L"]]


class CachedMerchantDirectory:
    """Caches known keys for a minute. Unknown keys are read again each time, because they may have
    been loaded meanwhile.
    """

    def __init__(self, directory: ContextReader) -> None:
        self._directory = directory
        self._known: dict[ContextKey, tuple[float, ContextHistory]] = {}
        self._merchants: dict[str, tuple[float, Merchant]] = {}

    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        return _remembered(keys, self._known, self._directory.histories)

    def merchants(self, merchant_ids: Collection[str]) -> Mapping[str, Merchant]:
        """Never cached: otherwise the newest balance of a known merchant would be refused."""
        return self._directory.merchants(merchant_ids)

    def context_of(
        self, key: ContextKey, merchant_id: str
    ) -> tuple[ContextHistory, Merchant | None]:
        history, merchant = _fresh([key], self._known), _fresh([merchant_id], self._merchants)
        if not (history and merchant):
            found, named = self._directory.context_of(key, merchant_id)
            history = _remembered([key], self._known, lambda _keys: {key: found} if found else {})
            merchant = _remembered(
                [merchant_id], self._merchants, lambda _ids: {merchant_id: named} if named else {}
            )
        return history.get(key, ()), merchant.get(merchant_id)


K = TypeVar("K")
V = TypeVar("V")


def _remembered(
    keys: Collection[K],
    known: dict[K, tuple[float, V]],
    read: Callable[[Collection[K]], Mapping[K, V]],
) -> dict[K, V]:
    fresh = _fresh(keys, known)
    if missing := [key for key in keys if key not in fresh]:
        read_now = read(missing)
        if len(known) + len(read_now) > _CACHED_KEYS_MAX:
            known.clear()
        now = monotonic()
        known |= {key: (now, value) for key, value in read_now.items()}
        fresh |= read_now
    return fresh


def _fresh(keys: Collection[K], known: Mapping[K, tuple[float, V]]) -> dict[K, V]:
    now = monotonic()
    return {
        key: found[1] for key in keys if (found := known.get(key)) and now - found[0] < CACHED_S
    }
