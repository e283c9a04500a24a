"""The balances that moved on a day, read from the journals of all shards (design §7)."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal_ports import Journal, JournalEnds
from falcon_balances.adapters.past_ports import MovedOnDay
from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.domain.closings import MovedBalance, day_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import QUARTER
from falcon_balances.domain.journal import JournalEntry, JournalPosition
from falcon_balances.domain.log_keys import LogKey


class JournalMovedBalances:
    """`as_of`: the time of the newest complete cut; callers ask only for quarters that it closed.
    `is_over`: whether the run's time is used up.

    Each page is read once, or twice around midnight and between two runs: one quarter of an hour
    after the other. Memory: 400 bytes for each segment of a quarter, and for each balance.
    """

    def __init__(
        self,
        journal: Journal,
        ends: JournalEnds,
        as_of: Callable[[], datetime | None],
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        self._journal = journal
        self._ends = ends
        self._as_of = as_of
        self._is_over = is_over
        self._reading: tuple[datetime, str, ClosedJournal] | None = None

    def first_day(self) -> str | None:
        """The day of the oldest floor among the shards' first pages; it reads one page per shard.
        Segments would mislead: those of a first page can be of a later day than those of the next.
        """
        floors = [floor for shard_id in self._known_ends() for floor in self._first(shard_id)]
        return day_of(min(floors)) if floors else None

    def between(self, since: datetime, until: datetime, journal: str) -> MovedOnDay:
        closed = self._reader_at(since, journal)
        self._reading = None
        found: set[MovedBalance] = set()
        read_until = since
        while read_until < until and not self._is_over():
            for entry in closed.entries(read_until, read_until + QUARTER):
                found.update(_moved_by(entry))
            read_until += QUARTER
        following = _written(closed.positions)
        self._reading = (read_until, following, closed)
        return MovedOnDay(found, following, read_until)

    def _reader_at(self, since: datetime, journal: str) -> ClosedJournal:
        """The reader of the quarters before, if there is one, so that days without segments cost
        nothing.
        """
        if self._reading is not None and self._reading[:2] == (since, journal):
            return self._reading[2]
        return ClosedJournal(self._journal, self._known_ends(), _read(journal))

    def _known_ends(self) -> Mapping[str, JournalPosition]:
        as_of = self._as_of()
        return {} if as_of is None else self._ends.ends(as_of)

    def _first(self, shard_id: str) -> list[datetime]:
        name = next(iter(self._journal.names(shard_id, 0)), None)
        if name is None:
            return []
        return [read_page(name, self._journal.read(name)).floor]


def _moved_by(entry: JournalEntry) -> list[MovedBalance]:
    merchant_id = LogKey.parse(entry.log_key).merchant_id
    return [MovedBalance(merchant_id, balance) for balance in entry.effect]


def _written(positions: Mapping[str, JournalPosition]) -> str:
    """The positions as text: less than 130 bytes for each shard that the stream ever had. DynamoDB
    allows an item 400 KB.
    """
    return json.dumps({shard_id: each.text for shard_id, each in sorted(positions.items())})


def _read(text: str) -> dict[str, JournalPosition]:
    try:
        said = json.loads(text or "{}")
        return {shard_id: JournalPosition.parse(each) for shard_id, each in said.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(
            "CLOSED_JOURNAL does not say how far the journals were read"
        ) from error
