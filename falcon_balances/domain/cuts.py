"""Cuts and windows (design §7): how far the stream is counted, and which quarters are closed.

A shard meets a cut when everything before the cut in that shard is counted and nothing is parked.
The cut is complete when all its shards have met it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from falcon_balances.domain.instants import quarter_of

# A cut closes the quarters that ended at least this long before it: Kinesis gives arrival times and
# our clock gives the cut's time, and the two can differ a little.
CLOSING_DELAY: Final = timedelta(seconds=5)
# The cutter sends each cut at once, so a cut that arrives earlier or later than this is not the
# cutter's.
_CUT_EARLY_MAX: Final = timedelta(minutes=1)
_CUT_LATE_MAX: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard of the stream; `parents` are the shards from which resharding made it."""

    shard_id: str
    starting_hash_key: str
    parents: tuple[str, ...] = ()
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Cut:
    """`cut_at` (UTC, whole seconds) was read before `shards`, the open shards, were listed, so a
    shard that opened later holds no record from before `cut_at`.
    """

    cut_at: datetime
    shards: tuple[str, ...]


class ShardState(NamedTuple):
    """Whether a reducer ever read the shard, the time until which its quarters are closed, and the
    names of parked records of any shard.
    """

    is_known: bool
    closed_until: datetime | None
    parked: frozenset[str] = frozenset()


def is_complete(cut: Cut, met: Collection[str]) -> bool:
    """Whether the cut is complete: everything that reached the stream before `cut_at` is counted,
    so `as_of` can move to `cut_at`. `met`: the shards in which everything before the cut is durably
    counted.

    The cut waits for the shards that were open when it was taken, even if they were closed since.
    """
    return set(cut.shards).issubset(met)


def inherited_floor(
    shard_id: str, shards: Iterable[Shard], state_of: Callable[[str], ShardState]
) -> datetime | None:
    """The time until which quarters are closed in a shard that is read for the first time: the
    latest such time of its parents. A parent that no reducer ever read held no records, so its own
    parents count instead. Raises ValueError if the stream does not list the shard.
    """
    parents = {shard.shard_id: shard.parents for shard in shards}
    if shard_id not in parents:
        raise ValueError(f"the stream has no shard {shard_id}")
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
    """Whether the cut names shards and its time is close to its arrival; any other cut could move
    `as_of` to a wrong time.
    """
    return bool(cut.shards) and -_CUT_EARLY_MAX <= arrived_at - cut.cut_at <= _CUT_LATE_MAX


def closed_until(cut_at: datetime) -> datetime:
    """The latest start of a quarter for which this holds: no record after the cut is counted in an
    earlier quarter.
    """
    return quarter_of(cut_at - CLOSING_DELAY)


def window_of(arrived_at: datetime, floor: datetime | None) -> datetime:
    """The quarter of the record's arrival, but never one that is closed in its shard."""
    window = quarter_of(arrived_at)
    return window if floor is None else max(window, floor)


def newest(floors: Sequence[datetime | None]) -> datetime | None:
    """The newest of several floors; None if there is none."""
    known = [floor for floor in floors if floor is not None]
    return max(known, default=None)
