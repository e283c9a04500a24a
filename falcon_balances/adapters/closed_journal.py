"""Reads what was counted in closed quarters, from the journals of all shards (design §7)."""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice, takewhile
from typing import Final

from falcon_balances.adapters.journal_ports import JournalPages
from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.domain.journal import (
    BEGINNING,
    JournalEntry,
    JournalPage,
    JournalPosition,
    PageName,
    Repeats,
    chained,
)

_PAGES_AT_ONCE: Final = 16


@dataclass(slots=True)
class _Shard:
    """A shard whose pages up to `position` are read. `ahead`: the names of the next pages, in
    order. `fetched`: the first of these pages, read ahead.

    `next_window`: a quarter before which the next pages have no new entries; None if unknown.
    """

    position: JournalPosition
    ahead: deque[PageName]
    fetched: deque[JournalPage] = field(default_factory=deque)
    next_window: datetime | None = None

    def pass_over(self) -> None:
        """Moves `position` behind the next page, which has nothing for a later reader."""
        self.position = self.ahead.popleft().position
        self.fetched.popleft()


class ClosedJournal:
    """The journals of all shards between two positions of each.

    `ends` are of a complete cut (`JournalEnds`); `starts` are the `positions` that an earlier
    reader ended with, empty for the first reader. Raises IntegrityError for a page that is missing
    or that the reducer did not write; the pages are named before any of them is read.

    Memory: 500 bytes for each page between `starts` and `ends`, 300 of which stay in `gone_through`
    until the caller empties it; 16 pages or two for each shard, of at most 6 MB, as large as a
    batch, and at a quarter's border those of its batches; and 400 bytes for each entry of the
    quarters that are read by one `entries`. So a caller with many quarters reads them one after the
    other, which costs no further requests.
    """

    def __init__(
        self,
        journal: JournalPages,
        ends: Mapping[str, JournalPosition],
        starts: Mapping[str, JournalPosition],
    ) -> None:
        self._journal = journal
        self._at_once = max(2, _PAGES_AT_ONCE // max(1, len(ends)))
        self._shards = {
            shard_id: self._named(shard_id, starts.get(shard_id, BEGINNING), end)
            # Parents come before their children: Kinesis numbers shards in this order.
            for shard_id, end in sorted(ends.items())
        }
        self._forgotten = {each: starts[each] for each in starts if each not in ends}
        self.second_versions: set[str] = set()
        """Log keys that came with several version ids; the first one counts."""
        self.gone_through: set[PageName] = set()
        """The pages whose entries were looked at since the caller last emptied this set. A page
        that was fetched ahead is here only once its entries are looked at.
        """

    @property
    def positions(self) -> dict[str, JournalPosition]:
        """Where the next reader starts, after the last `entries` was read to its end: before the
        first page with an entry of a later quarter.
        """
        read = {shard_id: shard.position for shard_id, shard in self._shards.items()}
        return self._forgotten | read

    def entries(self, since: datetime | None, until: datetime) -> Iterator[JournalEntry]:
        """The segments counted in the quarters from `since` and before `until`, each once; by
        shard, in the order in which the shard counted them.

        The quarters must be closed by the cut of `ends`. `since` must not be before the `until` of
        an earlier call or reader: the pages of earlier quarters are passed over.
        """
        repeats = Repeats(self.second_versions)
        for shard in self._shards.values():
            for entry in self._of_shard(shard, until):
                is_asked_for = (since is None or entry.window >= since) and entry.window < until
                if is_asked_for and repeats.is_new(entry):
                    yield entry

    def _named(self, shard_id: str, start: JournalPosition, end: JournalPosition) -> _Shard:
        """The shard with the names of its new pages; one request for each thousand of them."""
        if end == start:
            return _Shard(start, deque())
        later = self._journal.names(shard_id, start.number)
        names = takewhile(lambda name: name.position.number <= end.number, later)
        return _Shard(start, deque(chained(shard_id, start, end, names)))

    def _of_shard(self, shard: _Shard, until: datetime) -> Iterator[JournalEntry]:
        """The entries of the shard's pages up to the first page whose floor is `until` or later: no
        page after it has a new entry of the wanted quarters. If an earlier call read that far,
        nothing is read.

        Reading must not end at a page that only has an entry of a later quarter: an interrupted
        attempt can have counted this entry from a record of a later page.
        """
        if shard.next_window is not None and shard.next_window >= until:
            return
        kept, next_window = 0, None
        while (page := self._page(shard, kept)) is not None:
            if page.floor >= until:
                next_window = min(next_window or page.floor, page.floor)
                break
            self.gone_through.add(shard.ahead[kept])
            yield from page.entries
            later = [entry.window for entry in page.entries if entry.window >= until]
            if later:
                next_window = min([*later, next_window or later[0]])
            if next_window is None:
                shard.pass_over()
            else:
                kept += 1
        shard.next_window = next_window

    def _page(self, shard: _Shard, number: int) -> JournalPage | None:
        """The shard's page at this place, counted from its position. Pages that are read ahead stay
        in memory until they are passed over.
        """
        if number == len(shard.fetched):
            some = list(islice(shard.ahead, number, number + self._at_once))
            with ThreadPoolExecutor(self._at_once) as pool:
                shard.fetched += map(read_page, some, pool.map(self._journal.read, some))
        return shard.fetched[number] if number < len(shard.fetched) else None
