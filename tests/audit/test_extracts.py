"""The log as one table: the same lines, exact amounts, and nothing a spreadsheet would run."""

import csv
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from pyarrow import parquet

from falcon_balances.audit.extracts import write_csv, write_parquet
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.domain.log_grammar import COLUMNS, HEADER
from generated.logs import objects_of
from tests.audit.logs import MemoryLog
from tests.audit.sealed import objects
from tests.strategies import few, journals

EVERYTHING = Selection()
NUMBERS = {"revision", "part", "parts"}


def lines_of(log):
    """Every line with what its key says, as the log has it."""
    rows = []
    for key, body in log.items():
        stage, merchant, _, name = key.split("/")
        _, *said, _ = name.split(".")
        revision = next((each[1:] for each in said if each.startswith("r")), "1")
        part, parts = next((each.split("-of-") for each in said if "-of-" in each), ("1", "1"))
        rows += [
            (stage, merchant.removeprefix("merchant_id="), revision, part, parts, *row.split(","))
            for row in body.decode().splitlines()[1:]
        ]
    return sorted(rows)


@given(journals())
@few
def test_every_line_is_there_once_with_its_key(tmp_path_factory, segments):
    log, folder = objects_of(segments), tmp_path_factory.mktemp("extract")
    assert write_csv(MemoryLog(log), EVERYTHING, folder / "log.csv") == []
    with (folder / "log.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["stage", "merchant_id", "revision", "part", "parts", *COLUMNS]
    assert sorted(map(tuple, rows)) == lines_of(log)
    assert write_parquet(MemoryLog(log), EVERYTHING, folder / "log.parquet") == []
    place = header.index("amount")
    table = parquet.read_table(folder / "log.parquet").to_pylist()
    said = sorted(tuple(str(value) for value in row.values()) for row in table)
    expected = sorted(
        (*row[:place], str(Decimal(row[place]).quantize(Decimal("0.0001"))), *row[place + 1 :])
        for row in lines_of(log)
    )
    assert said == expected


def test_duckdb_adds_it_up_to_what_replay_says(tmp_path):
    log = objects(200, 7)
    path = tmp_path / "log.parquet"
    write_parquet(MemoryLog(log), EVERYTHING, path)
    found = duckdb.read_parquet(str(path)).query(
        "log",
        "select merchant_id, balance_shop_id, currency, stage, type, sum(amount), count(*)"
        " from (select distinct on (uuid) * from log) group by all order by all",
    )
    assert found is not None
    rows = found.fetchall()
    sums = replay(MemoryLog(log), EVERYTHING).sums
    assert {row[:5]: (row[5], row[6]) for row in rows} == {
        key: (Decimal(total.minor) / 100, total.lines) for key, total in sums.items()
    }


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1"])
def test_what_a_spreadsheet_would_run_is_no_object_of_the_log(tmp_path, start):
    log = objects(1, 2)
    key = sorted(log)[0]
    odd = log | {key: log[key].replace(b"order-0", start.encode())}
    findings = write_csv(MemoryLog(odd), EVERYTHING, tmp_path / "log.csv")
    assert [each.key for each in findings] == [key]
    text = (tmp_path / "log.csv").read_text()
    assert f',"{start}",' not in text
    assert '"-' in text  # an amount stays a number


def test_ids_stay_what_they_are(tmp_path):
    log = objects(1, 2)
    key = sorted(log)[0]
    for odd in ("0012", "NA", "1e5", "null", "true"):
        changed = {key: log[key].replace(b"order-0", odd.encode())}
        write_csv(MemoryLog(changed), EVERYTHING, tmp_path / "log.csv")
        write_parquet(MemoryLog(changed), EVERYTHING, tmp_path / "log.parquet")
        assert f',"{odd}",' in (tmp_path / "log.csv").read_text()
        column = parquet.read_table(tmp_path / "log.parquet").column("external_reference")
        assert set(column.to_pylist()) == {odd}


def test_what_is_flawed_is_left_out_and_told(tmp_path):
    log = objects(10, 3)
    bad, worse = sorted(log)[2:4]
    flawed = log | {bad: log[bad][:-1], worse: HEADER.encode() + b"\n", "README": b""}
    for write, name in ((write_csv, "log.csv"), (write_parquet, "log.parquet")):
        findings = write(MemoryLog(flawed), EVERYTHING, tmp_path / name)
        assert [(each.key, each.problem) for each in findings] == [
            ("README", "foreign"),
            (bad, "flawed"),
            (worse, "flawed"),
        ]
    good = {key: body for key, body in log.items() if key not in {bad, worse}}
    assert parquet.read_table(tmp_path / "log.parquet").num_rows == len(lines_of(good))


def test_an_empty_log_is_an_empty_table(tmp_path):
    assert write_parquet(MemoryLog({}), EVERYTHING, tmp_path / "log.parquet") == []
    assert parquet.read_table(tmp_path / "log.parquet").num_rows == 0
