"""What in a file is not as export writes it is named, or the file is refused."""

from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from falcon_balances.audit import (
    exported_parquet,
)
from falcon_balances.audit.exported import replay_exported
from falcon_balances.audit.exported_blocks import NotExportedError
from falcon_balances.audit.extracts import PARQUET_SCHEMA
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.replay import replay
from falcon_balances.domain.money import Currency, Money
from generated.logs import objects_of
from tests.audit.exports import (
    EVERYTHING,
    LOG,
    changed,
    export,
    with_column,
)
from tests.audit.logs import MemoryLog


def first_line(before: str, after: str):
    return lambda lines: [lines[0], lines[1].replace(before.encode(), after.encode()), *lines[2:]]


OF_A_KEY = "stage, merchant_id, operation, date, revision or part"
CSV_FLAWS = [
    (first_line('"EUR"', '"XXX"'), "unknown currency"),
    (first_line('"EUR"', '"JPY"'), "amount is not written with all decimals of its currency"),
    (first_line('"capture"', '"gift"'), "unknown type"),
    (
        first_line('"confirmed"', '"settled"'),
        OF_A_KEY,
    ),
    (first_line('"m-', '"-m-'), OF_A_KEY),
    (first_line("2026-10-01T10", "2026-10-01T25"), "operation_date"),
    (first_line('"2026-10-01T10:00:00Z"', '"01.10.26"'), "stage, merchant_id, operation, date"),
    (first_line('"bs-m', '"bs,m'), "commas or quotes"),
    (first_line('"bs-m', '"bs""m'), "commas or quotes"),
    (first_line('"bs-m', '"bs\xe9m'), "a character that no field may contain"),
    (first_line('"psp-1"', '"psp\xe9"'), "a character that no field may contain"),
    (first_line('"psp-1"', '"psp\x1b"'), "a character that no field may contain"),
    (first_line('"psp-1"', "psp-1"), "commas or quotes"),
    (first_line('"psp-1"', '"psp-1","psp-1"'), "commas or quotes"),
    (first_line(",1,2,", ",3,2,"), "not a key of the log"),
    (first_line(",1,2,", ",0,2,"), "not a key of the log"),
    (first_line(",1,2,", ",01,2,"), OF_A_KEY),
    (first_line(",1,2,", ",1.0,2,"), OF_A_KEY),
    (
        first_line(",1,2,", f",{'9' * 5_000},1,"),
        OF_A_KEY,
    ),
    (first_line(",1,2,", ",,1,"), OF_A_KEY),
    (first_line(",1,2,", ",,2,"), OF_A_KEY),
    (lambda lines: [lines[0], b"", *lines[2:]], "commas or quotes"),
    (
        lambda lines: [lines[0], lines[1] + b"\r", *lines[2:]],
        "a character that no field may contain",
    ),
]


@pytest.mark.parametrize(("change", "detail"), CSV_FLAWS)
def test_a_flawed_line_counts_not_at_all_and_is_named(tmp_path, change, detail):
    good = replay_exported(
        changed(export(LOG, tmp_path), lambda lines: [lines[0], *lines[2:]]), EVERYTHING
    )
    replayed = replay_exported(changed(export(LOG, tmp_path), change), EVERYTHING)
    flawed = [each for each in replayed.findings if each.problem == "flawed"]
    assert [each.key for each in flawed] == ["log.csv"]
    assert flawed[0].detail.startswith(f"line 2: {detail}")
    assert replayed.sums == good.sums


@pytest.mark.parametrize(
    "amount", ["1", "1.0", "1.000", "01.00", "+1.00", "1e2", "-0.00", "1,00", "", "abc", "'1.00"]
)
def test_an_amount_that_the_log_would_not_write_is_flawed(tmp_path, amount):
    def other(lines):
        header = lines[0].replace(b'"', b"").split(b",")
        fields = lines[1].split(b",")
        fields[header.index(b"amount")] = f'"{amount}"'.encode()
        return [lines[0], b",".join(fields), *lines[2:]]

    replayed = replay_exported(changed(export(LOG, tmp_path), other), EVERYTHING)
    assert replayed.lines == replay(MemoryLog(LOG), EVERYTHING).lines - 1
    assert any(each.detail.startswith("line 2: ") for each in replayed.findings)


def test_a_csv_that_is_cut_off_is_told(tmp_path):
    path = export(LOG, tmp_path)
    path.write_bytes(path.read_bytes()[:-30])
    replayed = replay_exported(path, EVERYTHING)
    lines = replay(MemoryLog(LOG), EVERYTHING).lines
    assert LogFinding("log.csv", "flawed", f"line {lines + 1}: no line end") in replayed.findings
    assert replayed.lines == lines - 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_csv_in_another_encoding_isrefused(tmp_path, encoding):
    path = export(LOG, tmp_path)
    path.write_bytes(path.read_text().encode(encoding))
    with pytest.raises(NotExportedError, match=r"log\.csv: line 1 is not the header"):
        replay_exported(path, EVERYTHING)


