"""Cuts, as_of and the floors of shards, in memory and in DynamoDB."""

import pytest

from falcon_balances.domain.cuts import Cut
from tests.component.world import utc

CUT = Cut(utc("2026-11-20T10:15:00"), ("shard-a", "shard-b"))


SHARD = "shardId-000000000000"


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
    assert store.port.meet_cut(CUT, "shard-a") == {"shard-a"}
    assert store.port.meet_cut(CUT, "shard-a") == {"shard-a"}
    assert store.port.meet_cut(CUT, "shard-b") == {"shard-a", "shard-b"}
    assert store.port.meet_cut(CUT, "shard-a") == {"shard-a", "shard-b"}


def test_cuts_are_met_apart(store):
    store.port.meet_cut(CUT, "shard-a")
    later = Cut(utc("2026-11-20T10:16:00"), CUT.shards)
    assert store.port.meet_cut(later, "shard-b") == {"shard-b"}


def test_a_cut_was_completed_when_it_was_for_the_first_time(store):
    assert store.completed_at(CUT.cut_at) is None
    store.port.meet_cut(CUT, "shard-a")
    store.port.meet_cut(CUT, "shard-b")
    assert store.completed_at(CUT.cut_at) is None
    for completed in ("2026-11-20T10:15:02.999999", "2026-11-20T10:16:00", "2026-11-20T10:14:00"):
        store.port.complete_cut(CUT.cut_at, utc(completed))
        assert store.completed_at(CUT.cut_at) == "2026-11-20T10:15:02Z"


def test_cuts_are_completed_apart_and_keep_who_has_met_them(store):
    later = utc("2026-11-20T10:16:00")
    store.port.meet_cut(CUT, "shard-a")
    store.port.complete_cut(CUT.cut_at, utc("2026-11-20T10:15:02"))
    store.port.complete_cut(later, utc("2026-11-20T10:16:02"))
    assert store.port.meet_cut(CUT, "shard-b") == {"shard-a", "shard-b"}
    assert store.completed_at(CUT.cut_at) == "2026-11-20T10:15:02Z"
    assert store.completed_at(later) == "2026-11-20T10:16:02Z"
    assert store.port.as_of() is None


def test_a_shard_that_nobody_raised_is_unknown(store):
    assert store.port.shard_state(SHARD)[:2] == (False, None)


def test_a_shard_can_be_known_without_a_floor(store):
    store.port.raise_shard_floor(SHARD, None)
    assert store.port.shard_state(SHARD)[:2] == (True, None)


@pytest.mark.parametrize(
    ("raised_to", "stands_at"),
    [
        ([None, "2026-11-20T10:00:00"], "2026-11-20T10:00:00"),
        (["2026-11-20T10:00:00", None], "2026-11-20T10:00:00"),
        (["2026-11-20T10:00:00", "2026-11-20T10:15:00"], "2026-11-20T10:15:00"),
        (["2026-11-20T10:15:00", "2026-11-20T10:00:00"], "2026-11-20T10:15:00"),
    ],
)
def test_a_floor_never_moves_back(store, raised_to, stands_at):
    for floor in raised_to:
        store.port.raise_shard_floor(SHARD, floor and utc(floor))
    assert store.port.shard_state(SHARD)[:2] == (True, utc(stands_at))
    assert store.port.shard_state("shardId-000000000001")[:2] == (False, None)
