"""Counting (design §7): what a segment adds to which items, in parts that fit a transaction.

A segment is counted whole, or in parts of 24 balances in the segment's order. Blocks never change
which balances a part has, and each part has its own mark.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from falcon_balances.domain.available import Joint
from falcon_balances.domain.compact_lines import compact_text
from falcon_balances.domain.counted_order import CountedOrder, LateKey, MarkKey
from falcon_balances.domain.counting import available_at_once, stage_counters
from falcon_balances.domain.effects import Effect, effect_text
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.marked_segments import part_text
from falcon_balances.domain.merged_marks import index_partition
from falcon_balances.domain.operation_tags import tags_of
from falcon_balances.domain.operations import (
    PSP_STAGES,
    BalanceOperation,
    OperationType,
    Segment,
    Stage,
    main_line,
)
from falcon_balances.domain.past_keys import WindowKey
from falcon_balances.domain.sale_parts import SalePart, StagedPart
from falcon_balances.domain.standing import Change, movements_text, nets_of
from falcon_balances.domain.table_keys import (
    BalanceKey,
    BlockKey,
    CorrectionKey,
    DayCounter,
    DayKey,
    ItemKey,
    ReferenceKey,
    StandingKey,
    merchant_pk,
)
from falcon_balances.domain.table_writes import PutMark, TableWrite

# Four items for each balance: BALANCE, WINDOW, DAY and a block of the operation. A part also has
# its mark, its standing, a note if it is late, its sale and what it took of the sale: 101, so one
# or two blocks of a part that has all of these end in their own transactions.
BALANCES_PER_PART: Final = 24


@dataclass(frozen=True, slots=True)
class ArrivedSegment:
    """A segment, with its window (a quarter's start, UTC) and what stream and log say about it."""

    segment: Segment
    window: datetime
    log_key: str
    fingerprint: str
    corrects: str | None = field(default=None, kw_only=True)
    blocks: tuple[ItemKey, ...] = field(default=(), kw_only=True)
    """The blocks that were made for the operation at this merchant."""
    sale: tuple[SalePart, ...] = field(default=(), kw_only=True)
    """How the event changes a sale; given only with the event's first segment."""


@dataclass(frozen=True, slots=True)
class CountablePart:
    """What one transaction counts: a whole segment, or a part if it touches too many balances.

    `mark` and `additions` of a PSP's operation are incomplete until its standing is read.
    """

    mark: PutMark
    additions: Mapping[ItemKey, Mapping[str, int]]
    window: str
    block_keys: tuple[ItemKey, ...] = ()
    """The keys of blocks that were made for this operation at this merchant."""
    block_writes: tuple[TableWrite, ...] = ()
    """The writes that end these blocks on the balances of the part."""
    change: Change | None = None
    """What a PSP's operation adds in this stage, to be joined with its standing; or the amount of
    an adjustment, for the operation that it corrects.
    """
    sale_parts: tuple[StagedPart, ...] = ()
    """How the part changes sales, to be joined with what its operation took from them before."""


def countable_parts(arrived: ArrivedSegment) -> Iterator[CountablePart]:
    """The parts of a segment; a segment with more than 24 balances has several.

    The first part's mark is the segment's, with all its lines. The marks of the other parts have a
    number at the end of their sort key, and the effect on the balances of their part.
    """
    by_balance: dict[BalanceKey, list[BalanceOperation]] = {}
    for line in arrived.segment.lines:
        balance = BalanceKey(line.balance_shop_id, line.currency.code)
        by_balance.setdefault(balance, []).append(line)
    balances = iter(by_balance.items())
    number = 0
    while group := dict(islice(balances, BALANCES_PER_PART)):
        yield _part(arrived, number, group)
        number += 1


def _part(
    arrived: ArrivedSegment, number: int, group: Mapping[BalanceKey, Sequence[BalanceOperation]]
) -> CountablePart:
    segment = arrived.segment
    mark = _mark(arrived, number)
    additions: dict[ItemKey, Mapping[str, int]] = {}
    for balance, lines in group.items():
        additions |= _additions(arrived, balance, lines)
    if number == 0:
        additions |= _late(arrived, mark.key.pk)
    if segment.stage in PSP_STAGES:
        change: Change | None = _change(segment, group)
    else:
        additions |= _correction(arrived)
        mark = with_effect(mark, _effect_of_one_stage(segment.stage, group))
        change = _credit(arrived)
    return CountablePart(
        mark,
        additions,
        rfc3339(arrived.window),
        _block_keys(arrived),
        change=change,
        sale_parts=_sale_parts(arrived) if number == 0 else (),
    )


def _sale_parts(arrived: ArrivedSegment) -> tuple[StagedPart, ...]:
    segment = arrived.segment
    name = (segment.falcon_operation_id, segment.stage)
    return tuple(StagedPart(part, *name) for part in arrived.sale)


def _credit(arrived: ArrivedSegment) -> Change | None:
    """The note of an adjustment in the standing of the operation that it corrects. If that
    operation is open, the adjustment is a finding.
    """
    if arrived.corrects is None:
        return None
    segment = arrived.segment
    return Change(
        key=ItemKey(merchant_pk(segment.merchant_id), StandingKey(arrived.corrects).sk),
        stage=segment.stage,
        revision=1,
        movements="",
        nets={},
        operation_date="",
        psp_id="",
        external_reference="",
        type="",
        credited=sum(line.amount.minor for line in segment.lines),
    )


def _correction(arrived: ArrivedSegment) -> dict[ItemKey, Mapping[str, int]]:
    if arrived.corrects is None:
        return {}
    segment = arrived.segment
    sk = CorrectionKey(arrived.corrects, segment.falcon_operation_id).sk
    key = ItemKey(merchant_pk(segment.merchant_id), sk)
    return {key: {"operations_count": len(segment.lines)}}


def _late(arrived: ArrivedSegment, pk: str) -> dict[ItemKey, Mapping[str, int]]:
    if not _is_late(arrived):
        return {}
    month = rfc3339(arrived.segment.booked_at)[:7]
    key = ItemKey(pk, LateKey(month, _order(arrived)).sk)
    return {key: {"operations_count": len(arrived.segment.lines)}}


def _is_late(arrived: ArrivedSegment) -> bool:
    """Whether the segment is counted after the end of the month (UTC) of its date."""
    booked = arrived.segment.booked_at
    return (arrived.window.year, arrived.window.month) > (booked.year, booked.month)


def _effect_of_one_stage(
    stage: Stage, group: Mapping[BalanceKey, Sequence[BalanceOperation]]
) -> Effect:
    return {
        balance: Joint(available=available_at_once(stage, sum(line.amount.minor for line in lines)))
        for balance, lines in group.items()
    }


def _change(segment: Segment, group: Mapping[BalanceKey, Sequence[BalanceOperation]]) -> Change:
    main = main_line(segment.lines)
    sums: dict[tuple[str, str, str], int] = {}
    for balance, lines in group.items():
        for line in lines:
            name = (*balance, line.type.value)
            sums[name] = sums.get(name, 0) + line.amount.minor
    movements = movements_text(sums)
    nets = dict.fromkeys(group, 0) | nets_of(movements)
    return Change(
        key=ItemKey(merchant_pk(segment.merchant_id), StandingKey(segment.falcon_operation_id).sk),
        stage=segment.stage,
        revision=segment.revision,
        movements=movements,
        nets=nets,
        operation_date=rfc3339(segment.booked_at),
        psp_id=main.psp_id,
        external_reference=main.external_reference,
        type=main.type.value,
    )


def _block_keys(arrived: ArrivedSegment) -> tuple[ItemKey, ...]:
    """The keys of the operation's blocks: a payout's block has the payout's id, and a refund's
    authorization made the refund's blocks.

    The first counted stage or revision ends them.
    """
    segment = arrived.segment
    if main_line(segment.lines).type is OperationType.WITHDRAWAL:
        return (
            ItemKey(merchant_pk(segment.merchant_id), BlockKey(segment.falcon_operation_id).sk),
        )
    return arrived.blocks


def _mark(arrived: ArrivedSegment, number: int) -> PutMark:
    segment = arrived.segment
    sk = MarkKey(segment.falcon_operation_id, segment.staged, number).sk
    key = ItemKey(merchant_pk(segment.merchant_id), sk)
    attributes = {"fingerprint": arrived.fingerprint}
    if part := part_text(segment):
        attributes["part"] = part
    if number == 0:
        order = _order(arrived)
        attributes |= {
            "lines": compact_text(segment.lines),
            "window": order.window,
            "spread": index_partition(segment.merchant_id, segment.falcon_operation_id),
            "counted_order": order.text,
            "tags": tags_of(segment.stage, segment.lines),
        }
        if arrived.corrects is not None:
            attributes["corrects"] = arrived.corrects
        if arrived.blocks:
            ids = (BlockKey.parse(key.sk).block_id for key in arrived.blocks)
            attributes["blocks"] = ",".join(ids)
        if reference := _searched_for(segment):
            attributes["referenced"] = ReferenceKey(segment.merchant_id, reference).text
    return PutMark(key, attributes)


def _order(arrived: ArrivedSegment) -> CountedOrder:
    segment = arrived.segment
    return CountedOrder(
        rfc3339(arrived.window),
        rfc3339(segment.booked_at),
        segment.falcon_operation_id,
        segment.staged,
    )


def _searched_for(segment: Segment) -> str:
    """The reference under which the index lists the mark. For a PSP's operation, it is that of the
    original, because the index lists the standing under the operation's own reference. For every
    other operation, it is its own reference.
    """
    main = main_line(segment.lines)
    return main.original_reference if segment.stage in PSP_STAGES else main.external_reference


def with_effect(mark: PutMark, effect: Effect) -> PutMark:
    return PutMark(mark.key, {**mark.attributes, "effect": effect_text(effect)})


def _additions(
    arrived: ArrivedSegment, balance: BalanceKey, lines: Sequence[BalanceOperation]
) -> dict[ItemKey, Mapping[str, int]]:
    stage = arrived.segment.stage
    amount = sum(line.amount.minor for line in lines)
    counters = stage_counters(stage, amount, len(lines))
    if at_once := available_at_once(stage, amount):
        counters["available"] = at_once
    pk = merchant_pk(arrived.segment.merchant_id)
    day = rfc3339(arrived.segment.booked_at)[:10]
    return {
        ItemKey(pk, balance.sk): counters,
        ItemKey(pk, WindowKey(balance, rfc3339(arrived.window)).sk): counters,
        ItemKey(pk, DayKey(day, balance).sk): _by_type(arrived, lines),
    }


def _by_type(arrived: ArrivedSegment, lines: Sequence[BalanceOperation]) -> dict[str, int]:
    """The additions to the day's sums; late amounts are summed separately as well."""
    counters: dict[str, int] = {}
    for line in lines:
        for is_late in (False, True) if _is_late(arrived) else (False,):
            name = DayCounter(arrived.segment.stage, line.type.value, is_late).name
            counters[name] = counters.get(name, 0) + line.amount.minor
    return counters | {"operations_count": len(lines)}
