"""Whatever came when, and whatever crashed: the same is open as if all were compared anew."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.contracts.comparison_files import read_comparisons, write_comparisons
from falcon_balances.contracts.reconciliation_report import report
from falcon_balances.domain.bank_statement_lines import (
    BankStatementAccount,
    BankStatementLine,
    Period,
)
from falcon_balances.domain.cases import CaseLine, Member
from falcon_balances.domain.comparisons import AccountComparison, ComparedBankStatement, Comparisons
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.domain.log_format import logged_segment
from falcon_balances.domain.logged_operations import (
    LoggedOperation,
    OperationPart,
    logged_operations,
    operations_of,
)
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.reconciliation import Reconciliation, reconcile
from falcon_balances.fakes.comparisons import MemoryBankStatements, MemoryComparisonFiles
from falcon_balances.fakes.interruptions import Crash, never
from falcon_balances.fakes.journal import MemoryJournal
from lambdas.reconciler.folding import fold, recall
from lambdas.reconciler.mornings import Morning
from lambdas.reconciler.reconciling import ReconcilerPorts, ReconcilerRun, reconcile_new
from lambdas.reconciler.reports import found_open
from tests.audit.sealed import objects
from tests.journals import SHARD, append, entry

DAYS: Final = 3
DAY: Final = date(2026, 10, 1)
TODAY: Final = date(2026, 11, 3)
PERIOD: Final = Period(DAY, TODAY)
ACCOUNT: Final = BankStatementAccount(Stage.RECONCILED)
REFERENCES: Final = ("a", "b", "c", "d")
minors = st.sampled_from((-200, -100, 100, 200, 300))
days = st.integers(0, 8).map(lambda n: DAY + timedelta(days=n))


@st.composite
def operation_parts(draw: st.DrawFn) -> list[OperationPart]:
    """Of a few operations, some in several parts and revisions; a revision may take all back."""
    parts: list[OperationPart] = []
    for n in range(draw(st.integers(0, 6))):
        said = LoggedOperation(
            draw(st.sampled_from(REFERENCES)), draw(st.sampled_from(("psp-1", "psp-2"))), 0,
            draw(st.sampled_from(("EUR", "JPY"))), draw(days), f"operation-{n}", Stage.RECONCILED,
        )  # fmt: skip
        for revision in range(1, 1 + draw(st.integers(1, 3))):
            minor = draw(minors)
            later = said.day + timedelta(days=2 * (revision - 1))
            parts.append(OperationPart(said._replace(minor=minor, day=later), revision))
    return parts


@st.composite
def case_lines(draw: st.DrawFn) -> list[CaseLine]:
    names = st.sampled_from((None, "psp-1", "psp-2"))
    references = st.lists(st.sampled_from(REFERENCES), max_size=3, unique=True).map(tuple)
    lines: list[CaseLine] = []
    for n in range(draw(st.integers(0, 8))):
        statement = draw(st.integers(1, 2))
        line = BankStatementLine(
            f"statement-{statement}:{n}", draw(references), draw(names), draw(minors),
            draw(st.sampled_from(("EUR", "JPY"))), draw(days),
        )  # fmt: skip
        lines.append(CaseLine(line, statement))
    return lines


def begun() -> AccountComparison:
    said = AccountComparison(ACCOUNT, DAY - timedelta(days=DAYS), DAYS, {})
    for n in (1, 2):
        said.add_statement(ComparedBankStatement(f"statement-{n}", "etag", TODAY))
    return said


def kept(said: AccountComparison) -> AccountComparison:
    """As the next run reads it."""
    return read_comparisons("name", write_comparisons(Comparisons(1, {}, [said]))).accounts[0]


def shown(found: Reconciliation) -> Any:
    """Sums of nothing are left out: whether nothing matched, or what adds up to nothing."""
    said = json.loads(json.dumps(report(found, TODAY, DAYS)))
    said["matched_amounts"] = {code: n for code, n in found.sums.items() if n}
    return said


@given(operation_parts(), case_lines(), st.data())
@settings(max_examples=300, deadline=None)
def test_any_order_in_any_pieces_with_repeats_is_as_everything_at_once(parts, lines, data):
    members: list[Member] = [*parts, *lines]
    repeats = data.draw(st.lists(st.sampled_from(members), max_size=4)) if members else []
    shuffled = data.draw(st.permutations([*members, *repeats]))
    files, said = MemoryComparisonFiles(), begun()
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        fold(said, shuffled[:size], files, TODAY)
        shuffled = shuffled[size:]
        if not shuffled or data.draw(st.booleans()):
            recall(said, files, TODAY)
            said = kept(said)
    expected = reconcile(operations_of(parts), [each.line for each in lines], PERIOD, DAYS)
    assert shown(found_open(said, PERIOD)) == shown(expected)


def part(minor: int, revision: int = 1, reference: str = "a") -> OperationPart:
    said = LoggedOperation(reference, "psp-1", minor, "EUR", DAY, "operation", Stage.RECONCILED)
    return OperationPart(said, revision)


def line(n: int, minor: int, *references: str) -> CaseLine:
    named = references or ("a",)
    return CaseLine(BankStatementLine(f"statement-1:{n}", named, None, minor, "EUR", DAY), 1)


def folded(*pieces: Sequence[Member]) -> AccountComparison:
    files, said = MemoryComparisonFiles(), begun()
    for piece in pieces:
        fold(said, piece, files, TODAY)
        recall(said, files, TODAY)
    return said


def test_a_case_that_settles_is_open_under_none_of_its_references():
    said = folded([line(1, 100, "a", "b")], [part(100, reference="b")])
    assert not said.open
    assert found_open(said, PERIOD).matched == 1


def test_of_a_case_that_settled_twice_the_newest_file_counts():
    said = folded([part(100), line(1, 100)], [part(20, 2)], [line(2, 20)], [part(20, 2)])
    # 120 in two pieces, 100 and 20, settles; that the second part comes again changes nothing.
    assert not said.open
    assert found_open(said, PERIOD).matched == 2


def test_of_two_runs_at_one_time_the_one_that_is_late_reports_nothing():
    world = World()
    world.arrive("1", rows()[:3])
    world.count(sorted(log())[:4])
    inner: list[ReconcilerRun] = []

    def meet(point: str) -> None:
        if point == "before MemoryComparisonFiles.append":
            world.interrupt = never
            world.count(sorted(log()))
            inner.append(world.run())
            world.interrupt = reported.append

    reported: list[str] = []
    world.interrupt = meet
    assert not world.run().is_done
    assert inner[0].is_done
    assert "before MemoryBankStatements.report" not in reported


@cache
def log() -> dict[str, bytes]:
    return objects(12, 4)


@cache
def rows() -> Sequence[str]:
    found = logged_operations(logged_segment(key, body.decode()) for key, body in log().items())
    return [
        f"{each.reference},{each.minor // 100}.{each.minor % 100:02},EUR,{each.day}"
        for each in sorted(found)
        if each.stage is Stage.RECONCILED
    ]


@dataclass
class World:
    """A journal, bank statements and the reconciler's files, with every call interruptible."""

    interrupt: Callable[[str], None] = never
    ends_at: JournalPosition = BEGINNING
    journal: MemoryJournal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self.call)
        self.statements = MemoryBankStatements(self.call)
        self.files = MemoryComparisonFiles(self.call)

    def call(self, point: str) -> None:
        self.interrupt(point)

    def ends(self, _cut_at: datetime) -> dict[str, JournalPosition]:
        return {SHARD: self.ends_at}

    def count(self, keys: Sequence[str]) -> None:
        unique = dict.fromkeys(keys)
        entries = [entry(log_key=key, body=log()[key].decode()) for key in unique]
        self.ends_at = append(self.journal, self.ends_at, *entries)

    def arrive(self, name: str, some: Sequence[str]) -> None:
        body = "\n".join(["reference,amount,currency,date", *some])
        key = f"statements/reconciled/date=2026-10-05/{name}.csv"
        self.statements.files[key] = body.encode()

    def run(self) -> ReconcilerRun:
        now = datetime(2026, 11, 3, tzinfo=UTC)
        ports = ReconcilerPorts(lambda: now, self, self.journal, self.statements, self.files)
        return reconcile_new(ports, Morning(TODAY, DAYS, 60), lambda: True)

    def alone(self) -> Any:
        """The reports of a first run, which nothing interrupts."""
        interrupt, files = self.interrupt, self.files
        self.interrupt, self.files = never, MemoryComparisonFiles()
        self.run()
        self.interrupt, self.files = interrupt, files
        return self.statements.reports


