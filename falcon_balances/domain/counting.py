"""Counting (design §7): what a segment adds to which items of the table `balances`, exactly once.

Every write is plain data, so that the table and its in-memory fake carry out the same decisions.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import (
    PSP_STAGES,
    BalanceOperation,
    OperationType,
    Segment,
    Stage,
    main_line,
)

COUNTERS: Final = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "adjusted",
    "available",
    "operations_count",
)
COUNTS_WHEN_CONFIRMED: Final = frozenset({OperationType.REFUND, OperationType.CHARGEBACK})

# TransactWriteItems takes 100 items and 4 MB; the design stays below the second with 3 MB.
TRANSACTION_ITEMS_MAX: Final = 100
TRANSACTION_BYTES_MAX: Final = 3_000_000
_ITEM_BYTES: Final = (
    700  # keys, counters and names of one item besides a segment's body, rounded up
)
_ITEMS_PER_BALANCE: Final = 3  # BALANCE, WINDOW and DAY
# Besides its balances a part has its mark, a block with that block's own balance, a pairing, and
# where it is late a note of that. A correction has one balance only.
BALANCES_PER_PART: Final = (TRANSACTION_ITEMS_MAX - 5) // _ITEMS_PER_BALANCE
LATE: Final = "late_"


class ItemKey(NamedTuple):
    pk: str
    sk: str


@dataclass(frozen=True, slots=True)
class PutMark:
    """The record that (a part of) a segment has been counted: written only where there is none."""

    key: ItemKey
    attributes: Mapping[str, str | int]
    only_if_absent: bool = True


@dataclass(frozen=True, slots=True)
class AddCounters:
    """Whole numbers added to an item's attributes; what is not there yet counts from zero."""

    key: ItemKey
    counters: Mapping[str, int]
    available_min: int | None = None
    """Only if `available` is at least this much."""
    blocked_max: int | None = None
    """Only if no more than this is blocked."""
    operations_count: int | None = None
    """Only if exactly so many lines are counted."""


@dataclass(frozen=True, slots=True)
class CheckAbsent:
    """Nothing is written, but the whole transaction only happens where there is no such item."""

    key: ItemKey


@dataclass(frozen=True, slots=True)
class EndBlock:
    """The one end of a block: only while it is active and, if it expires, not before its time."""

    key: ItemKey
    status: str
    ended_at: str
    ended_by: str
    expired_at: str | None = None


@dataclass(frozen=True, slots=True)
class PutPairing:
    """An operation that awaits its other stage, or differs from it (`domain/pairing.py`).

    `seen` is the standing of the item that it replaces, None where there must be none.
    """

    key: ItemKey
    attributes: Mapping[str, str]
    seen: str | None


@dataclass(frozen=True, slots=True)
class DropPairing:
    """Both stages agree: nothing is awaited any more. `seen` as in PutPairing."""

    key: ItemKey
    seen: str


TableWrite = PutMark | AddCounters | CheckAbsent | EndBlock | PutPairing | DropPairing


@dataclass(frozen=True, slots=True)
class ArrivedSegment:
    """A segment with what the stream and the log say of it. `window` is a quarter's start, UTC."""

    segment: Segment
    window: datetime
    log_key: str
    fingerprint: str
    body: str
    corrects: str | None = None


@dataclass(frozen=True, slots=True)
class CountablePart:
    """What is counted in one transaction: a whole segment, unless it touches too many balances."""

    mark: PutMark
    additions: Mapping[ItemKey, Mapping[str, int]]
    block_key: ItemKey | None = None
    """The block that was made for this operation, if there is one."""
    block_write: TableWrite | None = None
    """How that block ends with it, or that there must be none."""
    pairing: "Side | None" = None
    """What a PSP's operation says in this stage, to be compared with the other one."""


@dataclass(frozen=True, slots=True)
class Side:
    """An operation in one of its two stages: what it does to the merchant's balances."""

    key: ItemKey
    stage: Stage
    movements: str
    operation_date: str
    psp_id: str
    external_reference: str
    type: str


def merchant_pk(merchant_id: str) -> str:
    return f"MERCHANT#{merchant_id}"


def balance_sk(balance_shop_id: str, currency: str) -> str:
    return f"BALANCE#{balance_shop_id}#{currency}"


def is_balance(key: ItemKey) -> bool:
    return key.sk.startswith("BALANCE#")


def block_sk(block_id: str) -> str:
    return f"BLOCK#{block_id}"


def correction_sk(corrected_operation_id: str, operation_id: str) -> str:
    """Where what was corrected finds its correction, whichever of the two is counted first."""
    return f"CORRECTION#{corrected_operation_id}#{operation_id}"


