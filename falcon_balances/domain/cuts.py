"""Cuts and windows (design §7): how far the stream is counted, and which quarters are closed.

A cut is met in a shard once everything before it there is counted, and nothing is parked. Met in
all its shards, it is complete.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from falcon_balances.domain.instants import quarter_of

# A cut closes the quarters that ended at least this long before it was taken: arrival times are
# Kinesis' and the cut's is ours, and the two clocks may differ a little.
CLOSING_DELAY: Final = timedelta(seconds=5)
# The cutter puts a cut as soon as it is taken: what is further from its arrival is none of ours.
_CUT_EARLY_MAX: Final = timedelta(minutes=1)
_CUT_LATE_MAX: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the stream; `parents` are those it came from when the stream was resharded."""

    shard_id: str
    starting_hash_key: str
    parents: tuple[str, ...] = ()
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Cut:
    """Taken at `cut_at`, before `shards`, the open ones, were listed: whole seconds, UTC."""

    cut_at: datetime
    shards: tuple[str, ...]


class ShardState(NamedTuple):
    """Whether any reducer ever read the shard, until when its quarters are closed, and the names of
    the records of any shard that are parked.
    """

    is_known: bool
    closed_until: datetime | None
    parked: frozenset[str] = frozenset()


def is_complete(cut: Cut, met: Collection[str]) -> bool:
    """Cut completion: all that reached the stream before `cut_at` is counted, so `as_of` may move
    there. `met`: the shards in which everything before the cut is durably counted.

    The cut waits for the shards that were open when it was taken, whatever became of them since.
    """
    return set(cut.shards).issubset(met)


def inherited_floor(
    shard_id: str, shards: Iterable[Shard], state_of: Callable[[str], ShardState]
) -> datetime | None:
    """Until when quarters are closed in a shard that is read for the first time: the newest that
    its parents closed. A parent that no reducer ever read held nothing: its own parents speak
    for it. Raises ValueError where the shard is not among the stream's.
    """
    parents = {shard.shard_id: shard.parents for shard in shards}
    if shard_id not in parents:
        raise ValueError(f"{shard_id} is not among the stream's shards")
    pending = list(parents[shard_id])
    floors: list[datetime | None] = []
    while pending:
        parent = pending.pop()
        state = state_of(parent)
        floors.append(state.closed_until)
        if not state.is_known:
            pending.extend(parents.get(parent, ()))
    return newest(floors)


def is_believable(cut: Cut, arrived_at: datetime) -> bool:
    """Waits for some shard, and was taken about when it arrived; else it would move time itself."""
    return bool(cut.shards) and -_CUT_EARLY_MAX <= arrived_at - cut.cut_at <= _CUT_LATE_MAX


def closed_until(cut_at: datetime) -> datetime:
    """The newest quarter's start T so that nothing after a cut of then is counted before T."""
    return quarter_of(cut_at - CLOSING_DELAY)


def window_of(arrived_at: datetime, floor: datetime | None) -> datetime:
    """The quarter of the record's arrival, never earlier than what is closed in its shard."""
    window = quarter_of(arrived_at)
    return window if floor is None else max(window, floor)


def newest(floors: Sequence[datetime | None]) -> datetime | None:
    """The newest of several floors, None where there is none."""
    known = [floor for floor in floors if floor is not None]
    return max(known, default=None)
