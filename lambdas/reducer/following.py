"""After a batch is counted: settles authorizations, and records findings.

A repeated batch repeats all of it, with the same result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from falcon_balances.adapters.authorizing import end_authorization, find_authorization
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.contracts.links import ContradictionV1, SettledV1
from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.counted_order import MarkKey
from falcon_balances.domain.known_findings import Contradiction
from falcon_balances.domain.operations import OperationType, Segment, Stage, main_line
from falcon_balances.domain.parts import CountablePart
from falcon_balances.domain.table_keys import AttemptKey, ItemKey, merchant_pk
from lambdas.reducer.looking import Looking


class Record(Protocol):
    """The part of a stream record that this module needs."""

    @property
    def arrived_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class First:
    """An event's first segment, with the links that the persister found."""

    segment: Segment
    settled: SettledV1 | None
    contradiction: ContradictionV1 | None
    record: Record

    @property
    def mark_key(self) -> ItemKey:
        sk = MarkKey(self.segment.falcon_operation_id, self.segment.staged).sk
        return ItemKey(merchant_pk(self.segment.merchant_id), sk)

    def said(self) -> Contradiction | None:
        if self.contradiction is None:
            return None
        main = main_line(self.segment.lines)
        operation = (main.falcon_operation_id, main.psp_id, main.external_reference)
        return self.contradiction.to_contradiction(*operation)


class CountedBatch(Protocol):
    """A batch that is counted."""

    @property
    def firsts(self) -> list[First]: ...
    @property
    def to_look_at(self) -> dict[ItemKey, datetime]: ...
    def counted(self) -> Iterator[tuple[CountablePart, datetime]]: ...
    def is_refused_at(self, mark_key: ItemKey) -> bool: ...


def follow_up(batch: CountedBatch, store: BalanceStore, wait: Callable[[float], object]) -> None:
    firsts = [each for each in batch.firsts if not batch.is_refused_at(each.mark_key)]
    for first in firsts:
        if first.settled is not None:
            _settle(first, first.settled, store, wait)
    looking = Looking(store, wait)
    looking.at_items(batch.to_look_at | _sales(batch))
    said = ((each.said(), each.record.arrived_at) for each in firsts)
    looking.at_contradictions((each, at) for each, at in said if each is not None)


def _settle(
    first: First, settled: SettledV1, store: BalanceStore, wait: Callable[[float], object]
) -> None:
    """Settles an authorization. Each segment ends its own merchant's blocks; the first segment also
    ends the blocks of merchants without a segment.
    """
    operation_id = first.segment.falcon_operation_id
    there = find_authorization(AttemptKey(operation_id, settled.attempt).item, store)
    if there is not None:
        end_authorization(
            there,
            BlockStatus.SETTLED,
            first.record.arrived_at,
            first.mark_key.sk,
            store,
            names=[each.to_name() for each in settled.blocks],
            wait=wait,
        )


def _sales(batch: CountedBatch) -> dict[ItemKey, datetime]:
    """The sales that the batch changed. A reconciled capture does not change its sale."""
    return {
        each.part.sale.item: arrived_at
        for part, arrived_at in batch.counted()
        for each in part.sale_parts
        if each.stage is Stage.CONFIRMED or each.part.type is not OperationType.CAPTURE
    }
