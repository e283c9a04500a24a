"""An in-memory balance stream: shards that keep order and arrival times, and that can split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import md5
from itertools import count

from falcon_balances.adapters.ports import StreamEntry
from falcon_balances.domain.cuts import Shard
from falcon_balances.fakes.interruptions import Interrupt, Interruptible, interruptible, never

HASH_KEYS = 2**128


@dataclass(frozen=True, slots=True)
class Arrived:
    data: bytes
    arrived_at: datetime


@dataclass(slots=True)
class MemoryShard:
    """Covers the hash keys from `start` to `end`, without `end` itself."""

    shard: Shard
    start: int
    end: int
    records: list[Arrived] = field(default_factory=list)


class MemoryBalanceStream(Interruptible):
    """`refuse` returns the positions of the entries that the stream refuses in a PutRecords."""

    def __init__(
        self, clock: Callable[[], datetime], shard_count: int = 2, interrupt: Interrupt = never
    ) -> None:
        super().__init__(interrupt)
        self._clock = clock
        self._numbers = count()
        self.refuse: Callable[[Sequence[StreamEntry]], Sequence[int]] = lambda _entries: ()
        self.by_id: dict[str, MemoryShard] = {}
        for n in range(shard_count):
            self._open(n * HASH_KEYS // shard_count, (n + 1) * HASH_KEYS // shard_count)

    def _open(self, start: int, end: int, parents: tuple[str, ...] = ()) -> None:
        shard = Shard(f"shardId-{next(self._numbers):012d}", str(start), parents)
        self.by_id[shard.shard_id] = MemoryShard(shard, start, end)

    @interruptible
    def publish(self, entries: Sequence[StreamEntry]) -> Sequence[int]:
        refused = set(self.refuse(entries))
        for position, entry in enumerate(entries):
            if position not in refused:
                hashed = md5(entry.partition_key.encode(), usedforsecurity=False).digest()
                self._put(int.from_bytes(hashed), entry.data)
        return sorted(refused)

    @interruptible
    def shards(self) -> Sequence[Shard]:
        return [held.shard for held in self.by_id.values()]

    @interruptible
    def put_cut(self, shard: Shard, data: bytes) -> None:
        self._put(int(shard.starting_hash_key), data)

    def _put(self, hash_key: int, data: bytes) -> None:
        held = next(
            held
            for held in self.by_id.values()
            if held.shard.is_open and held.start <= hash_key < held.end
        )
        held.records.append(Arrived(data, self._clock()))

    def split_shard(self, shard_id: str) -> None:
        """Splits a shard like SplitShard: the shard closes, two children cover its hash keys."""
        held = self.by_id[shard_id]
        middle = (held.start + held.end) // 2
        held.shard = replace(held.shard, is_open=False)
        self._open(held.start, middle, (shard_id,))
        self._open(middle, held.end, (shard_id,))
