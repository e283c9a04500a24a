"""What is asked of AWS, seen where botocore takes a call's parameters: every key, by its names."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from falcon_balances.adapters.aws import client

_COMPARED = re.compile(
    r"(#?\w+) (?:= |BETWEEN )(:\w+)(?: AND (:\w+))?|begins_with\((#?\w+), (:\w+)\)"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, or the bounds of one: `where` is a table, an index or a bucket."""

    where: str
    values: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class Asked:
    """`calls` are `service:Operation`, each with as many `keys` as it names."""

    calls: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)

    def clear(self) -> None:
        self.calls.clear()
        self.keys.clear()


@contextmanager
def asked_of_aws() -> Iterator[Asked]:
    asked = Asked()

    def look(params: dict[str, Any], model: Any, **_: object) -> None:
        service = model.service_model.service_name
        asked.calls.append(f"{service}:{model.name}")
        asked.keys.extend(_of_bucket(params) if service == "s3" else _of_tables(params))

    every: Any = client
    clients = [every(name) for name in ("dynamodb", "s3", "sqs", "cloudwatch", "kinesis")]
    for each in clients:
        each.meta.events.register("provide-client-params", look)
    try:
        yield asked
    finally:
        for each in clients:
            each.meta.events.unregister("provide-client-params", look)


def _of_bucket(params: Mapping[str, Any]) -> Iterator[Key]:
    names = {"Key", "Prefix", "StartAfter"} & params.keys()
    yield Key(params["Bucket"], {name: (params[name],) for name in names})


def _of_tables(params: Mapping[str, Any]) -> Iterator[Key]:
    for table, said in params.get("RequestItems", {}).items():
        yield from (_exactly(table, key) for key in said["Keys"])
    for item in params.get("TransactItems", []):
        for said in item.values():
            yield from _of_tables(said)
    where = params.get("IndexName") or params.get("TableName", "")
    for name in ("Key", "ExclusiveStartKey"):
        if name in params:
            yield _exactly(where, params[name])
    if "KeyConditionExpression" in params:
        yield _of_condition(where, params)


def _exactly(where: str, key: Mapping[str, Any]) -> Key:
    return Key(where, {name: (value["S"],) for name, value in key.items()})


def _of_condition(where: str, params: Mapping[str, Any]) -> Key:
    condition, bound = params["KeyConditionExpression"], params["ExpressionAttributeValues"]
    rest = _COMPARED.sub("", condition).replace(" AND ", "")
    assert not rest, f"a condition that is not understood: {condition}"
    names = params.get("ExpressionAttributeNames", {})
    values: dict[str, tuple[str, ...]] = {}
    for name, first, second, begun, prefix in _COMPARED.findall(condition):
        said = [bound[each]["S"] for each in (first, second, prefix) if each]
        asked = name or begun
        values[names.get(asked, asked)] = tuple(said)
    return Key(where, values)