@pytest.mark.parametrize("body", [b"", b"\n", b"stage,merchant_id\n", b"\x00" * 100, b"x" * 9_999])
def test_what_is_no_export_isrefused(tmp_path, suffix, body):
    path = tmp_path / f"log.{suffix}"
    path.write_bytes(body)
    with pytest.raises(NotExportedError, match=r"^log\."):
        replay_exported(path, EVERYTHING)


def test_other_columns_arerefused(tmp_path):
    path = changed(export(LOG, tmp_path), lambda lines: [lines[0].replace(b"psp_id", b"psp")])
    with pytest.raises(NotExportedError, match="line 1"):
        replay_exported(path, EVERYTHING)
    path = export(LOG, tmp_path, "parquet")
    parquet.write_table(parquet.read_table(path).drop_columns(["currency"]), path)
    with pytest.raises(NotExportedError, match="no column currency of the type string"):
        replay_exported(path, EVERYTHING)


def test_floats_arerefused(tmp_path):
    path = export(LOG, tmp_path, "parquet")
    with_column(path, "amount", lambda amounts: amounts.cast(pa.float64()))
    with pytest.raises(NotExportedError, match="no column amount of the type decimal128"):
        replay_exported(path, EVERYTHING)


def test_a_parquet_that_is_cut_off_or_damaged_isrefused(tmp_path):
    path = export(LOG, tmp_path, "parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(NotExportedError, match="no Parquet file, or not all of it"):
        replay_exported(path, EVERYTHING)
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(NotExportedError, match="from line 1 on it cannot be read"):
        replay_exported(path, EVERYTHING)


def test_a_row_group_too_large_to_be_ours_isrefused(tmp_path, monkeypatch):
    path = export(LOG, tmp_path, "parquet")
    monkeypatch.setattr(exported_parquet, "_GROUP_LINES_MAX", 10)
    with pytest.raises(NotExportedError, match="row group 0"):
        replay_exported(path, EVERYTHING)


PARQUET_FLAWS = [
    ("amount", Decimal("1.0050"), "amount is not written with all decimals of its currency"),
    ("amount", None, "no amount"),
    ("amount", Decimal("922337203685477.5808"), "amount is not written with"),
    ("currency", "XXX", "unknown currency"),
    ("currency", None, "no currency"),
    ("type", "gift", "unknown type"),
    ("uuid", "0" * 36, "uuid"),
    ("uuid", None, "no uuid"),
    ("part", 3, "not a key of the log"),
    ("parts", -1, "stage, merchant_id"),
    ("operation_date", "2026-02-30T10:00:00Z", "day is out of range"),
    ("falcon_operation_id", "0012", "not a key of the log"),
    ("balance_shop_id", "a,b", "balance_shop_id: a character that no field may contain"),
    ("balance_shop_id", "caf\xe9", "balance_shop_id: a character that no field may contain"),
]


@pytest.mark.parametrize(("name", "value", "detail"), PARQUET_FLAWS)
def test_a_flawed_row_counts_not_at_all_and_is_named(tmp_path, name, value, detail):
    path = export(LOG, tmp_path, "parquet")
    lines = replay(MemoryLog(LOG), EVERYTHING).lines

    def other(column):
        return pa.array([value, *column.to_pylist()[1:]], PARQUET_SCHEMA.field(name).type)

    replayed = replay_exported(with_column(path, name, other), EVERYTHING)
    assert replayed.lines == lines - 1
    [flawed] = [each for each in replayed.findings if each.problem == "flawed"]
    assert flawed.key == "log.parquet"
    assert flawed.detail.startswith(f"line 1: {detail}")


def test_a_large_amount_that_64_bits_cannot_hold_in_parquet_counts(tmp_path):
    from tests.audit.replays import CAPTURE

    [segment] = CAPTURE
    largest = Money(10**17 - 1, Currency("EUR", 2))
    log = objects_of([replace(segment, lines=(replace(segment.lines[0], amount=largest),))])
    [total] = replay_exported(export(log, tmp_path, "parquet"), EVERYTHING).sums.values()
    assert total == (largest.minor, 1)


def test_others_write_parquet_too(tmp_path):
    path = export(LOG, tmp_path, "parquet")
    parquet.write_table(parquet.read_table(path), path, row_group_size=37, compression="snappy")
    replayed = replay_exported(path, EVERYTHING)
    assert replayed.sums == replay(MemoryLog(LOG), EVERYTHING).sums
    assert replayed.findings == []


def test_a_spreadsheets_csv_isrefused_line_by_line(tmp_path):
    path = export(LOG, tmp_path)
    options = arrow_csv.WriteOptions(quoting_style="none", quoting_header="none")
    arrow_csv.write_csv(arrow_csv.read_csv(path), path, options)
    replayed = replay_exported(path, EVERYTHING)
    assert replayed.sums == {}
    assert {each.problem for each in replayed.findings} == {"flawed"}
