"""What a morning of the reconciler costs: the first one, and one after many others.

Calls are the same on every machine, so the run fails if there are more than its bound.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import process_time
from typing import Final

from bench.results import Bound, Result, Row
from falcon_balances.contracts.journal_pages import written
from falcon_balances.domain.available import Joint
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.journal import BEGINNING, JournalEntry, JournalPage, JournalPosition
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.logged_operations import logged_operations
from falcon_balances.domain.operations import Segment, Stage
from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.fakes.comparisons import MemoryBankStatements, MemoryComparisonFiles
from falcon_balances.fakes.journal import MemoryJournal
from generated.logs import START, segments
from lambdas.reconciler.mornings import Morning
from lambdas.reconciler.reconciling import ReconcilerPorts, ReconcilerRun, reconcile_new

OPERATIONS: Final = 1_000  # a day
AFTER: Final = (0, 10, 60)  # mornings
PAGE: Final = 120  # segments, as 12 a second in batches of 10 s
LOOK_BACK_DAYS: Final = 35
DAYS: Final = 3
SHARD: Final = "shardId-000000000000"
# Last comparisons, statements, pages' names, a statement, comparisons, settled cases, a report.
CONSTANT: Final = 10
_EFFECT: Final = {BalanceKey("bs", "EUR"): Joint(pending=1)}


@dataclass
class _World:
    """Statements, journal and the reconciler's files in memory; `calls` of all of them."""

    calls: int = 0
    position: JournalPosition = BEGINNING
    pages: int = 0
    journal: MemoryJournal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = MemoryJournal(self._count)
        self.statements = MemoryBankStatements(self._count)
        self.files = MemoryComparisonFiles(self._count)

    def _count(self, point: str) -> None:
        self.calls += point.startswith("before")

    def ends(self, _cut_at: datetime) -> Mapping[str, JournalPosition]:
        return {SHARD: self.position}

    def count(self, some: Sequence[Segment]) -> None:
        """Writes pages of these segments."""
        window = quarter_of(START)
        for first in range(0, len(some), PAGE):
            entries = tuple(
                JournalEntry(window, _EFFECT, log_key(each), "version", csv_body(each))
                for each in some[first : first + PAGE]
            )
            number, digest = self.position.number + 1, self.position.digest
            page = written(JournalPage(SHARD, number, digest, entries, window))
            self.journal.write(page)
            self.position = page.name.position
            self.pages += 1

    def arrive(self, some: Sequence[Segment], day: datetime) -> None:
        lines = [
            f"{each.reference},{each.minor // 100}.{each.minor % 100:02},EUR,{each.day}"
            for each in logged_operations(some)
            if each.stage is Stage.RECONCILED
        ]
        body = "\n".join(["reference,amount,currency,date", *lines])
        key = f"statements/reconciled/date={day.date()}/settlement.csv"
        self.statements.files[key] = body.encode()

    def run(self, day: datetime) -> ReconcilerRun:
        ports = ReconcilerPorts(lambda: day, self, self.journal, self.statements, self.files)
        morning = Morning(day.date() + timedelta(days=1), DAYS, LOOK_BACK_DAYS)
        return reconcile_new(ports, morning, lambda: True)


def run() -> list[Result]:
    mornings = max(AFTER) + 1
    by_day: dict[int, list[Segment]] = defaultdict(list)
    for each in segments(OPERATIONS * mornings, days=mornings):
        by_day[(each.lines[0].operation_date - START).days].append(each)
    world = _World()
    rows = [_morning(world, number, by_day[number]) for number in range(mornings)]
    return [_result([row for row in rows if row["after"] in AFTER])]


def _morning(world: _World, number: int, some: Sequence[Segment]) -> Row:
    day = START + timedelta(days=number)
    world.count(some)
    world.arrive(some, day)
    pages, world.pages, world.calls = world.pages, 0, 0
    begun = process_time()
    found = world.run(day)
    cpu_s = process_time() - begun
    assert found.is_done
    assert not found.open
    return {
        "after": number,
        "pages": pages,
        "calls": world.calls,
        "settled": min(number, LOOK_BACK_DAYS + DAYS),
        "us": cpu_s / OPERATIONS * 1_000_000,
    }


def _result(rows: Sequence[Row]) -> Result:
    holds = all(
        int(row["calls"]) <= int(row["pages"]) + int(row["settled"]) + CONSTANT for row in rows
    )
    return Result(
        "mornings",
        f"A morning of the reconciler: {OPERATIONS:,} operations, each confirmed and reconciled",
        {
            "after": "mornings before",
            "pages": "new pages",
            "settled": "files of settled cases",
            "calls": "calls",
            "us": ("CPU µs an operation", 1),
        },
        rows,
        notes=["on the fakes: the SDK's own time is left out"],
        bounds=[Bound(f"a call for each page and file of settled cases, and {CONSTANT}", holds)],
    )
