"""Athena adds up closed days to the log's figures. DuckDB plays Athena, and answers in texts."""

import pytest
from hypothesis import given, settings

from falcon_balances.audit.athena_replay import replay_by_athena
from falcon_balances.audit.closed_days import described
from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.closed_sums import COUNTED_OTHERWISE
from falcon_balances.audit.duckdb_session import files, session
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.domain.errors import IntegrityError
from generated.logs import objects_of
from tests.audit.closed import closed_days_of
from tests.audit.definition import world
from tests.audit.logs import MemoryLog
from tests.strategies import few, journals

EVERYTHING = Selection()
TABLE = "falcon_balances_test.closed_days"


class Shown:
    """Athena's table of a folder of closed days; `rows` is SQL for what it shows of `every_row`."""

    def __init__(self, folder, rows="every_row"):
        self.days = [day.said for day in described(folder)]
        self._paths = sorted(folder.glob("*/*.parquet"))
        self._rows = rows

    def replay(self, selection=EVERYTHING, before=None):
        return replay_by_athena(self._texts, TABLE, self.days, selection, before)

    def _texts(self, select):
        with session() as engine:
            engine.execute("create schema falcon_balances_test")
            engine.execute(
                "create view every_row as select * "  # noqa: S608 - our texts
                f"from read_parquet({files(self._paths)}, hive_partitioning = true, "
                "hive_types = {'date': varchar})"
            )
            engine.execute(f"create view {TABLE} as select * from {self._rows}")  # noqa: S608
            rows = engine.execute(select).fetchall()
        return [[None if each is None else str(each) for each in row] for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return closed_days_of(tmp_path_factory.mktemp("closed"), world(40, 3))


@given(journals().filter(bool))
@settings(few, max_examples=15)
def test_it_is_the_log(tmp_path_factory, counted):
    shown = Shown(closed_days_of(tmp_path_factory.mktemp("athena"), counted))
    said, log = shown.replay(), replay(MemoryLog(objects_of(counted)), EVERYTHING)
    assert (said.sums, said.agreements) == (log.sums, log.agreements)
    assert (said.lines, said.findings) == (log.lines, [])


@pytest.mark.parametrize(
    ("selection", "before"),
    [
        (EVERYTHING, None),
        (Selection(merchant_id="m-3"), None),
        (Selection(merchant_id="o'hara"), None),
        (Selection(since="2026-10-05", until="2026-10-20"), None),
        (EVERYTHING, "2026-10-15T12:00:00Z"),
    ],
)
def test_a_selection_is_that_of_the_folder(folder, selection, before):
    assert Shown(folder).replay(selection, before) == replay_closed(folder, selection, before)


def test_days_that_are_described_later_are_not_read(folder):
    shown = Shown(folder)
    last = shown.days.pop()
    assert shown.replay().lines == replay_closed(folder, EVERYTHING).lines - last.lines


def test_without_a_day_nothing_is_asked():
    def query(_):
        raise AssertionError("asked")

    assert replay_by_athena(query, TABLE, [], EVERYTHING).objects == 0


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            "(select * from every_row where \"date\" <> '2026-11-21')",
            "shows 0 lines, but the day's",
        ),
        ("(select * from every_row where line <> 2)", r"shows \d+ lines, but the day's"),
        ("(select * from every_row union all select * from every_row)", "shows .* but the day's"),
        (
            "(select * replace ('2026-11-21' as \"date\") from every_row)",
            "shows 0 lines",
        ),
        (
            "(select * replace ('2026-11-20T10:00:00Z' as quarter) from every_row)",
            "shows rows of another day",
        ),
        (
            "(from every_row union all select * replace ('2026-01-01' as \"date\") from every_row)",
            "2026-01-01: Athena's table shows a day that no description names",
        ),
        ("(select * replace ('one' as uuid) from every_row)", "but only 1 uuids"),
    ],
)
def test_a_table_that_shows_something_else_is_refused(folder, rows, problem):
    with pytest.raises(IntegrityError, match=problem):
        Shown(folder, rows).replay()


def test_a_missing_day_s_description_is_named(folder):
    shown = Shown(folder)
    del shown.days[1]
    with pytest.raises(IntegrityError, match="date=2026-11-21: is missing"):
        shown.replay()


def test_a_balance_that_was_counted_otherwise_is_named(folder):
    rows = "(select * replace (available + 1 as available) from every_row where line > 0)"
    findings = Shown(folder, rows).replay().findings
    assert findings
    assert {each.problem for each in findings} == {COUNTED_OTHERWISE}
