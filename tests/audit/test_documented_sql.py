"""The SQL of the documentation, word for word, against replay.

It is meant for Athena, which cannot be had here; DuckDB stands in, with tables that look as the
template says and a column for what Athena calls "$path".
"""

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given

from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.contracts.closed_day_query import EFFECTS
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.log_grammar import COLUMNS
from generated.logs import objects_of, write
from tests.audit.closed import closed_days_of, entries_of
from tests.audit.definition import defined, world
from tests.audit.sealed import objects
from tests.strategies import few, journals

DOCS = Path(__file__).parents[2] / "docs"
SQL = re.compile(r"^```sql\n(.+?)^```$", re.M | re.S)
ONE_MERCHANT, EVERYBODY = SQL.findall((DOCS / "audit.md").read_text())
CLOSED_SUMS, CLOSED_FIGURES = SQL.findall((DOCS / "closed-days.md").read_text())
NAMED = re.compile(r"merchant_id = '(.+?)' and \"date\" >= '(.+?)' and \"date\" < '(.+?)'")
EVERYTHING = Selection()
WORLD = world(60, 4)


def table(log, *, partitioned):
    """The log by a reader that, as the tables' own, knows no quotes, types or missing values."""
    key = f"substr(filename, {len(str(log)) + 2})"
    keys = f", split_part({key}, '/', 1) as stage, merchant_id, date" if partitioned else ""
    return f"""
        select {", ".join(COLUMNS)}, 's3://log-1-eu/' || {key} as "$path"{keys}
        from read_csv('{log}/*/*/*/*.csv', header = true, all_varchar = true, delim = ',',
                      quote = '', escape = '', nullstr = '\\N', filename = true,
                      hive_partitioning = {partitioned}, hive_types_autocast = false)
    """  # noqa: S608 - our own texts


def asked(query, log):
    """Rows as replay has them: its key, the total as a decimal, the number of lines."""
    with duckdb.connect() as connection:
        connection.execute("create schema falcon_balances_live")
        for name, partitioned in (("transaction_log", True), ("transaction_log_all", False)):
            view = table(log, partitioned=partitioned)
            connection.execute(f"create view falcon_balances_live.{name} as {view}")
        rows = connection.execute(query).fetchall()
    assert rows == sorted(rows)
    return {row[:5]: (row[5], row[6]) for row in rows}


def replayed(log, selection=EVERYTHING):
    sums = {}
    for key, each in replay(LogFolder(log), selection).sums.items():
        currency = written_currency(key.currency)
        assert currency
        sums[tuple(key)] = (Decimal(each.minor).scaleb(-currency.exponent), each.lines)
    return sums


@given(journals().filter(bool))
@few
def test_the_query_of_everybody_is_replay_in_every_currency(tmp_path_factory, some):
    log = write(objects_of(some), tmp_path_factory.mktemp("log"))
    assert asked(EVERYBODY, log) == replayed(log)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """With one object of m-3 again under another key, before the first and with other money."""
    some = objects(200, 7)
    key = next(key for key in sorted(some) if "merchant_id=m-3/date=2026-10-1" in key)
    again = key.replace(".csv", ".1-of-2.csv")
    assert again < key
    body = some[key].decode().splitlines()
    body[1] = re.sub(r",[0-9]+\.[0-9]{2},", ",77777.77,", body[1])
    some[again] = "\n".join([*body, ""]).encode()
    return write(some, tmp_path_factory.mktemp("log"))


def test_a_line_counts_once_and_the_first_by_key(log):
    found = asked(EVERYBODY, log)
    assert found == replayed(log)
    assert len(replay(LogFolder(log), EVERYTHING).findings) > 1
    assert sum(lines for _, lines in found.values()) == 880


@pytest.mark.parametrize(
    ("merchant_id", "since", "until"),
    [
        ("m-3", "2026-10-01", "2026-11-01"),
        ("m-3", "2026-10-05", "2026-10-06"),
        ("m-0", "2026-10-10", "2026-10-20"),
        ("m-0", "2027-01-01", "2027-02-01"),
    ],
)
def test_the_query_of_one_merchant_is_replay_of_its_days(log, merchant_id, since, until):
    named = NAMED.search(ONE_MERCHANT)
    assert named
    query = ONE_MERCHANT
    for place, value in enumerate((merchant_id, since, until), start=1):
        query = query.replace(f"'{named[place]}'", f"'{value}'")
    selection = Selection(merchant_id, since=since, until=until)
    assert asked(query, log) == replayed(log, selection)


def test_a_quote_that_the_log_would_not_write_is_not_taken_away(tmp_path):
    some = objects(1, 2)
    key = sorted(some)[0]
    some[key] = re.sub(rb",([0-9]+\.[0-9]{2}),", rb',"\1",', some[key])
    with pytest.raises(duckdb.ConversionException):
        asked(EVERYBODY, write(some, tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return closed_days_of(tmp_path_factory.mktemp("fetched"), WORLD).parent


def test_the_queries_of_closed_days_are_replay_and_the_definition(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with duckdb.connect() as connection:
        sums = connection.execute(CLOSED_SUMS).fetchall()
    assert {row[:5]: (row[5], row[6]) for row in sums} == replayed(
        write(objects_of(WORLD), folder / "log")
    )


def test_the_figures_of_closed_days_are_those_of_everything_counted_by_then(folder, monkeypatch):
    monkeypatch.chdir(folder)
    with duckdb.connect() as connection:
        rows = connection.execute(CLOSED_FIGURES).fetchall()
    counted = [
        segment
        for segment, entry in zip(WORLD, entries_of(WORLD), strict=True)
        if f"{entry.window:%Y-%m-%d}" <= "2026-11-30"
    ]
    assert 0 < len(counted) < len(WORLD)
    assert {row[:3]: row[3:] for row in rows} == {
        each: tuple(getattr(balance, name) for name in EFFECTS)
        for each, balance in defined(counted).items()
    }
