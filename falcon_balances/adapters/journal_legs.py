"""Reads the pages of all shards between two positions of each, in no order of time."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import takewhile
from typing import Final

from falcon_balances.adapters.journal_ports import JournalPages
from falcon_balances.domain.journal import BEGINNING, JournalPosition, PageName, chained

_PAGES_AHEAD: Final = 64


def pages_between(
    journal: JournalPages,
    starts: Mapping[str, JournalPosition],
    ends: Mapping[str, JournalPosition],
) -> Iterator[tuple[PageName, bytes]]:
    """The new pages, shard by shard, each with its bytes as S3 has them.

    One request for each thousand new pages, none for a shard without, and one for each page, 64 at
    once, while the caller works on earlier ones. Raises IntegrityError for a missing page before
    any page of its shard is read. Memory: 500 bytes for each page of a shard, and 64 pages, of at
    most 6 MB, as large as a batch.
    """
    with ThreadPoolExecutor(_PAGES_AHEAD) as pool:
        for shard_id, end in sorted(ends.items()):
            names = _named(journal, shard_id, starts.get(shard_id, BEGINNING), end)
            yield from _read_ahead(journal, names, pool)


def _read_ahead(
    journal: JournalPages, names: Sequence[PageName], pool: Executor
) -> Iterator[tuple[PageName, bytes]]:
    reading: deque[Future[bytes]] = deque()
    later = iter(names)
    for name in names:
        while len(reading) < _PAGES_AHEAD and (following := next(later, None)) is not None:
            reading.append(pool.submit(journal.read, following))
        yield name, reading.popleft().result()


def _named(
    journal: JournalPages, shard_id: str, start: JournalPosition, end: JournalPosition
) -> list[PageName]:
    if end == start:
        return []
    later = journal.names(shard_id, start.number)
    names = takewhile(lambda name: name.position.number <= end.number, later)
    return chained(shard_id, start, end, names)
