"""What was counted after the last closed day, from the journal: what a table has and they do not.

Closed days end at midnight and the table does not. Both together are everything that was counted.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal_ports import JournalPages
from falcon_balances.audit.journal_folder import JournalFolder
from falcon_balances.contracts.closed_days import ClosedDayV1
from falcon_balances.domain.journal import JournalEntry, JournalPosition, PageName

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
_HEAD_LINES: Final = 1


class CountedSince(NamedTuple):
    """The pages that hold everything counted on `first` and later, and how much that is."""

    first: date
    pages: Sequence[Path]
    segments: int
    lines: int


class KeptPages:
    """Pages of a journal, each of which is read once and then kept in a folder."""

    def __init__(self, journal: JournalPages, folder: Path) -> None:
        self._journal = journal
        self._kept = JournalFolder(folder)

    def names(self, shard_id: str, after: int) -> Iterator[PageName]:
        return self._journal.names(shard_id, after)

    def read(self, name: PageName) -> bytes:
        path = self.path(name)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(".half")
            half.write_bytes(self._journal.read(name))
            half.replace(path)
        return path.read_bytes()

    def path(self, name: PageName) -> Path:
        return self._kept.path(name)


def counted_since(
    pages: KeptPages,
    ends: Mapping[str, JournalPosition],
    last: ClosedDayV1,
    now: datetime,
) -> CountedSince:
    """What was counted after the closed day `last`, up to `ends`. Raises IntegrityError.

    Every page from that day's end on is read once, which are those of a day where days are closed
    every night. Memory: as `ClosedJournal` for an hour, and 300 bytes for each page.
    """
    reader = ClosedJournal(pages, ends, last.positions)
    first = last.day + _DAY
    segments = lines = 0
    for entry in _entries(reader, datetime.combine(first, time(), UTC), now):
        segments += 1
        lines += entry.body.count("\n") - _HEAD_LINES
    found = sorted(reader.gone_through, key=lambda name: name.key)
    return CountedSince(first, [pages.path(name) for name in found], segments, lines)


def _entries(reader: ClosedJournal, since: datetime, now: datetime) -> Iterator[JournalEntry]:
    """By the hour, because an hour's entries stay in memory; the last hour is open."""
    while since < now:
        yield from reader.entries(since, since + _HOUR)
        since += _HOUR
    yield from reader.entries(since, _NEVER)
