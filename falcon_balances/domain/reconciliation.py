"""Reconciliation: compares bank statements with the log.

Both sides are matched by reference. An amount has the sign of the company's account: incoming money
is positive on both sides. Nothing is matched by similarity: another reference is another operation.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from falcon_balances.domain.bank_statement_lines import BankStatementLine, Period
from falcon_balances.domain.operations import PSP_TYPES, OperationType, Segment, Stage

# The types that move money at a bank; fees and adjustments do not.
SETTLED_TYPES: Final = PSP_TYPES | {OperationType.WITHDRAWAL, OperationType.WITHDRAWAL_REVERSAL}


class LoggedOperation(NamedTuple):
    """One operation in one stage, as the log has it: the sum over all its merchants, without fees.

    `merchant_id`: only for payouts and returns, whose ids are unique per merchant only.
    """

    reference: str
    psp_id: str
    minor: int
    currency: str
    day: date
    falcon_operation_id: str
    stage: Stage
    merchant_id: str = ""


class Discrepancy(StrEnum):
    OURS_ONLY = "ours_only"
    THEIRS_ONLY = "theirs_only"
    DIFFERENT_AMOUNT = "different_amount"
    DIFFERENT_SIGN = "different_sign"
    DIFFERENT_CURRENCY = "different_currency"
    DIFFERENT_DATE = "different_date"


@dataclass(frozen=True, slots=True)
class UnmatchedItem:
    """A difference: an item that only one side has, or that the two sides have differently."""

    difference: Discrepancy
    ours: LoggedOperation | None
    theirs: BankStatementLine | None

    @property
    def currency(self) -> str:
        return self._first.currency

    @property
    def since(self) -> date:
        return min(each.day for each in (self.ours, self.theirs) if each is not None)

    @property
    def minor(self) -> int:
        """Our amount less theirs, if both have one currency."""
        ours = 0 if self.ours is None else self.ours.minor
        return ours - sum(
            each.minor for each in (self.theirs,) if each and each.currency == self.currency
        )

    @property
    def reference(self) -> str:
        if self.ours is not None:
            return self.ours.reference
        assert self.theirs is not None  # noqa: S101 - one side is there
        return next(iter(self.theirs.references), "")

    @property
    def _first(self) -> LoggedOperation | BankStatementLine:
        first = self.ours or self.theirs
        assert first is not None  # noqa: S101 - one side is there
        return first

    def is_overdue(self, today: date, days: int) -> bool:
        """Whether the item is overdue: after `days` days if only one side has it, else at once."""
        may_come = self.difference in (Discrepancy.OURS_ONLY, Discrepancy.THEIRS_ONLY)
        return not may_come or (today - self.since).days > days


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The result. `matched`: lines of bank statements; `sums`: their totals by currency."""

    matched: int
    sums: Mapping[str, int]
    open: Sequence[UnmatchedItem]


def logged_operations(segments: Iterable[Segment]) -> list[LoggedOperation]:
    """The log's operations, in no order; one can have lines in the objects of several merchants."""
    found: dict[tuple[str, str, str], LoggedOperation] = {}
    for segment in segments:
        for line in segment.lines:
            if line.type in SETTLED_TYPES:
                code = line.amount.currency.code
                key = (line.falcon_operation_id, segment.stage, code)
                known = found.get(key)
                found[key] = LoggedOperation(
                    line.external_reference,
                    line.psp_id,
                    line.amount.minor + (0 if known is None else known.minor),
                    code,
                    line.operation_date.date(),
                    line.falcon_operation_id,
                    segment.stage,
                    segment.merchant_id if segment.stage is Stage.PAYOUT else "",
                )
    return list(found.values())


def reconcile(
    ours: Iterable[LoggedOperation], theirs: Iterable[BankStatementLine], period: Period, days: int
) -> Reconciliation:
    """Matches items with the same reference, amount and currency, and dates at most `days` apart.

    The statements must show a logged operation if its day lies in the period and its amount is not
    zero (a revision can reduce it to zero). Other logged operations may match. Neither the order of
    the lines nor that of the operations matters.
    """
    groups = _Groups(ours)
    for line in theirs:
        groups.add(line)
    pairs: list[BankStatementLine] = []
    open_items: list[UnmatchedItem] = []
    for group in groups:
        matched, left = _match(group, days)
        pairs += matched
        open_items += left
    expected = [
        each
        for each in open_items
        if each.difference is not Discrepancy.OURS_ONLY
        or (each.ours and each.ours.minor and period.has(each.ours.day))
    ]
    sums: dict[str, int] = defaultdict(int)
    for line in pairs:
        sums[line.currency] += line.minor
    return Reconciliation(len(pairs), dict(sorted(sums.items())), sorted(expected, key=_order))


def _order(item: UnmatchedItem) -> tuple[object, ...]:
    return (item.since, item.reference, item.difference, item.currency, item.minor, _place(item))


def _place(item: UnmatchedItem) -> str:
    return "" if item.theirs is None else item.theirs.place


class _Group(NamedTuple):
    """The lines and operations of one reference."""

    ours: Sequence[LoggedOperation]
    theirs: Sequence[BankStatementLine]


