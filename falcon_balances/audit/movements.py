"""What a merchant's balances consist of: the operations that moved them, the largest first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.balances import BalanceId, balances_of
from falcon_balances.audit.extracts import tables_with_objects
from falcon_balances.audit.lines import Words, amounts, column, hashes_of, uuids
from falcon_balances.audit.log_objects import LogSource, ObjectBatch, Selection
from falcon_balances.audit.repeats import SeenHashes
from falcon_balances.audit.replay import (
    Finding,
    Sum,
    SumKey,
    objects_in,
    repeats_in,
    repetition,
)
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.counting import add_to, counters_of_sum
from falcon_balances.domain.operations import OperationType, Stage

# What is taken apart: what can be spent, and what is awaited.
FIGURES: Final = ("available", "pending")
_COLUMNS: Final = (
    *("stage", "falcon_operation_id", "operation_date", "uuid", "type"),
    *("balance_shop_id", "currency", "external_reference"),
)


class BalanceMovement(NamedTuple):
    """What one operation in one stage did to one figure of one balance, in minor units, signed.

    A segment is one object of the log, so `log_key` holds all of it.
    """

    minor: int
    date: str
    stage: Stage
    types: tuple[OperationType, ...]
    external_reference: str
    falcon_operation_id: str
    log_key: str


@dataclass(frozen=True, slots=True)
class Composition:
    """The largest movements of a figure, and how many others there are; `minor` is all together."""

    minor: int
    largest: Sequence[BalanceMovement]
    others: int

    @property
    def remainder(self) -> int:
        """What the others add up to."""
        return self.minor - sum(each.minor for each in self.largest)


@dataclass(frozen=True, slots=True)
class ExplainedBalance:
    """`balance.available` is before blocks. `figures` by the names in FIGURES."""

    balance: Balance
    figures: Mapping[str, Composition]


@dataclass(frozen=True, slots=True)
class Explained:
    """`objects` and `lines` tell what was read; empty `balances` where no line is dated before."""

    balances: Sequence[ExplainedBalance]
    objects: int
    lines: int
    findings: Sequence[Finding]


def explain(
    source: LogSource,
    merchant_id: str,
    before: str | None,
    largest: int,
    advance: Callable[[int], None] = lambda _objects: None,
) -> Explained:
    """Each balance of the merchant, and its `largest` movements dated `before` that instant.

    In one pass, and in memory for no more than the largest; a log with repeated lines is read again
    to tell which of them counts: the first by key and line.
    """
    selection = Selection(merchant_id=merchant_id)
    findings: list[Finding] = []
    with SeenHashes() as seen:
        fold = _Fold(merchant_id, before, largest)
        for table, objects in tables_with_objects(source, selection, findings, advance):
            seen.add(_hashes(table, before))
            fold.add(table, objects)
        repeated = seen.repeated()
    if repeated:
        counting: dict[str, str] = {}
        for lines in repeats_in(source, selection, before, repeated):
            first, *others = sorted(lines)
            counting[first.uuid] = first.key
            findings += [repetition(first, each) for each in others]
        fold = _Fold(merchant_id, before, largest, counting)
        for table, objects in tables_with_objects(source, selection, [], advance):
            fold.add(table, objects)
    return Explained(fold.balances(), fold.objects, fold.lines, sorted(findings))


def _hashes(table: pa.Table, before: str | None) -> Words:
    """Of the lines' uuids, where they are dated before."""
    hashes = hashes_of(uuids(column(table, "uuid")))
    if before is None:
        return hashes
    dated: Words = hashes[pc.less(table.column("operation_date"), before).to_numpy()]
    return dated


class _Line(NamedTuple):
    log_key: str
    stage: str
    falcon_operation_id: str
    operation_date: str
    uuid: str
    type: str
    balance_shop_id: str
    currency: str
    external_reference: str
    minor: int


def _lines_of(table: pa.Table, objects: Sequence[ObjectBatch]) -> Iterator[_Line]:
    # The header ends a line as well.
    keys = (key for key, body in objects_in(objects) for _ in range(body.count(b"\n") - 1))
    columns = [column(table, name).to_pylist() for name in _COLUMNS]
    minor, _ = amounts(column(table, "amount"))
    return map(_Line, keys, *columns, minor.tolist())


