"""What AWS bills for an item of DynamoDB: its bytes, and the units to write it and its indexes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

from collections.abc import Collection, Mapping
from math import ceil
from typing import Any, Final

# Texts, bytes and whole numbers, and lists and maps of them.
Value = Any
TableItem = Mapping[str, Value]

UNIT_BYTES: Final = 1024
ITEM_OVERHEAD_BYTES: Final = 100
"""Billed as storage for each item, and again for each entry of an index."""
_NESTING_BYTES: Final = 3  # of each list and map, which also need a byte for each element
_OF_A_TRANSACTION: Final = 2  # units for each unit of a plain write


def item_bytes(item: TableItem) -> int:
    """The bytes of names and values in UTF-8. A number takes a byte for two digits, and one or two
    more.
    """
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Value) -> int:
    match value:
        case str():
            return len(value.encode())
        case bytes():
            return len(value)
        case bool() | None:
            return 1
        case int():
            digits = str(abs(value)).rstrip("0")
            return ceil(len(digits) / 2) + 1 + (value < 0)
        case Mapping():
            return _NESTING_BYTES + len(value) + item_bytes(value)
        case _:
            return _NESTING_BYTES + sum(1 + _value_bytes(each) for each in value)


def write_units(before: TableItem, after: TableItem, *, in_transaction: bool) -> int:
    """An update costs the larger of the item's sizes before and after it; an absent item is empty.

    Deleting an absent item costs a unit.
    """
    size = max(item_bytes(before), item_bytes(after), 1)
    return ceil(size / UNIT_BYTES) * (_OF_A_TRANSACTION if in_transaction else 1)


def index_units(before: TableItem, after: TableItem) -> int:
    """The units of an index, from its entry before and after a write: `entry_of`.

    A changed key costs a delete and a put. An unchanged entry costs nothing, and no write of an
    index costs double in a transaction.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html
    """
    if before == after:
        return 0
    if before and after and _keys(before) == _keys(after):
        return write_units(before, after, in_transaction=False)
    changed = (each for each in (before, after) if each)
    return sum(write_units({}, each, in_transaction=False) for each in changed)


def _keys(entry: TableItem) -> tuple[Any, ...]:
    return tuple(entry.values())[:4]


def entry_of(item: TableItem, keys: tuple[str, str], includes: Collection[str] | None) -> TableItem:
    """The item's entry in an index, its keys first; empty if the item lacks one of the keys.

    `includes`: the attributes that the index holds beside keys, None for all.
    """
    if any(key not in item for key in keys):
        return {}
    names = dict.fromkeys((*keys, "pk", "sk"))
    entry = {name: item[name] for name in names}
    others = item if includes is None else {each: item[each] for each in includes if each in item}
    return {**entry, **others}
