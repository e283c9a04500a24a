"""The port of how far the reducers are: cuts, shards and their journals."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from falcon_balances.domain.cuts import Cut, ShardState
from falcon_balances.domain.journal import JournalPosition


class StreamProgress(Protocol):
    def as_of(self) -> datetime | None:
        """The time up to which everything that reached the stream is counted; None before the first
        complete cut.
        """

    def advance_as_of(self, cut_at: datetime) -> None:
        """Moves `as_of` forward, never back."""

    def meet_cut(self, cut: Cut, shard_id: str, journaled: JournalPosition) -> frozenset[str]:
        """Records that everything before the cut in this shard is counted, and journaled up to this
        position; a repetition does not change the position. Returns the shards that have met the
        cut.
        """

    def complete_cut(self, cut_at: datetime, now: datetime) -> None:
        """Records when `as_of` reached this cut; a repetition does not change that time."""

    def shard_state(self, shard_id: str) -> ShardState: ...

    def park(self, names: Collection[str]) -> None:
        """Notes that these records wait: no shard meets a cut before they are counted."""

    def unpark(self, names: Collection[str]) -> None: ...

    def move_shard(
        self,
        shard_id: str,
        seen: JournalPosition,
        closed_until: datetime | None,
        journaled: JournalPosition,
    ) -> bool:
        """Moves the shard's `closed_until` and its journal forward, both or none. False if the
        shard is not journaled as `seen`, or is closed until later.
        """