@dataclass(slots=True)
class _Largest:
    """Of one figure. What is smaller than those held is only counted."""

    movements: int = 0
    held: list[BalanceMovement] = field(default_factory=list)

    def add(self, new: list[BalanceMovement], largest: int) -> None:
        self.movements += len(new)
        self.held = nsmallest(largest, [*self.held, *new], key=_by_size)


def _by_size(movement: BalanceMovement) -> tuple[int, str, str]:
    """The largest first; of equals the oldest, so that the order is the same every time."""
    return -abs(movement.minor), movement.date, movement.log_key


class _Fold:
    """`counting`: where a uuid that comes more than once counts, by key, and there once."""

    def __init__(
        self,
        merchant_id: str,
        before: str | None,
        largest: int,
        counting: Mapping[str, str] | None = None,
    ) -> None:
        self._merchant_id = merchant_id
        self._before = before
        self._most = largest
        self._counting = counting or {}
        self._counted: set[str] = set()
        self._sums: dict[SumKey, Sum] = {}
        self._largest: dict[tuple[BalanceId, str], _Largest] = {}
        self.objects = self.lines = 0

    def add(self, table: pa.Table, objects: Sequence[ObjectBatch]) -> None:
        moved: dict[tuple[BalanceId, str], list[BalanceMovement]] = {}
        for _, lines in groupby(_lines_of(table, objects), attrgetter("log_key")):
            self.objects += 1
            counting = [each for each in lines if self._counts(each)]
            for balance, own in _by_balance(self._merchant_id, counting).items():
                for figure, movement in self._movements(balance, own):
                    moved.setdefault((balance, figure), []).append(movement)
        for name, movements in moved.items():
            self._largest.setdefault(name, _Largest()).add(movements, self._most)

    def balances(self) -> list[ExplainedBalance]:
        nothing = _Largest()
        explained = []
        for balance_id, balance in balances_of(self._sums).items():
            figures = {}
            for name in FIGURES:
                found = self._largest.get((balance_id, name), nothing)
                others = found.movements - len(found.held)
                figures[name] = Composition(getattr(balance, name), found.held, others)
            explained.append(ExplainedBalance(balance, figures))
        return explained

    def _counts(self, line: _Line) -> bool:
        if self._before is not None and line.operation_date >= self._before:
            return False
        if line.uuid in self._counting:
            if line.log_key != self._counting[line.uuid] or line.uuid in self._counted:
                return False
            self._counted.add(line.uuid)
        return True

    def _movements(
        self, balance: BalanceId, lines: Sequence[_Line]
    ) -> Iterator[tuple[str, BalanceMovement]]:
        """Of one segment in one balance, the figures that it changed."""
        first = lines[0]
        stage = Stage(first.stage)
        counters: dict[str, int] = {}
        for line in lines:
            kind = OperationType(line.type)
            add_to(counters, counters_of_sum(stage, kind, line.minor, 1))
            name = SumKey(*balance, stage, kind)
            before = self._sums.get(name, Sum(0, 0))
            self._sums[name] = Sum(before.minor + line.minor, before.lines + 1)
        self.lines += len(lines)
        types = tuple(OperationType(each) for each in dict.fromkeys(line.type for line in lines))
        for figure in FIGURES:
            if minor := counters.get(figure, 0):
                yield (
                    figure,
                    BalanceMovement(
                        minor,
                        first.operation_date,
                        stage,
                        types,
                        first.external_reference,
                        first.falcon_operation_id,
                        first.log_key,
                    ),
                )


def _by_balance(merchant_id: str, lines: Iterable[_Line]) -> dict[BalanceId, list[_Line]]:
    found: dict[BalanceId, list[_Line]] = {}
    for line in lines:
        balance = BalanceId(merchant_id, line.balance_shop_id, line.currency)
        found.setdefault(balance, []).append(line)
    return found
