"""Statements come on any day and are forgotten: each line that is compared is reported once."""

import zlib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.fakes.comparisons import MemoryBankStatements, MemoryComparisonFiles
from falcon_balances.fakes.journal import MemoryJournal
from lambdas.reconciler.mornings import Morning
from lambdas.reconciler.reconciling import ReconcilerPorts, reconcile_new
from tests.journals import SHARD

FIRST: Final = date(2026, 11, 1)
DAYS: Final = 1
LOOK_BACK_DAYS: Final = 5


class Weeks:
    """Bank statements that arrive, and mornings that compare them with a journal without pages."""

    def __init__(self) -> None:
        self.statements = MemoryBankStatements()
        self.files = MemoryComparisonFiles()
        self.rows: dict[date, Sequence[str]] = {}

    def ends(self, _cut_at: datetime) -> dict[str, JournalPosition]:
        return {SHARD: BEGINNING}

    def arrive(self, day: date, references: Sequence[str], minor: int) -> None:
        """Another amount in each row, so that no two rows are alike."""
        rows = [f"{each},-0.{minor + n:02},EUR,{day}" for n, each in enumerate(references)]
        self.rows[day] = rows
        body = "\n".join(["reference,amount,currency,date", *rows])
        self.statements.files[self.key(day)] = body.encode()

    def key(self, day: date) -> str:
        return f"statements/reconciled/date={day}/s.csv"

    def report(self, today: date) -> dict[str, Any] | None:
        now = datetime(today.year, today.month, today.day, 7, tzinfo=UTC)
        ports = ReconcilerPorts(lambda: now, self, MemoryJournal(), self.statements, self.files)
        run = reconcile_new(ports, Morning(today, DAYS, LOOK_BACK_DAYS), lambda: True)
        return self.statements.reports[run.reports[0]] if run.reports else None

    def expected(self, today: date) -> list[tuple[str, str]]:
        """Place and amount of each row in a statement that is compared."""
        oldest = today - timedelta(days=LOOK_BACK_DAYS)
        return sorted(
            (f"{self.key(day)}:{n}", row.split(",")[1])
            for day, rows in self.rows.items()
            if day >= oldest
            for n, row in enumerate(rows, start=2)
        )


mornings = st.lists(
    st.tuples(
        st.integers(0, 3),  # days since the morning before
        st.integers(0, 8),  # the statement's age in days
        st.lists(st.sampled_from(("", "a", "b", "c")), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


@given(mornings)
@settings(max_examples=300, deadline=None)
def test_each_line_that_is_compared_is_reported_once(arrivals):
    weeks, today = Weeks(), FIRST
    for number, (passed, age, references) in enumerate(arrivals):
        today += timedelta(days=passed)
        day = today - timedelta(days=age)
        if day not in weeks.rows:
            weeks.arrive(day, references, minor=10 + 3 * number)
        report = weeks.report(today)
        found = [] if report is None else report["open"]
        assert sorted((each["place"], each["theirs"]) for each in found) == weeks.expected(today)


def test_a_reference_that_comes_every_day_keeps_the_lines_of_the_weeks_that_are_compared():
    weeks = Weeks()
    for n in range(4 * LOOK_BACK_DAYS):
        weeks.arrive(FIRST + timedelta(days=n), ["charges", ""], minor=10)
        weeks.report(FIRST + timedelta(days=n))
        last = weeks.files.last()
        assert last is not None
        kept = 2 * min(n + 1, LOOK_BACK_DAYS + 1)
        assert kept <= zlib.decompress(last[1]).count(b"EUR") <= kept + 2 * DAYS