def disturbances(data: st.DataObject, world: World) -> Iterator[Callable[[str], None]]:
    """A run is killed at any of its calls, or another one takes place there."""

    def at(call: int, disturb: Callable[[], object]) -> Callable[[str], None]:
        calls = iter(range(call + 1))

        def interrupt(_point: str) -> None:
            if next(calls, None) == call:
                world.interrupt = never
                disturb()

        return interrupt

    def die() -> None:
        raise Crash

    while True:
        yield at(data.draw(st.integers(0, 30)), data.draw(st.sampled_from((die, world.run))))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_runs_that_die_or_meet_others_report_what_a_first_run_reports(data):
    world = World()
    keys = data.draw(st.lists(st.sampled_from(sorted(log())), min_size=1, max_size=30))
    lines = data.draw(st.lists(st.sampled_from(rows()), max_size=12))
    disturbed = disturbances(data, world)
    for n in range(data.draw(st.integers(1, 4))):
        if some := keys[n * 8 : n * 8 + 8]:
            world.count(some)
        world.arrive(str(n), lines[n * 3 : n * 3 + 3])
        world.interrupt = next(disturbed)
        with suppress(Crash):
            world.run()
    world.interrupt = never
    world.run()
    reports = dict(world.statements.reports)
    assert reports == world.alone()
