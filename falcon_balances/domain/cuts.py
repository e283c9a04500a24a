"""Cuts and windows (design §7): how far the stream is counted, and which quarters are closed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

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
