"""Replay gives what a pencil gives, and names whatever is not as the log writes it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.audit import replay as replaying
from falcon_balances.audit import sums
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_format import expected_uuids
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import Stage
from generated.logs import objects_of, write
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog
from tests.audit.replays import CAPTURE, EVERYTHING, FEES, SALE, ZEROS, balances_in, segments_of
from tests.builders import confirmed, reconciled
from tests.strategies import few, journals


@given(journals(), st.randoms(use_true_random=False))
@few
def test_any_order_gives_what_folding_segment_by_segment_gives(segments, rng):
    objects = list(objects_of(segments).items())
    rng.shuffle(objects)
    replayed = replay(MemoryLog(dict(objects)), EVERYTHING)
    assert balances_of(replayed.sums, replayed.agreements) == defined(segments)
    assert (replayed.objects, replayed.findings) == (len(objects), [])
    assert replayed.lines == sum(len(each.lines) for each in segments)


@given(journals())
@few
def test_objects_looked_at_one_by_one_give_the_same_sums(segments):
    objects = objects_of(segments)
    flawed = f"payout/merchant_id=m-9/date=2026-01-01/{ZEROS}.csv"
    alone = replay(MemoryLog(objects | {flawed: b""}), EVERYTHING)
    assert alone.sums == replay(MemoryLog(objects), EVERYTHING).sums
    assert [(each.key, each.problem) for each in alone.findings] == [(flawed, "flawed")]


def test_chunks_change_nothing(monkeypatch):
    segments = [
        each
        for n in range(60)
        for document in (
            confirmed(external_reference=f"o-{n}", amount=f"{7919 * n + 1}.00"),
            reconciled(external_reference=f"o-{n}", amount="7.50"),
        )
        for each in segments_of(document, FEES)
    ]
    log = MemoryLog(objects_of(segments))
    whole = replay(log, EVERYTHING)
    monkeypatch.setattr(replaying, "_CHUNK_BYTES", 700)
    monkeypatch.setattr(sums, "_PARTIAL_SUMS_MAX", 3)
    advanced: list[int] = []
    assert replay(log, EVERYTHING, advance=advanced.append) == whole
    assert sum(advanced) == len(segments) == whole.objects
    assert len(advanced) > 5
    assert balances_of(whole.sums, whole.agreements) == defined(segments)


@pytest.mark.parametrize("seed", range(5))
def test_stages_that_contradict_are_joined_as_the_definition_says(seed, tmp_path):
    """Two thousand events, and every figure of every balance."""
    segments = world(2_000, seed)
    log = LogFolder(write(objects_of(segments), tmp_path / "log"))
    balances = balances_in(log, processes=2)
    assert balances == defined(segments)
    for figure in ("pending", "unapplied", "debits_unconfirmed", "debits_untraced"):
        assert sum(getattr(each, figure) > 0 for each in balances.values()) > 9


def test_of_a_moment_only_what_is_dated_before_is_joined():
    segments = world(300, 9)
    log = MemoryLog(objects_of(segments))
    for moment in (datetime(2026, 10, 8, tzinfo=UTC), datetime(2026, 11, 8, 3, tzinfo=UTC)):
        before = [each for each in segments if each.booked_at < moment]
        assert balances_in(log, before=rfc3339(moment)) == defined(before)


def test_a_stage_alone_is_joined_with_nothing():
    segments = world(300, 8)
    replayed = replay(MemoryLog(objects_of(segments)), Selection(stage=Stage.CONFIRMED))
    confirmed_alone = [each for each in segments if each.stage is Stage.CONFIRMED]
    assert balances_of(replayed.sums, replayed.agreements) == defined(confirmed_alone)


def test_a_repeated_line_leaves_its_standing():
    segments = world(40, 5)
    log = objects_of(segments)
    key = next(key for key in log if key.startswith("confirmed/") and "-of-" not in key)
    again = key.replace(".csv", ".2-of-2.csv")
    assert balances_in(MemoryLog(log | {again: log[key]})) == defined(segments)
    assert replay(MemoryLog(log | {again: log[key]}), EVERYTHING).left_out


def test_a_folder_and_its_selections(tmp_path):
    later = segments_of(confirmed(external_reference="o-2", operation_date="2026-11-21T00:00:00Z"))
    root = write(objects_of([*CAPTURE, *SALE, *later]), tmp_path / "log")
    log = LogFolder(root)
    assert balances_in(log) == defined([*CAPTURE, *SALE, *later])
    of_one = replay(log, Selection(merchant_id="m-5554"))
    assert balances_of(of_one.sums, of_one.agreements) == defined([SALE[1]])
    assert of_one.findings == []
    assert replay(log, Selection(stage=Stage.RECONCILED)).objects == 0
    assert replay(log, Selection(since="2026-11-21")).objects == 1
    assert replay(log, Selection(until="2026-11-21")).objects == 4
    assert replay(log, Selection(merchant_id="../confirmed")).objects == 0


def test_what_is_dated_at_the_instant_or_later_is_left_out():
    later = segments_of(confirmed(external_reference="o-2", operation_date="2026-11-20T10:15:31Z"))
    log = MemoryLog(objects_of([*CAPTURE, *later]))
    replayed = replay(log, EVERYTHING, before="2026-11-20T10:15:31Z")
    assert balances_of(replayed.sums, replayed.agreements) == defined(CAPTURE)
    assert replay(log, EVERYTHING, before="2026-11-20T10:15:30Z").sums == {}


def test_amounts_that_64_bits_cannot_add_up_are_exact():
    [segment] = CAPTURE
    largest = Money(10**15 * 10**4 - 1, Currency("CLF", 4))
    segments = []
    for n in range(3):
        line = replace(
            segment.lines[0],
            amount=largest,
            falcon_operation_id=f"0000000{n}" + segment.falcon_operation_id[8:],
        )
        [uuid] = expected_uuids("confirmed", segment.merchant_id, (line,))
        line = replace(line, uuid=uuid)
        segments.append(replace(segment, lines=(line,)))
    log = MemoryLog(objects_of(segments))
    [total] = replay(log, EVERYTHING).sums.values()
    assert total == (3 * largest.minor, 3)
    assert balances_in(log) == defined(segments)