def pairing_sk(falcon_operation_id: str) -> str:
    return f"PAIRING#{falcon_operation_id}"


def window_sk(window: str, balance_shop_id: str, currency: str) -> str:
    return f"WINDOW#{window}#{balance_shop_id}#{currency}"


def late_sk(month: str, counted_order: str) -> str:
    """An operation of that month (`YYYY-MM`) that was counted after it: by when it was."""
    return f"LATE#{month}#{counted_order}"


def mark_sk(falcon_operation_id: str, stage: Stage | str) -> str:
    return f"OPERATION#{falcon_operation_id}#{stage}"


def counters_of(stage: Stage, line: BalanceOperation) -> dict[str, int]:
    """What one line adds to its balance's counters, in minor units (the tables of §4 and §7)."""
    return counters_of_sum(stage, line.type, line.amount.minor, 1)


def counters_of_sum(
    stage: Stage, line_type: OperationType, amount: int, lines: int
) -> dict[str, int]:
    """As `counters_of` for lines of one stage and type whose amounts add up to `amount`."""
    when_confirmed = line_type in COUNTS_WHEN_CONFIRMED
    if stage is Stage.CONFIRMED:
        added = {"confirmed": amount, "available" if when_confirmed else "pending": amount}
    elif stage is Stage.RECONCILED:
        added = {"reconciled": amount}
        if not when_confirmed:
            added |= {"pending": -amount, "available": amount}
    elif stage is Stage.PAYOUT:
        added = {"withdrawn": -amount, "available": amount}
    else:
        added = {"adjusted": amount, "available": amount}
    added["operations_count"] = lines
    return added


def add_to(total: dict[str, int], added: Mapping[str, int]) -> None:
    for name, value in added.items():
        total[name] = total.get(name, 0) + value


def countable_parts(arrived: ArrivedSegment) -> Iterator[CountablePart]:
    """The segment as transactions can take it; more than one only beyond 31 balances of a merchant.

    The first part's mark is the segment's, with all its lines; the others' only say that they are.
    """
    by_balance: dict[tuple[str, str], list[BalanceOperation]] = {}
    for line in arrived.segment.lines:
        by_balance.setdefault((line.balance_shop_id, line.currency.code), []).append(line)
    balances = iter(by_balance.items())
    number = 0
    while group := list(islice(balances, BALANCES_PER_PART)):
        additions: dict[ItemKey, Mapping[str, int]] = {}
        for (balance_shop_id, currency), lines in group:
            additions |= _additions(arrived, balance_shop_id, currency, lines)
        if arrived.corrects is not None:
            operation_id = arrived.segment.falcon_operation_id
            pk = merchant_pk(arrived.segment.merchant_id)
            additions[ItemKey(pk, correction_sk(arrived.corrects, operation_id))] = {
                "operations_count": len(arrived.segment.lines)
            }
        mark = _mark(arrived, number)
        if number:
            yield CountablePart(mark, additions)
        else:
            additions |= _late(arrived, mark)
            segment = arrived.segment
            yield CountablePart(mark, additions, _block_key(segment), pairing=_side(segment))
        number += 1


def _late(arrived: ArrivedSegment, mark: PutMark) -> dict[ItemKey, Mapping[str, int]]:
    if not _is_late(arrived):
        return {}
    month = rfc3339(arrived.segment.booked_at)[:7]
    sk = late_sk(month, str(mark.attributes["counted_order"]))
    return {ItemKey(mark.key.pk, sk): {"operations_count": len(arrived.segment.lines)}}


def _is_late(arrived: ArrivedSegment) -> bool:
    """Counted after the month (UTC) that it is booked in has ended."""
    booked = arrived.segment.booked_at
    return (arrived.window.year, arrived.window.month) > (booked.year, booked.month)


def _side(segment: Segment) -> Side | None:
    """PSPs' operations come in two stages, which should say the same."""
    if segment.stage not in PSP_STAGES:
        return None
    main = main_line(segment.lines)
    sums: dict[tuple[str, str, str], int] = {}
    for line in segment.lines:
        name = (line.balance_shop_id, line.currency.code, line.type.value)
        sums[name] = sums.get(name, 0) + line.amount.minor
    movements = ",".join(
        f"{shop}#{code}#{kind}#{sums[shop, code, kind]}"
        for shop, code, kind in sorted(sums)
        if sums[shop, code, kind]
    )
    return Side(
        key=ItemKey(merchant_pk(segment.merchant_id), pairing_sk(segment.falcon_operation_id)),
        stage=segment.stage,
        movements=movements,
        operation_date=rfc3339(segment.booked_at),
        psp_id=main.psp_id,
        external_reference=main.external_reference,
        type=main.type.value,
    )


