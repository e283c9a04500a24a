"""When a cut is complete, and where a shard begins that is read for the first time."""

import pytest

from falcon_balances.domain.cuts import Cut, Shard, ShardState, inherited_floor, is_complete
from falcon_balances.domain.instants import parse_rfc3339

CUT = Cut(parse_rfc3339("2026-11-20T10:16:00Z"), ("a", "b"))
TEN = parse_rfc3339("2026-11-20T10:00:00Z")
QUARTER_PAST = parse_rfc3339("2026-11-20T10:15:00Z")


@pytest.mark.parametrize(
    ("met", "complete"),
    [
        ([], False),
        (["a"], False),
        (["b"], False),
        (["b", "a"], True),
        (["a", "b", "child-of-a"], True),  # a shard that opened later is not waited for
        (["a", "child-of-b"], False),  # what is in b before the cut is not counted yet
    ],
)
def test_a_cut_is_complete_when_every_shard_of_its_list_has_met_it(met, complete):
    assert is_complete(CUT, met) is complete


SHARDS = [
    Shard("root", "0"),
    Shard("left", "0", ("root",)),
    Shard("right", "1", ("root",)),
    Shard("merged", "0", ("left", "right")),
    Shard("grandchild", "0", ("merged",)),
]
NEVER_READ = ShardState(is_known=False, closed_until=None)


@pytest.mark.parametrize(
    ("shard_id", "known", "floor"),
    [
        ("root", {}, None),
        ("left", {"root": TEN}, TEN),
        ("left", {"root": None}, None),
        ("merged", {"left": TEN, "right": QUARTER_PAST}, QUARTER_PAST),
        ("merged", {"left": QUARTER_PAST, "right": None}, QUARTER_PAST),
        # `right` held nothing that was ever read: what its own parent closed is closed there.
        ("merged", {"left": TEN, "root": QUARTER_PAST}, QUARTER_PAST),
        ("grandchild", {"root": TEN}, TEN),
        # Who was read speaks for all before it.
        ("grandchild", {"merged": TEN, "root": QUARTER_PAST}, TEN),
    ],
)
def test_a_new_shard_begins_with_the_newest_floor_of_its_parents(shard_id, known, floor):
    def state_of(parent: str) -> ShardState:
        return (
            ShardState(is_known=True, closed_until=known[parent])
            if parent in known
            else (NEVER_READ)
        )

    assert inherited_floor(shard_id, SHARDS, state_of) == floor


def test_a_shard_that_the_stream_does_not_list_has_no_floor_yet():
    with pytest.raises(ValueError, match="the stream has no shard stranger"):
        inherited_floor("stranger", SHARDS, lambda _parent: NEVER_READ)
