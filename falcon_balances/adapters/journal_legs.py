"""Reads the pages of all shards between two positions of each, in no order of time."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from typing import Final

from falcon_balances.adapters.journal_ports import JournalPages
from falcon_balances.domain.journal import BEGINNING, JournalPosition, PageName, chained

_PAGES_AT_ONCE: Final = 32


def pages_between(
    journal: JournalPages,
    starts: Mapping[str, JournalPosition],
    ends: Mapping[str, JournalPosition],
) -> Iterator[tuple[PageName, bytes]]:
    """The new pages, shard by shard, each with its bytes as S3 has them.

    One request for each thousand new pages, none for a shard without, and one for each page, 32 at
    once. Raises IntegrityError for a missing page before any page of its shard is read. Memory: 500
    bytes for each page of a shard, and 32 pages, of at most 6 MB, as large as a batch.
    """
    with ThreadPoolExecutor(_PAGES_AT_ONCE) as pool:
        for shard_id, end in sorted(ends.items()):
            names = iter(_named(journal, shard_id, starts.get(shard_id, BEGINNING), end))
            while some := list(islice(names, _PAGES_AT_ONCE)):
                yield from zip(some, pool.map(journal.read, some), strict=True)


def _named(
    journal: JournalPages, shard_id: str, start: JournalPosition, end: JournalPosition
) -> list[PageName]:
    if end == start:
        return []
    later = journal.names(shard_id, start.number)
    names = takewhile(lambda name: name.position.number <= end.number, later)
    return chained(shard_id, start, end, names)
