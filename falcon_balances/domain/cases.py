"""Cases: what a reconciliation compares together, so that it can go on from run to run.

A case has all operations and lines of an account that share references, directly or through a line
that has several. What a case comes to depends on its own members alone, in whatever order they
came, and a member that comes again changes nothing. So a run compares only cases with new members,
and everything else stays as it was found.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from falcon_balances.domain.bank_statement_lines import BankStatementLine
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.logged_operations import LoggedOperation, OperationPart, operations_of
from falcon_balances.domain.reconciliation import UnmatchedItem, compare

CaseKey = int
"""A reference by its hash, of 64 bits. Two references with one hash would share a case, and be
compared as apart as ever.
"""
_KEY_BYTES: Final = 8


# While a case is compared, its keys are asked for several times.
@lru_cache(maxsize=1 << 16)
def case_key(reference: str) -> CaseKey:
    return int.from_bytes(blake2b(reference.encode(), digest_size=_KEY_BYTES).digest())


class CaseLine(NamedTuple):
    """A line of the bank statement with this number, among those of its account."""

    line: BankStatementLine
    statement: int

    @property
    def keys(self) -> list[CaseKey]:
        return [case_key(each) for each in self.line.references or ("",)]


Member = OperationPart | CaseLine


def keys_of(member: Member) -> list[CaseKey]:
    if isinstance(member, CaseLine):
        return member.keys
    return [case_key(member.operation.reference)]


@dataclass(slots=True)
class Case:
    parts: dict[tuple[str, int, int, str], OperationPart] = field(default_factory=dict)
    lines: dict[str, CaseLine] = field(default_factory=dict)
    keys: set[CaseKey] = field(default_factory=set)

    def add(self, member: Member, keys: Iterable[CaseKey] | None = None) -> None:
        """`keys`: those of the member, if the caller has them already. Raises IntegrityError if the
        member came before with other contents.
        """
        self.keys.update(keys_of(member) if keys is None else keys)
        if isinstance(member, CaseLine):
            self.lines[member.line.place] = member
            return
        said = member.operation
        name = (said.falcon_operation_id, member.revision, member.part, said.currency)
        if self.parts.setdefault(name, member) != member:
            raise IntegrityError(
                f"{said.falcon_operation_id}: the journal has revision {member.revision}, part "
                f"{member.part} twice, with a difference"
            )

    def without_old(self, statements: Collection[int], since: date, days: int) -> "Case":
        """The case without members that are too old to be compared with any of the others.

        Old are lines of other statements than these, and operations of days before `since`. An old
        member stays if it is at most `days` older than one that is not old: they can match.
        """
        days_of = {each.falcon_operation_id: each.day for each in self.operations}
        is_live = {place: each.statement in statements for place, each in self.lines.items()}
        live = [day for day in days_of.values() if day >= since]
        live += [each.line.day for place, each in self.lines.items() if is_live[place]]
        first = min(live, default=date.min + timedelta(days=days)) - timedelta(days=days)
        kept = Case()
        for (operation_id, *_), part in self.parts.items():
            if days_of[operation_id] >= min(first, since):
                kept.add(part)
        for place, line in self.lines.items():
            if is_live[place] or line.line.day >= first:
                kept.add(line)
        return kept

    @property
    def members(self) -> Iterator[Member]:
        yield from self.parts.values()
        yield from self.lines.values()

    @property
    def operations(self) -> Sequence[LoggedOperation]:
        return operations_of(self.parts.values())


class Links:
    """Which references belong to one case, because a line has both. Keeps only those of lines with
    several references; a link that is not needed any more does no harm.
    """

    def __init__(self) -> None:
        self._parents: dict[CaseKey, CaseKey] = {}

    def link(self, keys: Collection[CaseKey]) -> None:
        if len(keys) > 1:
            roots = {self.root(key) for key in keys}
            first = min(roots)
            self._parents.update(dict.fromkeys(roots - {first}, first))

    def root(self, key: CaseKey) -> CaseKey:
        """The smallest of the linked keys. Each key that is passed is tied closer to it, so a chain
        of n links costs some n log n steps, not n².
        """
        parents = self._parents
        while (parent := parents.get(key)) is not None:
            if (next_one := parents.get(parent)) is not None:
                parents[key] = next_one
            key = parent
        return key


class Gathered:
    """The cases of the members that were added. The keys of each line with several must be linked
    before.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._cases: dict[CaseKey, Case] = {}

    def add(self, members: Iterable[Member]) -> None:
        for member in members:
            keys = keys_of(member)
            root = self._links.root(keys[0])
            if (case := self._cases.get(root)) is None:
                case = self._cases[root] = Case()
            case.add(member, keys)

    @property
    def cases(self) -> list[Case]:
        return list(self._cases.values())

    @property
    def keys(self) -> set[CaseKey]:
        return set().union(*(case.keys for case in self._cases.values()))


class ComparedCases(NamedTuple):
    """`settled`: every line matches, and every amount is shown. `open`: all others."""

    settled: Sequence[Case]
    open: Sequence[Case]


def compared(cases: Sequence[Case], days: int) -> ComparedCases:
    """No two cases may have a key in common."""
    _, items = differences(cases, days)
    keys = {case_key(each.reference) for each in items if _is_open(each)}
    settled: list[Case] = []
    open_cases: list[Case] = []
    for case in cases:
        (settled if keys.isdisjoint(case.keys) else open_cases).append(case)
    return ComparedCases(settled, open_cases)


def differences(
    cases: Iterable[Case], days: int
) -> tuple[list[BankStatementLine], list[UnmatchedItem]]:
    """As `compare`: the lines that match, and the differences."""
    ours: list[LoggedOperation] = []
    theirs: list[BankStatementLine] = []
    for case in cases:
        ours += case.operations
        theirs += [each.line for each in case.lines.values()]
    return compare(ours, theirs, days)


def _is_open(item: UnmatchedItem) -> bool:
    """An operation without an amount need not be shown on any day."""
    return item.theirs is not None or item.ours is None or item.ours.minor != 0


@dataclass(slots=True)
class Tally:
    """Lines that match: their number, and their amounts by currency."""

    lines: int = 0
    sums: dict[str, int] = field(default_factory=dict)

    def add(self, line: BankStatementLine, times: int = 1) -> None:
        self.lines += times
        self.sums[line.currency] = self.sums.get(line.currency, 0) + times * line.minor


def total(tallies: Iterable[Tally]) -> Tally:
    found = Tally()
    for each in tallies:
        found.lines += each.lines
        for code, minor in each.sums.items():
            found.sums[code] = found.sums.get(code, 0) + minor
    return found


def tally_settled(tallies: Mapping[int, Tally], cases: Iterable[Case], times: int = 1) -> None:
    """Adds the lines of settled cases to the tallies of their bank statements, which are by number;
    with `times` -1, takes them away. Statements without a tally are not compared any more.
    """
    for case in cases:
        for each in case.lines.values():
            if (tally := tallies.get(each.statement)) is not None:
                tally.add(each.line, times)
