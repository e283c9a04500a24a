"""Counting transactions (design §7): groups parts, and makes the writes of each group."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from falcon_balances.domain.counting import add_to
from falcon_balances.domain.effects import Effect
from falcon_balances.domain.operations import (
    PSP_STAGES,
)
from falcon_balances.domain.parts import CountablePart, with_effect
from falcon_balances.domain.standing import (
    Standing,
    effect_of,
    standing_after,
)
from falcon_balances.domain.table_keys import (
    ItemKey,
    WindowKey,
)
from falcon_balances.domain.table_writes import AddCounters, TableWrite

# TransactWriteItems takes at most 100 items and 4 MB; we stay at 3 MB.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
TRANSACTION_ITEMS_MAX: Final = 100
TRANSACTION_BYTES_MAX: Final = 3_000_000
_ITEM_BYTES: Final = (
    700  # keys, counters and names of an item besides a segment's lines, rounded up
)
# Both stages of an operation in 41 balances, three types in each, ids of 64 characters.
_STANDING_BYTES: Final = 25_000


def joined(
    parts: Iterable[CountablePart], seen: Mapping[ItemKey, Standing]
) -> tuple[list[CountablePart], list[TableWrite]]:
    """The parts with their effects on the joint figures, if they are counted in this order on the
    standings that were `seen`; and one write per standing, as it is after all parts.

    A part that is already counted does no harm: its mark stops the transaction.
    """
    now: dict[ItemKey, Standing] = {}
    counted = []
    for part in parts:
        change = part.change
        if change is None:
            counted.append(part)
            continue
        before = now.get(change.key) or seen.get(change.key)
        now[change.key] = standing_after(change, before)
        is_of_a_psp = change.stage in PSP_STAGES
        counted.append(_joined(part, effect_of(change, before)) if is_of_a_psp else part)
    return counted, [standing.written(seen.get(key)) for key, standing in now.items()]


def _joined(part: CountablePart, effect: Effect) -> CountablePart:
    additions = dict(part.additions)
    pk = part.mark.key.pk
    for balance, joint in effect.items():
        key = ItemKey(pk, balance.sk)
        counters = {**additions[key], **joint.counters()}
        additions[key] = additions[ItemKey(pk, WindowKey(part.window, balance).sk)] = counters
    mark = with_effect(part.mark, effect)
    return replace(part, mark=mark, additions=additions)


def transactions(parts: Iterable[CountablePart]) -> Iterator[list[CountablePart]]:
    """Groups of parts that each fit one transaction; additions to the same item are merged
    into one write.

    Parts are sorted by merchant, because parts of one merchant share items. The caller must remove
    repeated parts.
    """
    group: list[CountablePart] = []
    keys: set[ItemKey] = set()
    size = 0
    for part in sorted(parts, key=lambda part: part.mark.key.pk):
        touched = _touched(part)
        together = keys | touched
        more = _bytes_of(part) + (len(together) - len(keys)) * _ITEM_BYTES
        is_full = len(together) + len(group) + 1 > TRANSACTION_ITEMS_MAX
        if group and (is_full or size + more > TRANSACTION_BYTES_MAX):
            yield group
            group, size, together = [], 0, touched
            more = _bytes_of(part) + len(touched) * _ITEM_BYTES
        group.append(part)
        keys = together
        size += more
    if group:
        yield group


def _touched(part: CountablePart) -> set[ItemKey]:
    """All items that counting the part can write, except its mark."""
    touched = set(part.additions)
    if part.change is not None:
        touched.add(part.change.key)
    for each in part.sale_parts:
        touched.add(each.part.sale.item)
        if each.operation_item is not None:
            touched.add(each.operation_item)
    room = TRANSACTION_ITEMS_MAX - 1 - len(touched)
    return touched | set(part.block_keys[:room])


def blocks_with(part: CountablePart) -> tuple[ItemKey, ...]:
    """The blocks for which the part's transaction has room: with 24 balances, two may not fit."""
    return tuple(key for key in part.block_keys if key in _touched(part))


def _bytes_of(part: CountablePart) -> int:
    standing = 0 if part.change is None else _STANDING_BYTES
    effect = len(part.additions) * _ITEM_BYTES
    return _ITEM_BYTES + len(str(part.mark.attributes.get("lines", ""))) + standing + effect


def writes_of(
    group: Sequence[CountablePart], standings: Sequence[TableWrite] = ()
) -> list[TableWrite]:
    """The writes of one transaction: every mark, then every item once with its merged additions.

    `standings` are those of the group's operations.
    """
    merged: dict[ItemKey, dict[str, int]] = {}
    for part in group:
        for key, counters in part.additions.items():
            add_to(merged.setdefault(key, {}), counters)
    return [
        *(part.mark for part in group),
        *chain.from_iterable(part.block_writes for part in group),
        *standings,
        *(AddCounters(key, counters) for key, counters in merged.items()),
    ]
