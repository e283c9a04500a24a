"""Lines of an exported file that come twice count once; parts that are missing are named."""

from falcon_balances.audit import (
    exported,
    exported_columns,
    exported_csv,
    exported_parts,
)
from falcon_balances.audit.exported import replay_exported
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.repeats import SeenHashes
from falcon_balances.audit.replay import replay
from tests.audit.exports import (
    EVERYTHING,
    LOG,
    WRITERS,
    changed,
    export,
    refuse,
)
from tests.audit.logs import MemoryLog


def test_a_line_counts_once_per_uuid_and_the_first_counts(tmp_path):
    said = replay(MemoryLog(LOG), EVERYTHING)
    path = export(LOG, tmp_path)

    def twice(lines):
        return [*lines, lines[5], lines[5]]

    last = said.lines + 1
    replayed = replay_exported(changed(path, twice), EVERYTHING)
    assert replayed.sums == said.sums
    assert replayed.findings == [
        LogFinding("log.csv", "repeated", f"line {last + n}: repeats line 6 of log.csv")
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
        LogFinding("log.parquet", "repeated", "line 1: repeats line 2 of log.csv")
        in replayed.findings
    )


def test_equal_hashes_of_different_ids_are_no_repeats(tmp_path, suffix, monkeypatch):
    said = replay(MemoryLog(LOG), EVERYTHING)
    path = export(LOG, tmp_path, suffix)
    monkeypatch.setattr(exported, "hash_of", lambda _uuid: 7)
    monkeypatch.setattr(exported_columns, "hashes_of", lambda rows: rows[:, 0].astype("u8") * 0 + 7)
    monkeypatch.setattr(SeenHashes, "repeated", lambda _seen: frozenset({7}))
    monkeypatch.setattr(exported, "columns_of_block", refuse)
    replayed = replay_exported(path, EVERYTHING)
    assert (replayed.sums, replayed.findings) == (said.sums, [])


def test_an_event_that_lacks_a_part_is_found(tmp_path, suffix):
    lost = next(key for key in sorted(LOG) if ".2-of-2" in key)
    left = {key: body for key, body in LOG.items() if key != lost}
    replayed = replay_exported(export(left, tmp_path, suffix), EVERYTHING)
    [finding] = replayed.findings
    assert (finding.key, finding.problem) == (f"log.{suffix}", "part_missing")
    assert finding.detail.endswith("missing: part 2 of 2")
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
