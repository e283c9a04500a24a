"""Reads what the journals of all shards have that is not sealed yet (design §7).

Whole pages are read, always the page with the oldest floor. So the shards stay together, and to
recognize repeats, only entries of the quarters that are still open are remembered. Memory: 500
bytes for each page that is not sealed yet, 64 pages or two per shard, and 450 bytes for each entry
of the open quarters, which are one or two.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Final, NamedTuple, Self

from falcon_balances.adapters.journal_ports import Journal
from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.domain.cuts import CLOSING_DELAY, closed_until
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import quarter_of
from falcon_balances.domain.journal import (
    JournalEntry,
    JournalPosition,
    PageName,
    Repeats,
    chained,
)
from falcon_balances.domain.sealed_shards import SealedShard, SealedShards

_PAGES_AHEAD: Final = 64
_BEFORE_ALL: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class NewEntries:
    """The new entries of some pages. `late`: entries of quarters that were sealed before their page
    was read. They must repeat sealed entries; the caller checks this.
    `second_versions`: log keys that came with several version ids; the first id counts. `shards`
    and `until` say how far the journals are read with these pages.
    """

    new: list[JournalEntry]
    late: list[JournalEntry]
    second_versions: Set[str]
    shards: SealedShards
    until: datetime


class _Page(NamedTuple):
    entries: Sequence[JournalEntry]
    floor: datetime
    newest: datetime
    """Its newest quarter."""

    @classmethod
    def of(cls, name: PageName, body: bytes) -> Self:
        page = read_page(name, body)
        return cls(page.entries, page.floor, max(each.window for each in page.entries))


@dataclass(slots=True)
class _Shard:
    """A shard that is read up to `sealed`; `trail` has the pages after `open`, each with its newest
    quarter and its position.
    """

    open: JournalPosition
    sealed: JournalPosition
    names: deque[PageName]
    pages: deque[_Page] = field(default_factory=deque)
    trail: deque[tuple[datetime, JournalPosition]] = field(default_factory=deque)

    def step(self) -> Sequence[JournalEntry]:
        page = self.pages.popleft()
        self.trail.append((page.newest, self.names.popleft().position))
        return page.entries

    def close(self, window: datetime) -> None:
        """Moves `open` behind the pages that have only quarters before `window`."""
        while self.trail and self.trail[0][0] < window:
            _, self.open = self.trail.popleft()


class UnsealedJournal:
    """The journals after the positions of `sealed`, up to a complete cut and its `ends`
    (`JournalEnds`). `sealed_until` is the time of the last manifest.

    Raises IntegrityError for a page that is missing or that the reducer did not write; pages are
    named before any of them is read. A shard without new pages costs no request unless another
    shard has some.
    """

    def __init__(
        self,
        journal: Journal,
        sealed: SealedShards,
        sealed_until: datetime | None,
        ends: Mapping[str, JournalPosition],
        cut_at: datetime,
    ) -> None:
        self._journal = journal
        self._cut_at = cut_at
        self._sealed_until = sealed_until or _BEFORE_ALL
        self._closed = closed_until(self._sealed_until)
        self._repeats = Repeats()
        self._shards: dict[str, _Shard] = {}
        before = {each: sealed.get(each, SealedShard()) for each in sorted({*sealed, *ends})}
        self._has_new = {
            each: _is_beyond(ends.get(each, shard.sealed), shard.sealed)
            for each, shard in before.items()
        }
        if any(self._has_new.values()):
            for each, shard in before.items():
                end = ends[each] if self._has_new[each] else shard.sealed
                self._shards[each] = self._named(each, shard, end)

    @property
    def left(self) -> int:
        """The number of pages that are not read yet."""
        return sum(len(shard.names) for shard in self._shards.values())

    def parts(self, entries_max: int) -> Iterator[NewEntries]:
        """Everything new, in parts of about `entries_max` entries: at most a page more."""
        if not self._shards:
            return
        with ThreadPoolExecutor(_PAGES_AHEAD) as pool:
            self._read_sealed_again(pool)
            while self.left:
                yield self._part(entries_max, pool)

    def _part(self, entries_max: int, pool: ThreadPoolExecutor) -> NewEntries:
        new: list[JournalEntry] = []
        late: list[JournalEntry] = []
        self._repeats.second_versions = set()
        while self.left and len(new) < entries_max:
            oldest, shard = self._next(pool)
            self._close(oldest)
            for entry in shard.step():
                if entry.window < self._closed:
                    late.append(entry)
                elif self._repeats.is_new(entry):
                    new.append(entry)
            shard.sealed = shard.trail[-1][1]
        self._close(self._next(pool)[0] if self.left else self._cut_at)
        # As if a cut had closed the quarters that are read whole.
        read_until = self._closed + CLOSING_DELAY if self.left else self._cut_at
        self._sealed_until = max(self._sealed_until, read_until)
        shards = {each: SealedShard(it.open, it.sealed) for each, it in self._shards.items()}
        return NewEntries(new, late, self._repeats.second_versions, shards, self._sealed_until)

    def _next(self, pool: ThreadPoolExecutor) -> tuple[datetime, _Shard]:
        """The shard to go on with, and a quarter before which no shard has anything new."""
        ready = [
            (self._oldest(shard, pool), each) for each, shard in self._shards.items() if shard.names
        ]
        oldest, shard_id = min(ready)
        return oldest, self._shards[shard_id]

    def _oldest(self, shard: _Shard, pool: ThreadPoolExecutor) -> datetime:
        """The oldest quarter of which this shard and its children may still have new entries. It is
        the next page's floor, not its oldest entry: a later page can have entries of an earlier
        quarter.
        """
        self._read_ahead(shard, pool)
        return max(shard.pages[0].floor, self._closed)

    def _close(self, time: datetime) -> None:
        """Closes the quarters before this time, as far as the cut closed them: no page that is not
        read yet has anything new of them.
        """
        window = min(quarter_of(time), closed_until(self._cut_at))
        if window <= self._closed:
            return
        self._closed = window
        self._repeats.forget_before(window)
        for shard in self._shards.values():
            shard.close(window)

    def _read_sealed_again(self, pool: ThreadPoolExecutor) -> None:
        """Reads the sealed pages with open quarters, whose entries may be repeated in new ones."""
        for shard in self._shards.values():
            while shard.names and shard.names[0].position.number <= shard.sealed.number:
                self._read_ahead(shard, pool)
                for entry in shard.step():
                    if entry.window >= self._closed:
                        self._repeats.is_new(entry)
            shard.close(self._closed)

    def _read_ahead(self, shard: _Shard, pool: ThreadPoolExecutor) -> None:
        if not shard.pages:
            some = list(islice(shard.names, max(2, _PAGES_AHEAD // len(self._shards))))
            bodies = pool.map(self._journal.read, some)
            shard.pages.extend(map(_Page.of, some, bodies))

    def _named(self, shard_id: str, shard: SealedShard, end: JournalPosition) -> _Shard:
        """The names of the pages after `open`; one request for each thousand of them."""
        if end == shard.open:
            return _Shard(shard.open, shard.sealed, deque())
        later = self._journal.names(shard_id, shard.open.number)
        names = takewhile(lambda name: name.position.number <= end.number, later)
        found = chained(shard_id, shard.open, end, names)
        if shard.sealed not in {shard.open, *(name.position for name in found)}:
            raise IntegrityError(f"journal of {shard_id}: page {shard.sealed.text} is missing")
        return _Shard(shard.open, shard.sealed, deque(found))


def _is_beyond(end: JournalPosition, sealed: JournalPosition) -> bool:
    """Whether there are pages to read after `sealed`. A different page with the same number counts:
    then the chain is broken, and reading it raises the error. A shard that the cut does not name
    may have been read further than a later cut says.
    """
    return end.number >= sealed.number and end != sealed
