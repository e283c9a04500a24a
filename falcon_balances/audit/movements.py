"""Finds what a merchant's balances consist of: their operations, the largest first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import Final

from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_lines import objects_in
from falcon_balances.audit.log_objects import LogSource, ObjectBatch, Selection
from falcon_balances.audit.replay import Replayed, known_batches, replay_into
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.standings import OperationNets, Standings
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.available import agreement
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import PSP_STAGES, BalanceOperation, OperationType, Stage

# The explained figures: the money that can be spent, and the money that only one side has reported.
FIGURES: Final = ("available", "pending", "unapplied", "debits_unconfirmed", "debits_untraced")


@dataclass(slots=True)
class BalanceMovement:
    """The contribution of one operation, with all its stages, to one figure of one balance.

    Amounts are in minor units, signed. `confirmed` and `reconciled` are the nets of its stages,
    zero for a missing stage. Objects are those of this merchant; `date` is the earliest.
    """

    falcon_operation_id: str
    minor: int
    confirmed: int = 0
    reconciled: int = 0
    date: str = ""
    external_reference: str = ""
    stages: list[Stage] = field(default_factory=list)
    types: list[OperationType] = field(default_factory=list)
    log_keys: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Composition:
    """The largest movements of a figure, and the number of others; `minor` is the sum of all."""

    minor: int
    largest: Sequence[BalanceMovement]
    others: int

    @property
    def remainder(self) -> int:
        """The sum of the other movements."""
        return self.minor - sum(each.minor for each in self.largest)


@dataclass(frozen=True, slots=True)
class ExplainedBalance:
    """A balance from the log, so before blocks; `figures` has the names in FIGURES."""

    balance: Balance
    figures: Mapping[str, Composition]


@dataclass(frozen=True, slots=True)
class Explained:
    """The explanation of a merchant's balances. `objects` and `lines` are the numbers read;
    `balances` is empty if all lines are later.
    """

    balances: Sequence[ExplainedBalance]
    objects: int
    lines: int
    findings: Sequence[LogFinding]


def explain(
    source: LogSource,
    merchant_id: str,
    before: str | None,
    largest: int,
    advance: Callable[[int], None] = lambda _objects: None,
) -> Explained:
    """Each balance of the merchant with its `largest` movements, from lines dated `before`.

    Reads the log twice: to join the stages, and for details of the largest movements. Memory is
    that of a replay, plus these movements.
    """
    selection = Selection(merchant_id=merchant_id)
    found: dict[tuple[BalanceId, str], _Largest] = {}
    with Standings() as standings:
        replayed = replay_into(standings, source, selection, before, advance)
        for standing in standings.standings():
            for figure, movement in _movements(standing):
                found.setdefault((standing.balance, figure), _Largest(largest)).add(movement)
    telling = _Telling(found, replayed, before)
    for batch in known_batches(source, selection, []):
        telling.read(batch)
    for (balance, figure), movement in telling.direct():
        found.setdefault((balance, figure), _Largest(largest)).add(movement)
    balances = balances_of(replayed.sums, replayed.agreements)
    return Explained(
        [
            ExplainedBalance(each, _compositions(name, each, found))
            for name, each in balances.items()
        ],
        replayed.objects,
        replayed.lines,
        replayed.findings,
    )


def _movements(standing: OperationNets) -> Iterator[tuple[str, BalanceMovement]]:
    agreed = agreement(standing.confirmed, standing.reconciled)
    for figure, minor in zip(FIGURES, agreed, strict=True):
        if minor:
            yield (
                figure,
                BalanceMovement(
                    standing.falcon_operation_id, minor, standing.confirmed, standing.reconciled
                ),
            )


class _Largest:
    """The largest movements of one figure; smaller ones are only counted."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: list[BalanceMovement] = []
        self.movements = 0

    def add(self, movement: BalanceMovement) -> None:
        self.movements += 1
        self._held.append(movement)
        if len(self._held) > 2 * self._most:
            self._held = self.held()

    def held(self) -> list[BalanceMovement]:
        """The largest first; movements of equal size by id, so the order is always the same."""
        return nsmallest(self._most, self._held, key=_by_size)


def _by_size(movement: BalanceMovement) -> tuple[int, str]:
    return -abs(movement.minor), movement.falcon_operation_id


def _compositions(
    name: BalanceId, balance: Balance, found: Mapping[tuple[BalanceId, str], _Largest]
) -> dict[str, Composition]:
    nothing = _Largest(0)
    compositions = {}
    for figure in FIGURES:
        largest = found.get((name, figure), nothing)
        held = largest.held()
        others = largest.movements - len(held)
        compositions[figure] = Composition(getattr(balance, figure), held, others)
    return compositions


class _Telling:
    """Reads details of the largest movements, and payouts and adjustments, from the log."""

    def __init__(
        self,
        found: Mapping[tuple[BalanceId, str], _Largest],
        replayed: Replayed,
        before: str | None,
    ) -> None:
        self._before = before
        self._left_out = replayed.left_out
        self._asked: dict[tuple[str, BalanceId], list[BalanceMovement]] = {}
        self._direct: list[tuple[tuple[BalanceId, str], BalanceMovement]] = []
        for (balance, _), largest in found.items():
            for each in largest.held():
                self._asked.setdefault((each.falcon_operation_id, balance), []).append(each)
        self._ids = {operation_id for operation_id, _ in self._asked}

    def read(self, batch: ObjectBatch) -> None:
        is_direct = batch.partition.stage not in PSP_STAGES
        for key, body in objects_in([batch]):
            name = key.rpartition("/")[2]
            if is_direct or name[: name.index(".")] in self._ids:
                self._tell(key, body)

    def direct(self) -> Iterable[tuple[tuple[BalanceId, str], BalanceMovement]]:
        """The changes of `available` by payouts and adjustments."""
        return self._direct

    def _tell(self, key: str, body: bytes) -> None:
        try:
            segment = read_strictly(key, body)
        except FlawedObjectError:
            return
        for number, line in enumerate(segment.lines, start=2):
            if (key, number) in self._left_out or not self._is_before(line):
                continue
            balance = BalanceId(segment.merchant_id, line.balance_shop_id, line.currency.code)
            if segment.stage not in PSP_STAGES:
                movement = BalanceMovement(line.falcon_operation_id, line.amount.minor)
                self._direct.append(((balance, "available"), movement))
                _say(movement, segment.stage, line, key)
            for movement in self._asked.get((line.falcon_operation_id, balance), ()):
                _say(movement, segment.stage, line, key)

    def _is_before(self, line: BalanceOperation) -> bool:
        return self._before is None or rfc3339(line.operation_date) < self._before


def _say(movement: BalanceMovement, stage: Stage, line: BalanceOperation, key: str) -> None:
    date = rfc3339(line.operation_date)
    movement.date = min(movement.date or date, date)
    movement.external_reference = line.external_reference
    movement.stages = [*dict.fromkeys((*movement.stages, stage))]
    movement.types = [*dict.fromkeys((*movement.types, line.type))]
    movement.log_keys = [*dict.fromkeys((*movement.log_keys, key))]
