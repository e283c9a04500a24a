"""An exported file replays to what the log's objects do; what is not as exported is named."""

from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from pyarrow import csv as arrow_csv
from pyarrow import parquet
from typer.testing import CliRunner

from falcon_balances.audit import (
    exported,
    exported_columns,
    exported_csv,
    exported_files,
    exported_parquet,
    exported_parts,
)
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.exported import replay_exported
from falcon_balances.audit.exported_blocks import NotExportedError
from falcon_balances.audit.extracts import PARQUET_SCHEMA, write_csv, write_parquet
from falcon_balances.audit.findings import Finding
from falcon_balances.audit.line_grammar import NotAsWrittenError
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.repeats import SeenHashes
from falcon_balances.audit.replay import replay
from falcon_balances.cli.audit.app import app
from falcon_balances.domain.log_format import expected_uuids
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import Stage
from generated.large_files import write_large
from generated.logs import objects_of, segments
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog
from tests.audit.sealed import objects
from tests.audit.test_journals import renamed
from tests.strategies import few, journals

EVERYTHING = Selection()
WRITERS = {"csv": write_csv, "parquet": write_parquet}
LOG = objects(120, 7)
SELECTIONS = [
    EVERYTHING,
    Selection(merchant_id="m-3"),
    Selection(merchant_id="m-none"),
    Selection(stage=Stage.RECONCILED),
    Selection(since="2026-10-08"),
    Selection(until="2026-10-08"),
    Selection("m-3", Stage.CONFIRMED, "2026-10-05", "2026-10-20"),
]


def export(log, folder, suffix="csv"):
    path = folder / f"log.{suffix}"
    assert WRITERS[suffix](MemoryLog(log), EVERYTHING, path) == []
    return path


def changed(path, change):
    """The CSV with its lines, header included, as `change` makes them."""
    lines = path.read_bytes().split(b"\n")[:-1]
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    return path


def with_column(path, name, values):
    table = parquet.read_table(path)
    place = table.schema.get_field_index(name)
    parquet.write_table(table.set_column(place, name, values(table.column(name))), path)
    return path


@pytest.fixture(params=WRITERS)
def suffix(request):
    return request.param


@given(journals())
@few
def test_it_gives_what_the_objects_give(tmp_path_factory, segments):
    log, folder = objects_of(segments), tmp_path_factory.mktemp("exported")
    said = replay(MemoryLog(log), EVERYTHING)
    for suffix in WRITERS:
        replayed = replay_exported(export(log, folder, suffix), EVERYTHING)
        assert (replayed.sums, replayed.lines) == (said.sums, said.lines)
        assert replayed.agreements == said.agreements
        assert replayed.findings == []


@given(journals())
@few
def test_lines_looked_at_one_by_one_give_the_same(tmp_path_factory, segments):
    log, folder = objects_of(segments), tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exported, "columns_of_block", _refuse)
        for suffix in WRITERS:
            replayed = replay_exported(export(log, folder, suffix), EVERYTHING)
            assert replayed.sums == replay(MemoryLog(log), EVERYTHING).sums
            assert replayed.findings == []


@pytest.mark.parametrize("one_by_one", [False, True])
def test_stages_that_contradict_are_joined_as_the_definition_says(
    tmp_path, suffix, one_by_one, monkeypatch
):
    if one_by_one:
        monkeypatch.setattr(exported, "columns_of_block", _refuse)
    contradicting = world(300 if one_by_one else 2_000, 3)
    replayed = replay_exported(export(objects_of(contradicting), tmp_path, suffix), EVERYTHING)
    assert balances_of(replayed.sums, replayed.agreements) == defined(contradicting)


