"""Ports of the journal: its pages, and how far the shards are journaled."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Protocol

from falcon_balances.contracts.journal_pages import WrittenPage
from falcon_balances.domain.journal import JournalPosition, PageName


class JournalPages(Protocol):
    def names(self, shard_id: str, after: int) -> Iterator[PageName]:
        """All pages of a shard with a number above `after`, by number; also those of interrupted
        attempts. Raises IntegrityError for a key that no page can have.
        """

    def read(self, name: PageName) -> bytes: ...


class Journal(JournalPages, Protocol):
    def write(self, page: WrittenPage) -> None:
        """Writes a page, unless its key exists: the key contains the page's hash."""


class JournalEnds(Protocol):
    def ends(self, cut_at: datetime) -> Mapping[str, JournalPosition]:
        """How far each shard is journaled, by the complete cut of this time: the pages up to there
        hold everything that is counted in quarters that the cut closed.

        A shard that opened after the cut may be journaled further. Raises TransientError for a cut
        that is not known, or not complete.
        """


class JournaledNow(Protocol):
    def journaled_now(self) -> Mapping[str, JournalPosition]:
        """How far each shard is journaled now: up to there the pages hold everything that was
        counted, but what batches under way have not journaled yet.
        """
