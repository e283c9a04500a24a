"""Repeats BatchGetItem until no key is left: DynamoDB may leave keys for another call."""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from falcon_balances.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_MAX: Final = 100
"""https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html"""
_ATTEMPTS: Final = 5


def batch_get(
    dynamodb: "DynamoDBClient",
    table: str,
    keys: Collection[Mapping[str, Any]],
    *,
    projection: str | None = None,
    attempts: int = _ATTEMPTS,
) -> Iterator[dict[str, Any]]:
    """The existing items, strongly consistent, in no order; one call per hundred keys.

    Raises TransientError if keys are left after `attempts` calls.
    """
    more = {"ProjectionExpression": projection} if projection else {}
    rest = iter(keys)
    while some := list(islice(rest, KEYS_MAX)):
        pending: Any = {table: {"Keys": some, "ConsistentRead": True, **more}}
        for _ in range(attempts):
            answer = dynamodb.batch_get_item(RequestItems=pending)
            yield from map(dict, answer["Responses"].get(table, []))
            pending = answer.get("UnprocessedKeys")
            if not pending:
                break
        else:
            raise TransientError("keys left unprocessed")
