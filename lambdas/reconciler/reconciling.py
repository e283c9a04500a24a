"""One run: reads what is new in bank statements and journals, and reports what is open.

Everything that a run writes follows from what it read, and the comparisons name all of it: they are
written last, once, under the next number. So runs may crash, repeat and overlap.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from falcon_balances.adapters.bank_statements import BankStatementFile
from falcon_balances.adapters.comparison_ports import BankStatements, ComparisonFiles
from falcon_balances.adapters.journal_legs import pages_between
from falcon_balances.adapters.journal_ports import JournalEnds, JournalPages
from falcon_balances.contracts.bank_statement_lines import InvalidBankStatementError
from falcon_balances.contracts.bank_statements import BANK_STATEMENT_BYTES_MAX, read_bank_statement
from falcon_balances.contracts.comparison_files import read_comparisons, write_comparisons
from falcon_balances.contracts.journal_pages import CountedObject, log_objects_in
from falcon_balances.domain.bank_statement_lines import BankStatementAccount, BankStatementLine
from falcon_balances.domain.cases import CaseLine, Member
from falcon_balances.domain.comparisons import (
    AccountComparison,
    ComparedBankStatement,
    Comparisons,
    Positions,
    foremost,
)
from falcon_balances.domain.log_format import counted_segment
from falcon_balances.domain.logged_operations import parts_of
from lambdas.reconciler.folding import fold, recall
from lambdas.reconciler.mornings import Arrived, Morning, bring_up_to_date, unread
from lambdas.reconciler.reports import document, found_open

_MEMBERS_AT_ONCE: Final = 100_000
_MEMBERS_UNWRITTEN: Final = 2_000_000


class ReconcilerPorts(NamedTuple):
    """`as_of`: the time of the newest complete cut."""

    as_of: Callable[[], datetime | None]
    ends: JournalEnds
    journal: JournalPages
    statements: BankStatements
    files: ComparisonFiles


@dataclass(slots=True)
class ReconcilerRun:
    """The result of a run. `invalid`: unreadable bank statements, and keys without an account.
    `is_done`: everything was compared, and all reports are written; if not, the next run goes on,
    and the numbers are those of the accounts in `reports`.
    """

    reports: list[str] = field(default_factory=list)
    matched: int = 0
    open: int = 0
    overdue: int = 0
    invalid: int = 0
    flawed: list[str] = field(default_factory=list)
    is_done: bool = False


def reconcile_new(
    ports: ReconcilerPorts, morning: Morning, has_time: Callable[[], bool]
) -> ReconcilerRun:
    """Compares what is new with what is open. An account with any bank statement is expected to
    show everything in the log until today.

    Reads each new page and each new statement once, about 100,000 operations and lines at a time,
    until nothing is left, or no time. What it read is kept by then, and at the latest every two
    million. Of two runs at the same time, one writes; the other one stops.
    """
    return _Run(ports, morning, has_time).run()


class _Run:
    def __init__(
        self, ports: ReconcilerPorts, morning: Morning, has_time: Callable[[], bool]
    ) -> None:
        self._ports = ports
        self._morning = morning
        self._has_time = has_time
        self._pending: dict[int, list[Member]] = {}
        self._unwritten = 0
        self._outdone = False

    def run(self) -> ReconcilerRun:
        as_of = self._ports.as_of()
        ends = {} if as_of is None else self._ports.ends.ends(as_of)
        last = self._ports.files.last()
        self._said = Comparisons() if last is None else read_comparisons(*last)
        arrived = Arrived.of(self._ports.statements.keys(self._morning.oldest))
        self._said.pass_day(self._morning.today, ends, self._morning.since)
        bring_up_to_date(self._said, arrived, self._morning)
        result = ReconcilerRun(invalid=arrived.invalid)
        result.is_done = self._report_all(arrived, ends, result)
        result.flawed = sorted(set(result.flawed))
        return ReconcilerRun() if self._outdone else result

    def _report_all(self, arrived: Arrived, ends: Positions, result: ReconcilerRun) -> bool:
        """Whether there was time for all accounts. Those that are furthest are first."""
        waiting = [each for each in self._said.accounts if self._is_wanted(each)]
        while waiting:
            group = foremost(waiting)
            if not (self._read_statements(group, arrived) and self._read_journals(group, ends)):
                self._keep()
                return False
            self._report(group, arrived, result)
            reported = {each.account for each in group}
            waiting = [each for each in waiting if each.account not in reported]
            if self._outdone or (waiting and not self._has_time()):
                return False
        if not self._said.accounts and not self._morning.only_unfinished:
            self._keep()
        return True

    def _is_wanted(self, said: AccountComparison) -> bool:
        is_reported = self._ports.statements.is_reported
        return not (
            self._morning.only_unfinished and is_reported(said.account, self._morning.today)
        )

    def _read_statements(self, group: Sequence[AccountComparison], arrived: Arrived) -> bool:
        """Whether all were read, and there is time left."""
        for said in group:
            for file in unread(said, arrived.recent(said.account, self._morning)):
                # No name for the lines: they are let go of piece by piece.
                self._add(said, self._read_statement(said, file))
                if not self._go_on():
                    return False
        return True

    def _read_statement(self, said: AccountComparison, file: BankStatementFile) -> list[Member]:
        lines: Sequence[BankStatementLine] = ()
        problems: Sequence[tuple[str, str]] = ()
        try:
            body = self._ports.statements.read(file.key, BANK_STATEMENT_BYTES_MAX)
            lines = read_bank_statement(file.key, body).lines
        except InvalidBankStatementError as error:
            problems = [(each.place, each.reason) for each in error.problems]
        statement = ComparedBankStatement(file.key, file.etag, file.day, problems)
        number = said.add_statement(statement)
        return [CaseLine(line, number) for line in lines]

    def _read_journals(self, group: Sequence[AccountComparison], ends: Positions) -> bool:
        """Whether everything up to `ends` was read."""
        stages = {each.account.stage for each in group}
        while (until := self._said.stop_after(group[0].positions, ends)) is not None:
            for name, body in pages_between(self._ports.journal, group[0].positions, until):
                for logged in log_objects_in(name, body, stages):
                    self._add_logged(group, logged)
                for each in group:
                    each.positions[name.shard_id] = name.position
                if not self._go_on():
                    return False
        return True

    def _add_logged(self, group: Sequence[AccountComparison], logged: CountedObject) -> None:
        try:
            parts = parts_of(counted_segment(logged.log_key, logged.body))
        except ValueError:
            for each in group:
                each.add_flawed(logged.log_key)
            return
        for each in group:
            self._add(each, [part for part in parts if each.concerns(part.operation)])

    def _add(self, said: AccountComparison, members: list[Member]) -> None:
        if id(said) in self._pending:
            self._pending[id(said)] += members
        else:
            self._pending[id(said)] = members
        self._unwritten += len(members)

    def _go_on(self) -> bool:
        """Folds what was read if it is much, and writes it if it is very much."""
        if sum(map(len, self._pending.values())) >= _MEMBERS_AT_ONCE:
            self._fold()
        if self._unwritten >= _MEMBERS_UNWRITTEN:
            self._keep()
        return not self._outdone and self._has_time()

    def _fold(self) -> None:
        for said in self._said.accounts:
            members = self._pending.pop(id(said), [])
            while members:
                some = members[-_MEMBERS_AT_ONCE:]
                del members[-_MEMBERS_AT_ONCE:]
                fold(said, some, self._ports.files, self._morning.today)

    def _settle_all(self) -> None:
        self._fold()
        for said in self._said.accounts:
            recall(said, self._ports.files, self._morning.today)

    def _keep(self) -> None:
        """Everything that these comparisons cover, and name, was written before."""
        self._settle_all()
        self._said.number += 1
        body = write_comparisons(self._said)
        self._outdone |= not self._ports.files.append(self._said.number, body)
        self._unwritten = 0

    def _report(
        self, group: Sequence[AccountComparison], arrived: Arrived, run: ReconcilerRun
    ) -> None:
        """Adds the accounts to `run`, and writes their reports after the comparisons."""
        self._settle_all()
        documents: list[tuple[BankStatementAccount, Mapping[str, Any]]] = []
        for said in group:
            period = arrived.period(said.account, self._morning)
            found = found_open(said, period)
            documents.append((said.account, document(said, found, period, self._morning.today)))
            run.matched += found.matched
            run.open += len(found.open)
            run.overdue += documents[-1][1]["overdue"]
            run.invalid += sum(bool(each.problems) for each in said.statements.values())
            run.flawed += said.flawed
        self._keep()
        if self._outdone:
            return
        today = self._morning.today
        run.reports += [
            self._ports.statements.report(account, today, each) for account, each in documents
        ]