def _refuse(*_):
    raise NotAsWrittenError


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("before", [None, "2026-10-12T10:00:00Z"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_it_is_narrowed_as_the_objects_are(
    tmp_path, suffix, selection, before, one_by_one, monkeypatch
):
    if one_by_one:
        monkeypatch.setattr(exported, "columns_of_block", _refuse)
    said = replay(MemoryLog(LOG), selection, before)
    replayed = replay_exported(export(LOG, tmp_path, suffix), selection, before)
    assert (replayed.sums, replayed.lines, replayed.findings) == (said.sums, said.lines, [])


def test_blocks_change_nothing(tmp_path, monkeypatch):
    path = export(LOG, tmp_path)
    whole = replay_exported(path, EVERYTHING)
    monkeypatch.setattr(exported_csv, "_BLOCK_BYTES", 1_000)
    monkeypatch.setattr(exported_parts, "_PARTS_HELD_MAX", 3)
    advanced: list[int] = []
    assert replay_exported(path, EVERYTHING, advance=advanced.append) == whole
    assert len(advanced) > 50
    assert sum(advanced) == whole.lines


def test_a_folder_of_files_is_one_log(tmp_path):
    keys = sorted(LOG)
    for half, suffix in ((keys[::2], "csv"), (keys[1::2], "parquet")):
        export({key: LOG[key] for key in half}, tmp_path, suffix)
    assert exported_files.is_exported(tmp_path)
    replayed = replay_exported(tmp_path, EVERYTHING)
    assert replayed.sums == replay(MemoryLog(LOG), EVERYTHING).sums
    assert (replayed.objects, replayed.findings) == (2, [])
    assert replayed.bytes_read == sum(each.stat().st_size for each in tmp_path.iterdir())


def test_an_empty_log_is_nothing(tmp_path, suffix):
    replayed = replay_exported(export({}, tmp_path, suffix), EVERYTHING)
    assert (replayed.sums, replayed.lines, replayed.findings) == ({}, 0, [])


@pytest.mark.parametrize("odd", ["0012", "NA", "1e5", "null", "true", "NaN"])
def test_ids_stay_what_they_are(tmp_path, suffix, odd):
    log = objects_of(renamed(each, {"bs-m-3": odd}) for each in segments(120, 7))
    replayed = replay_exported(export(log, tmp_path, suffix), EVERYTHING)
    assert replayed.sums == replay(MemoryLog(log), EVERYTHING).sums
    assert odd in {key.balance_shop_id for key in replayed.sums}


def test_amounts_that_64_bits_cannot_add_up_are_exact(tmp_path, suffix):
    from tests.audit.test_replay import CAPTURE

    [segment] = CAPTURE
    largest = Money(9 * 10**18, Currency("JPY", 0))
    same = [replace(segment.lines[0], amount=largest)] * 10
    uuids = expected_uuids("confirmed", segment.merchant_id, same)
    lines = [replace(line, uuid=uuid) for line, uuid in zip(same, uuids, strict=True)]
    log = objects_of([replace(segment, lines=tuple(lines))])
    [total] = replay_exported(export(log, tmp_path, suffix), EVERYTHING).sums.values()
    assert total == (10 * largest.minor, 10)


def test_the_large_files_of_the_bench_are_as_exported(tmp_path):
    as_csv, as_parquet = write_large(tmp_path, 40_000)
    replayed = replay_exported(as_csv, EVERYTHING)
    assert replayed.findings == []
    assert abs(replayed.lines - 40_000) < 10
    assert replay_exported(as_parquet, EVERYTHING).sums == replayed.sums


# What is repeated or missing


def test_a_line_counts_once_per_uuid_and_the_first_counts(tmp_path):
    said = replay(MemoryLog(LOG), EVERYTHING)
    path = export(LOG, tmp_path)

    def twice(lines):
        return [*lines, lines[5], lines[5]]

    last = said.lines + 1
    replayed = replay_exported(changed(path, twice), EVERYTHING)
    assert replayed.sums == said.sums
    assert replayed.findings == [
        Finding("log.csv", "repeated", f"line {last + n}: already in log.csv, line 6")
        for n in (1, 2)
    ]


def test_files_given_twice_count_once(tmp_path):
    for suffix in WRITERS:
        export(LOG, tmp_path, suffix)
    said = replay(MemoryLog(LOG), EVERYTHING)
    replayed = replay_exported(tmp_path, EVERYTHING)
    assert replayed.sums == said.sums
    assert len(replayed.findings) == said.lines
    assert (
        Finding("log.parquet", "repeated", "line 1: already in log.csv, line 2")
        in replayed.findings
    )


def test_equal_hashes_of_different_ids_are_no_repeats(tmp_path, suffix, monkeypatch):
    said = replay(MemoryLog(LOG), EVERYTHING)
    path = export(LOG, tmp_path, suffix)
    monkeypatch.setattr(exported, "hash_of", lambda _uuid: 7)
    monkeypatch.setattr(exported_columns, "hashes_of", lambda rows: rows[:, 0].astype("u8") * 0 + 7)
    monkeypatch.setattr(SeenHashes, "repeated", lambda _seen: frozenset({7}))
    monkeypatch.setattr(exported, "columns_of_block", _refuse)
    replayed = replay_exported(path, EVERYTHING)
    assert (replayed.sums, replayed.findings) == (said.sums, [])


def test_an_event_that_lacks_a_part_is_found(tmp_path, suffix):
    lost = next(key for key in sorted(LOG) if ".2-of-2" in key)
    left = {key: body for key, body in LOG.items() if key != lost}
    replayed = replay_exported(export(left, tmp_path, suffix), EVERYTHING)
    [finding] = replayed.findings
    assert (finding.key, finding.problem) == (f"log.{suffix}", "part_missing")
    assert finding.detail.endswith("part 2 of 2 is nowhere")
    assert replayed.sums == replay(MemoryLog(left), EVERYTHING).sums
    of_one = Selection(merchant_id="m-3")
    assert replay_exported(tmp_path / f"log.{suffix}", of_one).findings == []


def test_lines_in_any_order_lack_no_part(tmp_path, monkeypatch):
    monkeypatch.setattr(exported_csv, "_BLOCK_BYTES", 1_000)
    monkeypatch.setattr(exported_parts, "_PARTS_HELD_MAX", 3)
    path = changed(export(LOG, tmp_path), lambda lines: [lines[0], *sorted(lines[1:])[::-1]])
    replayed = replay_exported(path, EVERYTHING)
    assert replayed.findings == []
    assert replayed.sums == replay(MemoryLog(LOG), EVERYTHING).sums


def test_parts_of_two_numbers_are_flawed(tmp_path):
    path = export(LOG, tmp_path)
    place = next(n for n, line in enumerate(path.read_bytes().split(b"\n")) if b",2,2," in line)

    def other(lines):
        return [
            line.replace(b",2,2,", b",2,3,") if n == place else line for n, line in enumerate(lines)
        ]

    problems = {each.problem for each in replay_exported(changed(path, other), EVERYTHING).findings}
    assert "flawed" in problems


# What is not as exported


def first_line(before: str, after: str):
    return lambda lines: [lines[0], lines[1].replace(before.encode(), after.encode()), *lines[2:]]


OF_A_KEY = "stage, merchant_id, operation, date, revision or part"
CSV_FLAWS = [
    (first_line('"EUR"', '"XXX"'), "unknown currency"),
    (first_line('"EUR"', '"JPY"'), "an amount that is not at its currency's full scale"),
    (first_line('"capture"', '"gift"'), "type"),
    (
        first_line('"confirmed"', '"settled"'),
        OF_A_KEY,
    ),
    (first_line('"m-', '"-m-'), OF_A_KEY),
    (first_line("2026-10-01T10", "2026-10-01T25"), "operation_date"),
    (first_line('"2026-10-01T10:00:00Z"', '"01.10.26"'), "stage, merchant_id, operation, date"),
    (first_line('"bs-m', '"bs,m'), "commas or quotes"),
    (first_line('"bs-m', '"bs""m'), "commas or quotes"),
    (first_line('"bs-m', '"bs\xe9m'), "a character that no field has"),
    (first_line('"psp-1"', '"psp\xe9"'), "a character that no field has"),
    (first_line('"psp-1"', '"psp\x1b"'), "a character that no field has"),
    (first_line('"psp-1"', "psp-1"), "commas or quotes"),
    (first_line('"psp-1"', '"psp-1","psp-1"'), "commas or quotes"),
    (first_line(",1,2,", ",3,2,"), "no key of the log"),
    (first_line(",1,2,", ",0,2,"), "no key of the log"),
    (first_line(",1,2,", ",01,2,"), OF_A_KEY),
    (first_line(",1,2,", ",1.0,2,"), OF_A_KEY),
    (
        first_line(",1,2,", f",{'9' * 5_000},1,"),
        OF_A_KEY,
    ),
    (first_line(",1,2,", ",,1,"), OF_A_KEY),
    (first_line(",1,2,", ",,2,"), OF_A_KEY),
    (lambda lines: [lines[0], b"", *lines[2:]], "commas or quotes"),
    (lambda lines: [lines[0], lines[1] + b"\r", *lines[2:]], "a character that no field has"),
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
    assert Finding("log.csv", "flawed", f"line {lines + 1}: no line end") in replayed.findings
    assert replayed.lines == lines - 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_a_csv_in_another_encoding_is_refused(tmp_path, encoding):
    path = export(LOG, tmp_path)
    path.write_bytes(path.read_text().encode(encoding))
    with pytest.raises(NotExportedError, match=r"log\.csv: line 1 is not the header"):
        replay_exported(path, EVERYTHING)


@pytest.mark.parametrize("body", [b"", b"\n", b"stage,merchant_id\n", b"\x00" * 100, b"x" * 9_999])
def test_what_is_no_export_is_refused(tmp_path, suffix, body):
    path = tmp_path / f"log.{suffix}"
    path.write_bytes(body)
    with pytest.raises(NotExportedError, match=r"^log\."):
        replay_exported(path, EVERYTHING)


def test_other_columns_are_refused(tmp_path):
    path = changed(export(LOG, tmp_path), lambda lines: [lines[0].replace(b"psp_id", b"psp")])
    with pytest.raises(NotExportedError, match="line 1"):
        replay_exported(path, EVERYTHING)
    path = export(LOG, tmp_path, "parquet")
    parquet.write_table(parquet.read_table(path).drop_columns(["currency"]), path)
    with pytest.raises(NotExportedError, match="no column currency of the type string"):
        replay_exported(path, EVERYTHING)


def test_floats_are_refused(tmp_path):
    path = export(LOG, tmp_path, "parquet")
    with_column(path, "amount", lambda amounts: amounts.cast(pa.float64()))
    with pytest.raises(NotExportedError, match="no column amount of the type decimal128"):
        replay_exported(path, EVERYTHING)


def test_a_parquet_that_is_cut_off_or_damaged_is_refused(tmp_path):
    path = export(LOG, tmp_path, "parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(NotExportedError, match="no Parquet file, or not all of it"):
        replay_exported(path, EVERYTHING)
    path.write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(NotExportedError, match="from line 1 on it cannot be read"):
        replay_exported(path, EVERYTHING)


def test_a_row_group_too_large_to_be_ours_is_refused(tmp_path, monkeypatch):
    path = export(LOG, tmp_path, "parquet")
    monkeypatch.setattr(exported_parquet, "_GROUP_LINES_MAX", 10)
    with pytest.raises(NotExportedError, match="row group 0"):
        replay_exported(path, EVERYTHING)


PARQUET_FLAWS = [
    ("amount", Decimal("1.0050"), "an amount that is not at its currency's full scale"),
    ("amount", None, "no amount"),
    ("amount", Decimal("922337203685477.5808"), "an amount that is not at its"),
    ("currency", "XXX", "unknown currency"),
    ("currency", None, "no currency"),
    ("type", "gift", "type"),
    ("uuid", "0" * 36, "uuid"),
    ("uuid", None, "no uuid"),
    ("part", 3, "no key of the log"),
    ("parts", -1, "stage, merchant_id"),
    ("operation_date", "2026-02-30T10:00:00Z", "day is out of range"),
    ("falcon_operation_id", "0012", "no key of the log"),
    ("balance_shop_id", "a,b", "balance_shop_id: a character that no field has"),
    ("balance_shop_id", "caf\xe9", "balance_shop_id: a character that no field has"),
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
    from tests.audit.test_replay import CAPTURE

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


def test_a_spreadsheets_csv_is_refused_line_by_line(tmp_path):
    path = export(LOG, tmp_path)
    options = arrow_csv.WriteOptions(quoting_style="none", quoting_header="none")
    arrow_csv.write_csv(arrow_csv.read_csv(path), path, options)
    replayed = replay_exported(path, EVERYTHING)
    assert replayed.sums == {}
    assert {each.problem for each in replayed.findings} == {"flawed"}


# The command


def test_the_command_takes_files_and_ends_without_a_traceback(tmp_path, suffix):
    run = CliRunner()
    path = export(LOG, tmp_path, suffix)
    done = run.invoke(app, ["replay", "--log", str(path), "--json"])
    assert done.exit_code == 0, done.output
    assert '"objects": 1' in done.stdout
    done = run.invoke(app, ["trial-balance", "--log", str(path), "--json"])
    assert done.exit_code == 0, done.output
    assert '"open": []' in done.stdout
    path.write_bytes(path.read_bytes()[1:])
    done = run.invoke(app, ["replay", "--log", str(path)])
    assert "--log: log." in str(done.exception)