def _block_key(segment: Segment) -> ItemKey | None:
    """Blocks of refunds and payouts bear the id of the operation that they are made for."""
    types = {line.type for line in segment.lines}  # a marketplace's fee may come before its refund
    is_refund = segment.stage is Stage.CONFIRMED and OperationType.REFUND in types
    if not is_refund and OperationType.WITHDRAWAL not in types:
        return None
    return ItemKey(merchant_pk(segment.merchant_id), block_sk(segment.falcon_operation_id))


def _mark(arrived: ArrivedSegment, number: int) -> PutMark:
    segment = arrived.segment
    sk = mark_sk(segment.falcon_operation_id, segment.stage)
    key = ItemKey(merchant_pk(segment.merchant_id), f"{sk}#{number}" if number else sk)
    attributes = {"fingerprint": arrived.fingerprint, "log_key": arrived.log_key}
    if number == 0:
        window = rfc3339(arrived.window)
        order = (window, rfc3339(segment.booked_at), segment.falcon_operation_id, segment.stage)
        attributes |= {
            "lines": arrived.body,
            "window": window,
            "merchant_id": segment.merchant_id,
            "counted_order": "#".join(order),
        }
        if arrived.corrects is not None:
            attributes["corrects"] = arrived.corrects
    return PutMark(key, attributes)


def _additions(
    arrived: ArrivedSegment,
    balance_shop_id: str,
    currency: str,
    lines: Sequence[BalanceOperation],
) -> dict[ItemKey, Mapping[str, int]]:
    stage = arrived.segment.stage
    counters: dict[str, int] = {}
    by_type: dict[str, int] = {}
    for line in lines:
        add_to(counters, counters_of(stage, line))
        name = f"{stage}_{line.type}"
        by_type[name] = by_type.get(name, 0) + line.amount.minor
    if _is_late(arrived):
        by_type |= {f"{LATE}{name}": amount for name, amount in by_type.items()}
    by_type["operations_count"] = len(lines)
    pk = merchant_pk(arrived.segment.merchant_id)
    balance = f"{balance_shop_id}#{currency}"
    day = rfc3339(arrived.segment.booked_at)[:10]
    return {
        ItemKey(pk, balance_sk(balance_shop_id, currency)): counters,
        ItemKey(pk, window_sk(rfc3339(arrived.window), balance_shop_id, currency)): counters,
        ItemKey(pk, f"DAY#{day}#{balance}"): by_type,
    }


def transactions(parts: Iterable[CountablePart]) -> Iterator[list[CountablePart]]:
    """Parts grouped so that each group fits one transaction, merged additions counted once.

    Parts are taken by merchant, for those share items. Repeats must have been dropped before.
    """
    group: list[CountablePart] = []
    keys: set[ItemKey] = set()
    size = 0
    for part in sorted(parts, key=lambda part: part.mark.key.pk):
        new_keys = part.additions.keys() - keys
        new_size = _bytes_of(part.mark) + len(new_keys) * _ITEM_BYTES
        items = len(keys) + len(new_keys) + sum(map(_own_items, [*group, part]))
        too_many = items > TRANSACTION_ITEMS_MAX
        if group and (too_many or size + new_size > TRANSACTION_BYTES_MAX):
            yield group
            group, keys, size = [], set(), 0
            new_size = _bytes_of(part.mark) + len(part.additions) * _ITEM_BYTES
        group.append(part)
        keys |= part.additions.keys()
        size += new_size
    if group:
        yield group


def _own_items(part: CountablePart) -> int:
    """Its mark; where there may be a block, that and its balance, which may be another; and its
    pairing.
    """
    return 1 + (0 if part.block_key is None else 2) + (part.pairing is not None)


def _bytes_of(mark: PutMark) -> int:
    return _ITEM_BYTES + len(str(mark.attributes.get("lines", "")))


def writes_of(
    group: Sequence[CountablePart], pairings: Sequence[TableWrite] = ()
) -> list[TableWrite]:
    """One transaction's writes: every mark, then every item once with its merged additions.

    `pairings` are those of the group's operations.
    """
    merged: dict[ItemKey, dict[str, int]] = {}
    for part in group:
        for key, counters in part.additions.items():
            add_to(merged.setdefault(key, {}), counters)
    return [
        *(part.mark for part in group),
        *(part.block_write for part in group if part.block_write is not None),
        *pairings,
        *(AddCounters(key, counters) for key, counters in merged.items()),
    ]
