"""What the journal says of a closed UTC day: how many segments and lines, and in which pages."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.domain.journal import PageName

_HEAD_LINES: Final = 1
_HOUR: Final = timedelta(hours=1)
_HOURS: Final = 24


class JournalOfDay(NamedTuple):
    """`pages`, sorted by key, hold every entry of the day, and others."""

    segments: int
    lines: int
    pages: Sequence[PageName]


def journal_of_day(reader: ClosedJournal, day: date) -> JournalOfDay:
    """Reads the day, by the hour: `entries` keeps what it has read of its quarters in memory, 400
    bytes for each segment. Raises IntegrityError.
    """
    reader.gone_through.clear()
    start = datetime.combine(day, time(), UTC)
    segments = lines = 0
    for hour in range(_HOURS):
        since = start + hour * _HOUR
        for entry in reader.entries(since, since + _HOUR):
            segments += 1
            lines += entry.body.count("\n") - _HEAD_LINES
    return JournalOfDay(segments, lines, sorted(reader.gone_through, key=lambda name: name.key))
