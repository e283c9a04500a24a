"""Windows, closings, days and marks, read from DynamoDB's items."""

from collections.abc import Mapping
from typing import Any

from falcon_balances.adapters.balance_items import untyped
from falcon_balances.domain.closings import ClosedDay, Closing, MovedBalance
from falcon_balances.domain.effects import read_effect
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.history import Day, Figures, Mark, Window
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.marked_segments import marked_segment
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.past_keys import ClosingKey, WindowKey
from falcon_balances.domain.table_keys import BalanceKey, DayCounter, DayKey, ItemKey


def numbers(item: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in item.items() if "N" in value}


def read_window(item: Mapping[str, Any]) -> Window:
    balance, start = WindowKey.parse(item["sk"]["S"])
    return Window(parse_rfc3339(start), balance, Figures.of(numbers(item)))


def read_closing(item: Mapping[str, Any]) -> Closing:
    key = ClosingKey.parse(item["sk"]["S"])
    said = numbers(item)
    logged = said.pop("logged", None)
    return Closing(key.balance, key.day, Figures(**said), logged)


def read_closed_day(item: Mapping[str, Any]) -> ClosedDay:
    said = {name: value["S"] for name, value in item.items()}
    after = None
    if "balance" in said:
        after = MovedBalance(said["merchant_id"], BalanceKey.parse(said["balance"]))
    read_until = parse_rfc3339(said["read_until"]) if "read_until" in said else None
    return ClosedDay(said.get("day"), said.get("journal", ""), after, read_until)


def read_day(item: Mapping[str, Any]) -> Day:
    return day_of(DayKey.parse(item["sk"]["S"]), numbers(item))


def day_of(key: DayKey, counters: Mapping[str, int]) -> Day:
    sums: dict[tuple[Stage, str], int] = {}
    late: dict[tuple[Stage, str], int] = {}
    for name, value in counters.items():
        if name != "operations_count":
            counter = DayCounter.parse(name)
            target = late if counter.is_late else sums
            target[counter.stage, counter.type] = value
    return Day(key.day, key.balance, sums, late, counters.get("operations_count", 0))


def read_mark(item: Mapping[str, Any]) -> Mark:
    return mark_of(ItemKey(item["pk"]["S"], item["sk"]["S"]), untyped(item))


def mark_of(key: ItemKey, said: Mapping[str, str | int]) -> Mark:
    """The mark in an item. Raises IntegrityError if the reducer would not have written it."""
    corrects = said.get("corrects")
    try:
        segment = marked_segment(key, said)
        return Mark(
            falcon_operation_id=segment.falcon_operation_id,
            stage=segment.stage,
            revision=segment.revision,
            window=parse_rfc3339(str(said["window"])),
            order=str(said["counted_order"]),
            log_key=log_key(segment),
            fingerprint=str(said["fingerprint"]),
            lines=segment.lines,
            effect=read_effect(str(said["effect"])),
            corrects=None if corrects is None else str(corrects),
            blocks=tuple(each for each in str(said.get("blocks", "")).split(",") if each),
        )
    except (KeyError, ValueError) as error:
        raise IntegrityError(f"{key.sk}: {error}") from error
