"""Closed days replay to what the log's objects do, whenever and however often they are closed."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from pyarrow import parquet

from falcon_balances.audit.balances import balances_of, differences
from falcon_balances.audit.closed_replay import replay_closed
from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.contracts.closed_day_query import ROW_COLUMNS
from falcon_balances.domain.available import Joint
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import BalanceKey
from generated.large_files import write_closed, write_large
from generated.logs import objects_of, segments
from tests.audit.closed import (
    START,
    closed,
    closed_days_of,
    entries_of,
    write_page,
    written_pages,
)
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog
from tests.journals import SHARD, entry, page_after
from tests.property import test_worlds
from tests.strategies import few, journals

EVERYTHING = Selection()
WORLD = world(150, 3)
LOG = MemoryLog(objects_of(WORLD))
DAY = timedelta(days=1)
PARENT, CHILD = SHARD, "shardId-000000000002"


@given(journals().filter(bool))
@settings(few, max_examples=20)
def test_closed_days_replay_to_what_the_log_does(tmp_path_factory, counted):
    some = closed_days_of(tmp_path_factory.mktemp("days"), counted)
    said = replay(MemoryLog(objects_of(counted)), EVERYTHING)
    replayed = replay_closed(some, EVERYTHING)
    assert replayed.sums == said.sums
    assert replayed.agreements == said.agreements
    assert (replayed.lines, replayed.findings) == (said.lines, [])


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    return closed_days_of(tmp_path_factory.mktemp("days [a]*'b'"), WORLD)


def test_they_are_the_definition_of_balances(days):
    replayed = replay_closed(days, EVERYTHING)
    assert balances_of(replayed.sums, replayed.agreements) == defined(WORLD)
    assert replayed.findings == []


@pytest.mark.parametrize(
    "selection",
    [
        Selection(merchant_id="m-3"),
        Selection(merchant_id="m-none"),
        Selection(stage=Stage.RECONCILED),
        Selection(since="2026-10-08"),
        Selection(until="2026-10-08"),
        Selection("m-3", Stage.CONFIRMED, "2026-10-05", "2026-10-20"),
    ],
)
@pytest.mark.parametrize("before", [None, "2026-10-15T12:00:00Z"])
def test_a_selection_is_that_of_the_log(days, selection, before):
    said, replayed = replay(LOG, selection, before), replay_closed(days, selection, before)
    assert (replayed.sums, replayed.agreements) == (said.sums, said.agreements)


def test_a_row_has_what_the_journal_says_of_its_line(days):
    tables = [parquet.read_table(path) for path in sorted(days.glob("*/*.parquet"))]
    assert {tuple(each.column_names) for each in tables} == {ROW_COLUMNS}
    rows = [row for each in tables for row in each.to_pylist()]
    by_line = {(each["log_key"], each["line"]): each for each in rows}
    assert len(by_line) == len(rows) == sum(len(segment.lines) for segment in WORLD)
    for segment, said in zip(WORLD, entries_of(WORLD), strict=True):
        assert csv_body(segment) == said.body
        for number, line in enumerate(segment.lines, start=1):
            found = by_line[said.log_key, number]
            assert found["sha256"] == said.sha256
            assert found["version_id"] == said.version_id
            assert found["quarter"] == f"{said.window:%Y-%m-%dT%H:%M:%SZ}"
            of_key = (segment.merchant_id, segment.stage, segment.revision, segment.part)
            keys = ("merchant_id", "stage", "revision", "part")
            assert tuple(found[name] for name in keys) == of_key
            assert found["parts"] == segment.parts
            assert found["uuid"] == line.uuid
            assert found["amount"].scaleb(line.amount.currency.exponent) == line.amount.minor


def test_rows_of_a_day_are_sorted_by_merchant_and_operation(days):
    for path in days.glob("*/*.parquet"):
        rows = parquet.read_table(path, columns=["merchant_id", "falcon_operation_id"]).to_pylist()
        order = [(row["merchant_id"], row["falcon_operation_id"]) for row in rows]
        assert order == sorted(order)


def test_days_that_are_closed_one_by_one_are_the_same(days, tmp_path):
    entries = list(entries_of(WORLD))
    end = written_pages(tmp_path, entries)
    made = []
    for n in (1, 2, 3, 30, 31, len(list(days.iterdir()))):
        made += closed(tmp_path, {SHARD: end}, START + n * DAY)
    assert [each.name for each in sorted((tmp_path / "closed").iterdir())] == [
        each.name for each in sorted(days.iterdir())
    ]
    assert sum(each.segments for each in made) == len(WORLD)
    said, replayed = replay_closed(days, EVERYTHING), replay_closed(tmp_path / "closed", EVERYTHING)
    assert replayed.sums == said.sums


def test_a_day_that_has_not_ended_is_not_closed(tmp_path):
    end = written_pages(tmp_path, [entry(0)])
    midnight = entry(0).window.replace(hour=0, minute=0) + DAY
    assert closed(tmp_path, {SHARD: end}, midnight + timedelta(seconds=4)) == []
    [day] = closed(tmp_path, {SHARD: end}, midnight + timedelta(seconds=5))
    assert (day.date, day.segments, day.lines) == ("2026-11-20", 1, 1)
    assert closed(tmp_path, {SHARD: end}, midnight + timedelta(hours=1)) == []


def test_an_empty_journal_has_no_closed_days(tmp_path):
    assert closed(tmp_path, {}, START) == []
    assert closed(tmp_path, {SHARD: BEGINNING}, START) == []
    assert replay_closed(tmp_path / "closed", EVERYTHING).objects == 0


def test_a_day_without_segments_is_closed_without_files(tmp_path):
    end = written_pages(tmp_path, [entry(0), entry(1, window=entry(0).window + 3 * DAY)])
    made = closed(tmp_path, {SHARD: end}, entry(0).window + 5 * DAY)
    assert [(each.segments, len(each.files)) for each in made] == [
        (1, 1),
        (0, 0),
        (0, 0),
        (1, 1),
        (0, 0),
    ]
    assert replay_closed(tmp_path / "closed", EVERYTHING).lines == 2


def test_a_repeat_belongs_to_the_day_on_which_it_was_counted(tmp_path):
    """A repeat may be journaled days later, and in another shard."""
    first, again = entry(0), entry(0, version_id="another")
    later = entry(1, window=entry(0).window + DAY)
    ends = {
        PARENT: written_pages(tmp_path, [first, later], shard_id=PARENT),
        CHILD: written_pages(tmp_path, [again, later], shard_id=CHILD),
    }
    made = closed(tmp_path, ends, first.window + 2 * DAY)
    assert [each.segments for each in made] == [1, 1]
    rows = [
        row
        for path in sorted((tmp_path / "closed").glob("*/*.parquet"))
        for row in parquet.read_table(path, columns=["version_id"]).to_pylist()
    ]
    assert [row["version_id"] for row in rows] == ["version-0", "version-1"]


def test_a_page_of_an_interrupted_attempt_is_not_read(tmp_path):
    end = written_pages(tmp_path, [entry(0)])
    other = page_after(BEGINNING, entry(7))
    write_page(tmp_path, other.name.key, other.body)
    [day] = closed(tmp_path, {SHARD: end}, entry(0).window + DAY)
    assert day.segments == 1


def test_random_worlds_replay_to_the_table_and_the_log(tmp_path):
    found = test_worlds.counted(5)
    for name, body in found.places.journal.objects.items():
        write_page(tmp_path, name, body)
    found.tick(days=1)
    found.cutter()()
    found.reduce_all()
    as_of = found.store.known_as_of
    assert as_of
    made = closed(tmp_path, found.store.ends(as_of), as_of)
    assert [each.date for each in made] == ["2026-03-05", "2026-03-06"]
    objects = {key: logged.body for key, logged in found.log.objects.items()}
    said = replay(MemoryLog(dict(sorted(objects.items()))), EVERYTHING)
    replayed = replay_closed(tmp_path / "closed", EVERYTHING)
    assert (replayed.sums, replayed.agreements) == (said.sums, said.agreements)
    assert replayed.findings == []
    balances = balances_of(replayed.sums, replayed.agreements)
    merchants = sorted({each.merchant_id for each in balances})
    table = [(m, each) for m in merchants for each in found.store.balances_of(m)]
    assert differences(balances, table) == []
    assert sum(".r" in key for key in objects) > 40


def test_an_effect_is_that_of_the_whole_id(tmp_path):
    """One balance shop's id can be the end of another's."""
    effect = {BalanceKey("x-bs-5553-eur", "EUR"): Joint(pending=1), **entry(0).effect}
    end = written_pages(tmp_path, [entry(0, effect=effect)])
    closed(tmp_path, {SHARD: end}, entry(0).window + DAY)
    [path] = (tmp_path / "closed").glob("*/*.parquet")
    assert [int(each) for each in parquet.read_table(path).column("pending").to_pylist()] == [
        10_000
    ]


def test_generated_days_are_as_valid_as_closed_ones(tmp_path):
    log = MemoryLog(objects_of(segments(300, contradicting=True)))
    tables = tables_of(log, EVERYTHING, [], lambda _objects: None)
    said, replayed = (
        replay(log, EVERYTHING),
        replay_closed(write_closed(tmp_path, tables), EVERYTHING),
    )
    assert (replayed.sums, replayed.agreements) == (said.sums, said.agreements)
    assert replayed.findings == []
    large = replay_closed(write_large(tmp_path / "large", 5_000), EVERYTHING)
    assert large.findings == []
    assert abs(large.lines - 5_000) < 10
