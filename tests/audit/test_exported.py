"""An exported file replays to what the log's objects do."""

from dataclasses import replace

import pytest
from hypothesis import given
from typer.testing import CliRunner

from falcon_balances.audit import (
    exported,
    exported_csv,
    exported_files,
    exported_parts,
)
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.exported import replay_exported
from falcon_balances.audit.replay import replay
from falcon_balances.cli.audit.app import app
from falcon_balances.domain.log_format import expected_uuids
from falcon_balances.domain.money import Currency, Money
from generated.large_files import write_large
from generated.logs import objects_of, segments
from tests.audit.definition import defined, world
from tests.audit.exports import (
    EVERYTHING,
    LOG,
    SELECTIONS,
    WRITERS,
    export,
    refuse,
)
from tests.audit.logs import MemoryLog
from tests.audit.test_journals import renamed
from tests.strategies import few, journals


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
        patch.setattr(exported, "columns_of_block", refuse)
        for suffix in WRITERS:
            replayed = replay_exported(export(log, folder, suffix), EVERYTHING)
            assert replayed.sums == replay(MemoryLog(log), EVERYTHING).sums
            assert replayed.findings == []


@pytest.mark.parametrize("one_by_one", [False, True])
def test_stages_that_contradict_are_joined_as_the_definition_says(
    tmp_path, suffix, one_by_one, monkeypatch
):
    if one_by_one:
        monkeypatch.setattr(exported, "columns_of_block", refuse)
    contradicting = world(300 if one_by_one else 2_000, 3)
    replayed = replay_exported(export(objects_of(contradicting), tmp_path, suffix), EVERYTHING)
    assert balances_of(replayed.sums, replayed.agreements) == defined(contradicting)


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("before", [None, "2026-10-12T10:00:00Z"])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_it_is_narrowed_as_the_objects_are(
    tmp_path, suffix, selection, before, one_by_one, monkeypatch
):
    if one_by_one:
        monkeypatch.setattr(exported, "columns_of_block", refuse)
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
    from tests.audit.replays import CAPTURE

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
