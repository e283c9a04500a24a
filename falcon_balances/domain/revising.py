"""Revisions (design §4): the lines that turn the previous truth about an operation into the new
one.

Truth k is what the operation amounts to in its stage by revision k. The written lines are truth k
less truth k-1, so that all lines of all revisions add up to the last truth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import (
    BalanceOperation,
    OperationType,
    Segment,
    Stage,
    staged,
)


@dataclass(frozen=True, slots=True)
class MerchantTruth:
    """An operation's lines for one merchant, in the event's order; amounts can be sums."""

    merchant_id: str
    context_version: str
    lines: tuple[BalanceOperation, ...]


Truth = Sequence[MerchantTruth]


class _LineKey(NamedTuple):
    """Lines with the same key are summed to one line of a revision (design §4)."""

    balance_shop_id: str
    type: OperationType
    local_merchant_id: str
    shop_id: str
    currency: str
    original_reference: str
    bank_reference: str

    @classmethod
    def of(cls, line: BalanceOperation) -> "_LineKey":
        return cls(
            line.balance_shop_id,
            line.type,
            line.local_merchant_id,
            line.shop_id,
            line.currency.code,
            line.original_reference,
            line.bank_reference,
        )


def truth_of(segments: Iterable[Segment]) -> Truth:
    """The truth as the splitter made it from the event."""
    return [MerchantTruth(each.merchant_id, each.context_version, each.lines) for each in segments]


@dataclass(frozen=True, slots=True)
class Revision:
    """The revision of an operation; `revised_at` is the date of its lines."""

    falcon_operation_id: str
    stage: Stage
    number: int
    revised_at: datetime


def revise(revision: Revision, old: Truth, new: Truth) -> tuple[Segment, ...]:
    """The new truth less the old one, by merchant; empty if nothing changes.

    The lines have the order of the new truth; lines that only the old truth had come last. Zero
    amounts are left out.
    """
    merchants = {each.merchant_id: each for each in (*old, *new)}
    before, after = _lines_of(old), _lines_of(new)
    changes = {
        merchant_id: lines
        for merchant_id in sorted(merchants)
        if (lines := _changes(before.get(merchant_id, ()), after.get(merchant_id, ())))
    }
    return tuple(
        Segment(
            stage=revision.stage,
            merchant_id=merchant_id,
            part=part,
            parts=len(changes),
            lines=_numbered(revision, merchant_id, lines),
            context_version=merchants[merchant_id].context_version,
            revision=revision.number,
        )
        for part, (merchant_id, lines) in enumerate(changes.items(), start=1)
    )


def _lines_of(truth: Truth) -> Mapping[str, Sequence[BalanceOperation]]:
    return {each.merchant_id: each.lines for each in truth}


def _changes(
    old: Sequence[BalanceOperation], new: Sequence[BalanceOperation]
) -> list[BalanceOperation]:
    before, after = _summed(old), _summed(new)
    changed = []
    for key in dict.fromkeys((*after, *before)):
        like = after.get(key) or before[key]
        minor = _minor(after, key) - _minor(before, key)
        if minor:
            changed.append(replace(like, amount=Money(minor, like.currency)))
    return changed


def _summed(lines: Sequence[BalanceOperation]) -> dict[_LineKey, BalanceOperation]:
    """One line per key, at the place of its first line."""
    summed: dict[_LineKey, BalanceOperation] = {}
    for line in lines:
        key = _LineKey.of(line)
        total = _minor(summed, key) + line.amount.minor
        summed[key] = replace(line, amount=Money(total, line.currency))
    return summed


def _minor(lines: Mapping[_LineKey, BalanceOperation], key: _LineKey) -> int:
    line = lines.get(key)
    return 0 if line is None else line.amount.minor


def _numbered(
    revision: Revision, merchant_id: str, lines: Sequence[BalanceOperation]
) -> tuple[BalanceOperation, ...]:
    numbers: dict[tuple[str, OperationType], int] = {}
    numbered = []
    for line in lines:
        kind = (line.balance_shop_id, line.type)
        n = numbers.get(kind, 0)
        numbers[kind] = n + 1
        uuid = balance_operation_uuid(
            revision.falcon_operation_id,
            staged(revision.stage, revision.number),
            merchant_id,
            *kind,
            n,
        )
        numbered.append(replace(line, uuid=uuid, operation_date=revision.revised_at))
    return tuple(numbered)
