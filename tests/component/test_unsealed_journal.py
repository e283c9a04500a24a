"""Whatever comes when, and however a run is cut short: each segment is read as new once."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.adapters.unsealed_journal import UnsealedJournal
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import QUARTER, quarter_of
from falcon_balances.domain.journal import BEGINNING, JournalEntry, JournalPosition
from falcon_balances.domain.sealed_shards import SealedShard, SealedShards
from falcon_balances.fakes.journal import MemoryJournal
from tests.component.world import utc
from tests.journals import append, entry, page_after

SHARDS = ("shardId-000000000000", "shardId-000000000001")
one_entry = cache(entry)


class Reducers:
    """Two shards that count, repeat and journal as the reducer does, and a reader that seals."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.journal = MemoryJournal()
        self.time = utc("2026-11-20T10:00:00")
        self.ends: dict[str, JournalPosition] = dict.fromkeys(SHARDS, BEGINNING)
        self.counted: dict[str, list[JournalEntry]] = {each: [] for each in SHARDS}
        self.sealed: SealedShards = {}
        self.until: datetime | None = None
        self.found: list[str] = []

    def count(self) -> None:
        """A batch: some new segments, and some that come again, in any order."""
        shard_id = self.rng.choice(SHARDS)
        counted = self.counted[shard_id]
        number = sum(map(len, self.counted.values()))
        new = [
            replace(one_entry(number + n), window=quarter_of(self.time))
            for n in range(self.rng.randrange(4))
        ]
        again = self.rng.sample(counted, min(len(counted), self.rng.randrange(3)))
        if new and self.rng.random() < 0.2:
            self._count_ahead(new.pop(), shard_id)
        counted += new
        page = self.rng.sample(new + again, len(new + again))
        if page:
            floor = quarter_of(self.time)
            lost = page_after(self.ends[shard_id], *page[:1], shard_id=shard_id, floor=floor)
            self.journal.write(lost)
            self._append(page, shard_id)

    def _count_ahead(self, one: JournalEntry, shard_id: str) -> None:
        """An attempt that was interrupted counted it from a later record, of the next quarter."""
        ahead = replace(one, window=one.window + QUARTER)
        self.counted[shard_id].append(ahead)
        self._append([ahead], shard_id)

    def _append(self, page: list[JournalEntry], shard_id: str) -> None:
        self.ends[shard_id] = append(
            self.journal,
            self.ends[shard_id],
            *page,
            shard_id=shard_id,
            floor=quarter_of(self.time),
        )

    def wait(self) -> None:
        self.time += timedelta(minutes=self.rng.choice([1, 7, 15, 200]))

    def seal(self, parts_max: int | None = None) -> None:
        """Reads up to a cut now; the reader may end before it has read all."""
        cut_at = self.time = self.time + timedelta(seconds=10)
        unsealed = UnsealedJournal(self.journal, self.sealed, self.until, self.ends, cut_at)
        for number, part in enumerate(unsealed.parts(self.rng.randrange(1, 6)), start=1):
            self.found += (each.log_key for each in part.new)
            assert {each.log_key for each in part.late} <= set(self.found)
            assert self.until is None or self.until <= part.until
            self.sealed, self.until = part.shards, part.until
            if number == parts_max:
                break

    def seal_partly(self) -> None:
        self.seal(parts_max=1)


@given(seed=st.integers(0, 1 << 32))
def test_every_segment_is_new_once_and_late_ones_were_new_before(seed):
    rng = Random(seed)
    world = Reducers(rng)
    for _ in range(40):
        world.rng.choice(
            [world.count, world.count, world.wait, lambda: world.seal(1), world.seal]
        )()
    world.seal()
    counted = [each.log_key for some in world.counted.values() for each in some]
    assert sorted(world.found) == sorted(counted)


def sealed_by(journal: MemoryJournal, end: JournalPosition, cut_at: datetime) -> SealedShards:
    [part] = UnsealedJournal(journal, {}, None, {SHARDS[0]: end}, cut_at).parts(100)
    return part.shards


def test_what_is_repeated_of_a_quarter_that_the_cut_did_not_close_is_not_new():
    """A quarter is closed some seconds after its end."""
    journal = MemoryJournal()
    end = append(journal, BEGINNING, entry(0, "10:00"))
    cut_at = utc("2026-11-20T10:15:02")
    sealed = sealed_by(journal, end, cut_at)
    end = append(journal, end, entry(0, "10:00"), entry(1, "10:00"))
    later = UnsealedJournal(journal, sealed, cut_at, {SHARDS[0]: end}, utc("2026-11-20T10:16:00"))
    [part] = later.parts(100)
    assert [each.log_key for each in part.new] == [entry(1, "10:00").log_key]


def test_a_run_with_nothing_new_asks_the_journal_for_nothing():
    journal = MemoryJournal()
    end = append(journal, BEGINNING, entry(0, "10:00"))
    cut_at = utc("2026-11-20T10:01:00")
    sealed = sealed_by(journal, end, cut_at)
    asked: list[str] = []
    again = MemoryJournal(lambda *call: asked.append(str(call)))
    later = cut_at + timedelta(days=1)
    assert list(UnsealedJournal(again, sealed, cut_at, {SHARDS[0]: end}, later).parts(1)) == []
    assert asked == []


def test_only_pages_with_open_quarters_are_read_twice():
    journal = MemoryJournal()
    first = append(journal, BEGINNING, entry(0, "10:00"))
    second = append(journal, first, entry(1, "10:15"))
    cut_at = utc("2026-11-20T10:20:00")
    sealed = sealed_by(journal, second, cut_at)
    assert sealed == {SHARDS[0]: SealedShard(first, second)}
    assert closed_until(cut_at) == utc("2026-11-20T10:15:00")
    third = append(journal, second, entry(2, "10:45"))
    later = cut_at + 3 * QUARTER
    [part] = UnsealedJournal(journal, sealed, cut_at, {SHARDS[0]: third}, later).parts(1)
    assert [each.version_id for each in part.new] == ["version-2"]
    assert part.shards == {SHARDS[0]: SealedShard(third, third)}


@pytest.mark.parametrize("fault", ["missing", "cut", "forged", "of another shard", "exchanged"])
def test_nothing_is_built_on_pages_that_the_reducer_did_not_write(fault):
    journal = MemoryJournal()
    first = append(journal, BEGINNING, entry(0, "10:00"))
    cut_at = utc("2026-11-20T10:01:00")
    sealed = sealed_by(journal, first, cut_at)
    end = append(journal, first, entry(1, "10:00"))
    [last] = [each for each in journal.objects if end.digest in each]
    body = journal.objects.pop(last)
    match fault:
        case "cut":
            journal.objects[last] = body[:-9]
        case "forged":
            journal.objects[last] = body.replace(b"order-1", b"order-2")
        case "of another shard":
            journal.objects[last.replace(SHARDS[0], SHARDS[1])] = body
        case "exchanged":
            end = append(journal, BEGINNING, entry(1, "10:00"))
            end = append(journal, end, entry(2, "10:00"))
    with pytest.raises(IntegrityError, match="journal"):
        list(UnsealedJournal(journal, sealed, cut_at, {SHARDS[0]: end}, cut_at).parts(1))