class _Groups:
    """Both sides by reference, and by PSP or a payout's merchant if a line names it."""

    def __init__(self, ours: Iterable[LoggedOperation]) -> None:
        self._ours: dict[str, list[LoggedOperation]] = defaultdict(list)
        self._theirs: dict[str, list[BankStatementLine]] = defaultdict(list)
        for each in ours:
            self._ours[each.reference].append(each)

    def add(self, line: BankStatementLine) -> None:
        known = (each for each in line.references if each in self._ours)
        self._theirs[next(known, next(iter(line.references), ""))].append(line)

    def __iter__(self) -> Iterator[_Group]:
        for reference in self._ours.keys() | self._theirs.keys():
            group = _Group(self._ours.get(reference, ()), self._theirs.get(reference, ()))
            for of_psp in _by_name(group, lambda side: side.psp_id):
                if any(each.merchant_id for each in of_psp.ours):
                    yield from _by_name(of_psp, lambda side: side.merchant_id)
                else:
                    yield of_psp


def _by_name(group: _Group, name: "Callable[[OursOrTheirs], str | None]") -> Iterator[_Group]:
    """Compares lines that name a PSP or merchant with its operations, other lines with the rest."""
    named = {said for line in group.theirs if (said := name(line)) is not None}
    for each in named:
        yield _Group(
            [side for side in group.ours if name(side) == each],
            [line for line in group.theirs if name(line) == each],
        )
    yield _Group(
        [side for side in group.ours if name(side) not in named],
        [line for line in group.theirs if name(line) is None],
    )


def _match(group: _Group, days: int) -> tuple[list[BankStatementLine], list[UnmatchedItem]]:
    """The matched lines and the open items."""
    matched, rest = _equal(group, days)
    if _adds_up(rest, days):
        return [*matched, *rest.theirs], []
    open_items: list[UnmatchedItem] = []
    for difference, key in _LIKENESS:
        pairs, rest = _paired(rest, key)
        open_items += [UnmatchedItem(difference, *pair) for pair in pairs]
    open_items += [UnmatchedItem(Discrepancy.OURS_ONLY, each, None) for each in rest.ours]
    open_items += [UnmatchedItem(Discrepancy.THEIRS_ONLY, None, line) for line in rest.theirs]
    return matched, open_items


def _equal(group: _Group, days: int) -> tuple[list[BankStatementLine], _Group]:
    """The lines with an operation of the same currency and amount and a near date; and all other
    lines and operations.
    """
    matched: list[BankStatementLine] = []
    ours_left: list[LoggedOperation] = []
    theirs_left: list[BankStatementLine] = []
    for ours, theirs in _by_key(group, _amount):
        waiting = deque(ours)
        for line in theirs:
            while waiting and (line.day - waiting[0].day).days > days:
                ours_left.append(waiting.popleft())
            if waiting and (waiting[0].day - line.day).days <= days:
                waiting.popleft()
                matched.append(line)
            else:
                theirs_left.append(line)
        ours_left += waiting
    return matched, _Group(ours_left, theirs_left)


def _adds_up(group: _Group, days: int) -> bool:
    """Whether one side has a single item, which is the sum of the other side's items; all items
    must have one currency and one sign.
    """
    both: list[OursOrTheirs] = [*group.ours, *group.theirs]
    if not group.ours or not group.theirs or min(len(group.ours), len(group.theirs)) > 1:
        return False
    dates = [each.day for each in both]
    return (
        len({_direction(each) for each in both}) == 1
        and len({each.merchant_id for each in group.ours}) == 1
        and (max(dates) - min(dates)).days <= days
        and sum(each.minor for each in group.ours) == sum(line.minor for line in group.theirs)
    )


OursOrTheirs = LoggedOperation | BankStatementLine
Key = Callable[[OursOrTheirs], Hashable]


def _amount(side: OursOrTheirs) -> Hashable:
    return side.currency, side.minor


def _direction(side: OursOrTheirs) -> Hashable:
    return side.currency, _sign(side)


def _sign(side: OursOrTheirs) -> int:
    return (side.minor > 0) - (side.minor < 0)


# Items with the same reference are paired if one of these properties is equal, in this order.
_LIKENESS: Final[Sequence[tuple[Discrepancy, Key]]] = (
    (Discrepancy.DIFFERENT_DATE, _amount),
    (Discrepancy.DIFFERENT_SIGN, lambda side: (side.currency, abs(side.minor))),
    (Discrepancy.DIFFERENT_AMOUNT, _direction),
    (Discrepancy.DIFFERENT_CURRENCY, _sign),
)


def _paired(
    group: _Group, key: Key
) -> tuple[list[tuple[LoggedOperation, BankStatementLine]], _Group]:
    pairs: list[tuple[LoggedOperation, BankStatementLine]] = []
    ours_left: list[LoggedOperation] = []
    theirs_left: list[BankStatementLine] = []
    for ours, theirs in _by_key(group, key):
        pairs += zip(ours, theirs, strict=False)
        ours_left += ours[len(theirs) :]
        theirs_left += theirs[len(ours) :]
    return pairs, _Group(ours_left, theirs_left)


def _by_key(group: _Group, key: Key) -> Iterator[_Group]:
    """The items of both sides by key, sorted by day."""
    ours: dict[Hashable, list[LoggedOperation]] = defaultdict(list)
    theirs: dict[Hashable, list[BankStatementLine]] = defaultdict(list)
    for each in sorted(group.ours, key=lambda side: (side.day, side)):
        ours[key(each)].append(each)
    for line in sorted(group.theirs, key=lambda side: (side.day, side.minor, side.place)):
        theirs[key(line)].append(line)
    for alike in ours.keys() | theirs.keys():
        yield _Group(ours.get(alike, ()), theirs.get(alike, ()))
