"""Translates items of the table `balances` between DynamoDB's format and plain values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from falcon_balances.adapters.ports import ConditionFailed, TryAgain, WriteOutcome
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.known_findings import KnownFinding
from falcon_balances.domain.table_keys import BalanceKey, ItemKey
from falcon_balances.domain.table_writes import (
    AddCounters,
    Drop,
    EndBlock,
    NoteFound,
    PutMark,
    PutNewer,
    PutStanding,
    TableWrite,
)

# Cancellation reasons that do not depend on the request: the same request may succeed later.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancellationReason.html
TRY_AGAIN_CODES: Final = {
    "TransactionConflict",
    "ThrottlingError",
    "ProvisionedThroughputExceeded",
}
_ONLY_IF_ABSENT: Final = {
    "ConditionExpression": "attribute_not_exists(pk)",
    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
}


def item_key(key: ItemKey) -> dict[str, Any]:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def transact_item(table: str, write: TableWrite) -> Any:  # noqa: ANN401 - boto3's union
    kind, said = _action(write)
    return {kind: {"TableName": table, **said}}


def _action(write: TableWrite) -> tuple[str, dict[str, Any]]:
    if isinstance(write, PutMark | PutStanding | PutNewer):
        return "Put", {"Item": _item(write), **_put_if(write)}
    where = {"Key": item_key(write.key)}
    if isinstance(write, Drop):
        return "Delete", where
    return "Update", where | _update(write)


def _put_if(write: PutMark | PutStanding | PutNewer) -> dict[str, Any]:
    match write:
        case PutMark():
            return dict(_ONLY_IF_ABSENT) if write.only_if_absent else {}
        case PutStanding():
            return _as_seen(write.seen)
        case PutNewer():
            return _as_newer(write.known)


def _update(write: EndBlock | AddCounters | NoteFound) -> dict[str, Any]:
    match write:
        case EndBlock():
            return _ending(write)
        case AddCounters():
            return _adding(write)
        case NoteFound():
            return _noting(write)


def _item(write: PutMark | PutStanding | PutNewer) -> dict[str, dict[str, str]]:
    item = {"pk": write.key.pk, "sk": write.key.sk, **write.attributes}
    return {name: _typed(value) for name, value in item.items()}


def _as_seen(version: int) -> dict[str, Any]:
    if version == 0:
        return dict(_ONLY_IF_ABSENT)
    return {
        "ConditionExpression": "#version = :seen",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":seen": {"N": str(version)}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _as_newer(known: int) -> dict[str, Any]:
    return {
        "ConditionExpression": "attribute_not_exists(known) OR known < :known",
        "ExpressionAttributeValues": {":known": {"N": str(known)}},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _noting(write: NoteFound) -> dict[str, Any]:
    return {
        "UpdateExpression": "SET #found = :found, #version = :next",
        "ConditionExpression": "#version = :seen",
        "ExpressionAttributeNames": {"#found": "found", "#version": "version"},
        "ExpressionAttributeValues": {
            ":found": {"S": write.found},
            ":seen": {"N": str(write.version)},
            ":next": {"N": str(write.version + 1)},
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def _typed(value: str | int) -> dict[str, str]:
    return {"N": str(value)} if isinstance(value, int) else {"S": value}


def attributes_of(item: Mapping[str, Any]) -> dict[str, str | int]:
    """The attributes without the key."""
    return {name: value for name, value in untyped(item).items() if name not in ("pk", "sk")}


def untyped(item: Mapping[str, Any]) -> dict[str, str | int]:
    """Plain values: our items have texts and whole numbers; sets, which cuts have, are left out."""
    plain: dict[str, str | int] = {}
    for name, value in item.items():
        if "N" in value:
            plain[name] = int(value["N"])
        elif "S" in value:
            plain[name] = value["S"]
    return plain


def _adding(write: AddCounters) -> dict[str, Any]:
    names = list(write.counters)
    conditions, said, values = _conditions(write)
    update: dict[str, Any] = {
        "UpdateExpression": "ADD " + ", ".join(f"#{n} :{n}" for n in range(len(names))),
        "ExpressionAttributeNames": said | {f"#{n}": name for n, name in enumerate(names)},
        "ExpressionAttributeValues": {
            f":{name}": {"N": str(value)}
            for name, value in (
                *((str(n), write.counters[name]) for n, name in enumerate(names)),
                *values.items(),
            )
        },
    }
    if conditions:
        update["ConditionExpression"] = " AND ".join(conditions)
        update["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return update


def _conditions(write: AddCounters) -> tuple[list[str], dict[str, str], dict[str, int]]:
    """The write's conditions, and the attribute names and numbers they use."""
    conditions, names, values = [], {}, {}
    if write.available_min is not None:
        conditions.append("available >= :available_min")
        values["available_min"] = write.available_min
    if write.blocked_max is not None:
        # If nothing was ever blocked, the attribute is missing and means 0.
        missing = "attribute_not_exists(blocked) OR " if write.blocked_max >= 0 else ""
        conditions.append(f"({missing}blocked <= :blocked_max)")
        values["blocked_max"] = write.blocked_max
    if write.operations_count is not None:
        conditions.append("operations_count = :operations_count")
        values["operations_count"] = write.operations_count
    if write.at_least is not None:
        conditions.append("#least >= :least")
        names["#least"], values["least"] = write.at_least
    if write.none_of is not None:
        conditions.append("(attribute_not_exists(#none) OR #none <= :none)")
        names["#none"], values["none"] = write.none_of, 0
    return conditions, names, values


def _ending(write: EndBlock) -> dict[str, Any]:
    """The update that ends a block. It also removes the item from the index of expiring blocks."""
    values = {
        ":active": "active",
        ":status": write.status,
        ":ended_at": write.ended_at,
        ":ended_by": write.ended_by,
    }
    condition = "#status = :active"
    if write.expired_at is not None:
        condition += " AND expiry <= :expired_at"
        values[":expired_at"] = write.expired_at
    return {
        "UpdateExpression": (
            "SET #status = :status, ended_at = :ended_at, ended_by = :ended_by REMOVE expiring"
        ),
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {"#status": "status"},
        "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def read_block(item: Mapping[str, Any]) -> Block:
    return Block.from_attributes(ItemKey(item["pk"]["S"], item["sk"]["S"]), untyped(item))


def read_finding(item: Mapping[str, Any]) -> KnownFinding:
    return KnownFinding.from_attributes(ItemKey(item["pk"]["S"], item["sk"]["S"]), untyped(item))


def outcome_of(reason: Mapping[str, Any]) -> WriteOutcome:
    code = reason.get("Code", "None")
    if code == "None":
        return None
    if code == "ConditionalCheckFailed":
        return ConditionFailed(untyped(reason.get("Item", {})))
    if code in TRY_AGAIN_CODES:
        return TryAgain()
    raise TransientError(f"count: {code}")


def read_balance(item: Mapping[str, Any]) -> Balance:
    balance_shop_id, code = BalanceKey.parse(item["sk"]["S"])
    currency = written_currency(code)
    if currency is None:
        raise IntegrityError(f"unknown currency in {item['sk']['S']}")
    counters = {name: int(value["N"]) for name, value in item.items() if "N" in value}
    return Balance.from_counters(balance_shop_id, currency, counters, negative_since(item))


def negative_since(item: Mapping[str, Any]) -> datetime | None:
    return parse_rfc3339(item["negative_since"]["S"]) if "negative_since" in item else None
