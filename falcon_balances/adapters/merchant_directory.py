"""Merchant contexts in DynamoDB: one item per key with all its versions, oldest first."""

import json
from collections.abc import Collection, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import aws_call, error_code
from falcon_balances.adapters.ports import ContextReader
from falcon_balances.contracts.merchant_contexts import context_document, parse_merchant_context
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEYS_PER_GET: Final = 100  # of BatchGetItem
_ATTEMPTS: Final = 5
CACHED_S: Final = 60  # a new version starts 20 minutes after it is loaded, so this is early enough
_CACHED_KEYS_MAX: Final = 10_000


class DynamoMerchantDirectory:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        """One BatchGetItem per hundred keys, strongly consistent."""
        found: dict[ContextKey, ContextHistory] = {}
        wanted = list(keys)
        for start in range(0, len(wanted), _KEYS_PER_GET):
            for item in self._items(wanted[start : start + _KEYS_PER_GET]):
                history = _history(item)
                found[history[0].key] = history
        return found

    def _items(self, keys: Collection[ContextKey]) -> list[dict[str, Any]]:
        pending: Any = {
            self._table: {
                "Keys": [{"context_key": {"S": str(key)}} for key in keys],
                "ConsistentRead": True,
            }
        }
        items: list[dict[str, Any]] = []
        with aws_call(f"contexts of {len(keys)} merchants"):
            for _ in range(_ATTEMPTS):
                answer = self._dynamodb.batch_get_item(RequestItems=pending)
                items += answer["Responses"].get(self._table, [])
                pending = answer.get("UnprocessedKeys")
                if not pending:
                    return items
        raise TransientError("merchant contexts: keys left unprocessed")

    def replace(self, key: ContextKey, seen: ContextHistory, history: ContextHistory) -> bool:
        """Versions are only ever added, so their number says whether another was faster."""
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
        """Everybody's, sorted by key: for operators, a scan of the table."""
        with aws_call("contexts of all merchants"):
            pages = self._dynamodb.get_paginator("scan").paginate(
                TableName=self._table, ConsistentRead=True
            )
            found = [_history(item) for page in pages for item in page["Items"]]
        return sorted(found, key=lambda history: history[0].key)


def _history(item: Mapping[str, Any]) -> ContextHistory:
    return [parse_merchant_context(json.loads(version["S"])) for version in item["versions"]["L"]]


class CachedMerchantDirectory:
    """Remembers known keys for a minute. Unknown ones are asked for again: they may be loading."""

    def __init__(self, directory: ContextReader) -> None:
        self._directory = directory
        self._known: dict[ContextKey, tuple[float, ContextHistory]] = {}

    def histories(self, keys: Collection[ContextKey]) -> Mapping[ContextKey, ContextHistory]:
        now = monotonic()
        fresh = {
            key: known[1]
            for key in keys
            if (known := self._known.get(key)) and now - known[0] < CACHED_S
        }
        if missing := [key for key in keys if key not in fresh]:
            found = self._directory.histories(missing)
            if len(self._known) + len(found) > _CACHED_KEYS_MAX:
                self._known.clear()
            self._known |= {key: (now, history) for key, history in found.items()}
            fresh |= found
        return fresh
