"""Cuts, as_of and the floors of shards, in memory and in DynamoDB."""

import pytest

from falcon_balances.domain.cuts import Cut, ShardState
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from tests.component.world import utc

CUT = Cut(utc("2026-11-20T10:15:00"), ("shard-a", "shard-b"))


SHARD = "shardId-000000000000"
FIRST, SECOND = JournalPosition(1, "a" * 64), JournalPosition(2, "b" * 64)


def test_as_of_is_unknown_at_first_and_never_moves_back(store):
    assert store.port.as_of() is None
    for moved_to, stands_at in [
        ("2026-11-20T10:15:00", "2026-11-20T10:15:00"),
        ("2026-11-20T10:14:00", "2026-11-20T10:15:00"),
        ("2026-11-20T10:15:00", "2026-11-20T10:15:00"),
        ("2026-11-21T00:00:00", "2026-11-21T00:00:00"),
        ("2025-12-31T23:59:59", "2026-11-21T00:00:00"),
    ]:
        store.port.advance_as_of(utc(moved_to))
        assert store.port.as_of() == utc(stands_at)


def test_a_cut_is_met_shard_by_shard_and_meeting_it_again_changes_nothing(store):
    assert store.port.meet_cut(CUT, "shard-a", BEGINNING) == {"shard-a"}
    assert store.port.meet_cut(CUT, "shard-a", BEGINNING) == {"shard-a"}
    assert store.port.meet_cut(CUT, "shard-b", BEGINNING) == {"shard-a", "shard-b"}
    assert store.port.meet_cut(CUT, "shard-a", BEGINNING) == {"shard-a", "shard-b"}


def test_cuts_are_met_apart(store):
    store.port.meet_cut(CUT, "shard-a", BEGINNING)
    later = Cut(utc("2026-11-20T10:16:00"), CUT.shards)
    assert store.port.meet_cut(later, "shard-b", BEGINNING) == {"shard-b"}


def test_a_cut_was_completed_when_it_was_for_the_first_time(store):
    assert store.completed_at(CUT.cut_at) is None
    store.port.meet_cut(CUT, "shard-a", BEGINNING)
    store.port.meet_cut(CUT, "shard-b", BEGINNING)
    assert store.completed_at(CUT.cut_at) is None
    for completed in ("2026-11-20T10:15:02.999999", "2026-11-20T10:16:00", "2026-11-20T10:14:00"):
        store.port.complete_cut(CUT.cut_at, utc(completed))
        assert store.completed_at(CUT.cut_at) == "2026-11-20T10:15:02Z"


def test_cuts_are_completed_apart_and_keep_who_has_met_them(store):
    later = utc("2026-11-20T10:16:00")
    store.port.meet_cut(CUT, "shard-a", BEGINNING)
    store.port.complete_cut(CUT.cut_at, utc("2026-11-20T10:15:02"))
    store.port.complete_cut(later, utc("2026-11-20T10:16:02"))
    assert store.port.meet_cut(CUT, "shard-b", BEGINNING) == {"shard-a", "shard-b"}
    assert store.completed_at(CUT.cut_at) == "2026-11-20T10:15:02Z"
    assert store.completed_at(later) == "2026-11-20T10:16:02Z"
    assert store.port.as_of() is None


def test_a_cut_keeps_how_far_each_shard_was_journaled_when_it_was_first_met(store):
    store.port.move_shard("shard-c", BEGINNING, None, FIRST)
    store.port.move_shard("shard-a", BEGINNING, None, SECOND)
    store.port.meet_cut(CUT, "shard-a", FIRST)
    store.port.meet_cut(CUT, "shard-a", SECOND)
    store.port.meet_cut(CUT, "shard-b", BEGINNING)
    store.port.complete_cut(CUT.cut_at, CUT.cut_at)
    assert store.port.ends(CUT.cut_at) == {
        "shard-a": FIRST,
        "shard-b": BEGINNING,
        "shard-c": FIRST,
    }
    assert store.port.journaled_now() == {"shard-a": SECOND, "shard-c": FIRST}


def test_of_a_cut_that_is_not_complete_nothing_is_told(store):
    with pytest.raises(TransientError, match="2026-11-20T10:15:00Z is not known, or not complete"):
        store.port.ends(CUT.cut_at)
    store.port.meet_cut(CUT, "shard-a", BEGINNING)
    with pytest.raises(TransientError, match="not complete"):
        store.port.ends(CUT.cut_at)


def test_a_shard_that_nobody_moved_is_unknown(store):
    assert store.port.shard_state(SHARD) == ShardState(is_known=False, closed_until=None)


def test_a_shard_can_be_known_without_a_floor(store):
    assert store.port.move_shard(SHARD, BEGINNING, None, BEGINNING)
    assert store.port.shard_state(SHARD) == ShardState(is_known=True, closed_until=None)


@pytest.mark.parametrize(
    ("floors", "stands_at"),
    [
        ([None, "2026-11-20T10:00:00"], "2026-11-20T10:00:00"),
        (["2026-11-20T10:00:00", None], "2026-11-20T10:00:00"),
        (["2026-11-20T10:00:00", "2026-11-20T10:00:00"], "2026-11-20T10:00:00"),
        (["2026-11-20T10:00:00", "2026-11-20T10:15:00"], "2026-11-20T10:15:00"),
        (["2026-11-20T10:15:00", "2026-11-20T10:00:00"], "2026-11-20T10:15:00"),
    ],
)
def test_a_floor_never_moves_back(store, floors, stands_at):
    first, second = (floor and utc(floor) for floor in floors)
    assert store.port.move_shard(SHARD, BEGINNING, first, BEGINNING)
    moved = store.port.move_shard(SHARD, BEGINNING, second, BEGINNING)
    assert moved == (floors[1] == stands_at)
    assert store.port.shard_state(SHARD)[:2] == (True, utc(stands_at))
    assert store.port.shard_state("shardId-000000000001")[:2] == (False, None)


def test_of_two_that_journal_from_the_same_position_one_succeeds(store):
    floor = utc("2026-11-20T10:00:00")
    assert store.port.move_shard(SHARD, BEGINNING, floor, FIRST)
    for other in (SECOND, FIRST, BEGINNING):
        assert not store.port.move_shard(SHARD, BEGINNING, floor, other)
    assert store.port.shard_state(SHARD).journaled == FIRST
    assert store.port.move_shard(SHARD, FIRST, floor, SECOND)
    assert store.port.shard_state(SHARD) == ShardState(
        is_known=True, closed_until=floor, journaled=SECOND
    )


def test_what_moves_moves_together(store):
    """A floor that is later already keeps the journal from moving too: what was read is old."""
    late, early = utc("2026-11-20T10:15:00"), utc("2026-11-20T10:00:00")
    assert store.port.move_shard(SHARD, BEGINNING, late, BEGINNING)
    assert not store.port.move_shard(SHARD, BEGINNING, early, FIRST)
    assert store.port.shard_state(SHARD).journaled == BEGINNING


def test_an_unknown_shard_is_not_journaled(store):
    assert not store.port.move_shard(SHARD, FIRST, None, SECOND)
    assert not store.port.shard_state(SHARD).is_known
