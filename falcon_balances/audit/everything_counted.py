"""Everything that is counted by now, from closed days and the journal since: no log object is read.

What a table of balances must say as soon as no batch is under way.
"""

from collections.abc import Callable
from datetime import datetime

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.journal_ports import JournaledNow
from falcon_balances.audit.closed_replay import ClosedDays
from falcon_balances.audit.counted_since import KeptPages, counted_since
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import Replayed


class EverythingCounted:
    """Each `replay` looks how far the journal is by now; pages that were read before stay in the
    folder of `pages`.
    """

    def __init__(
        self,
        days: ClosedDays,
        pages: KeptPages,
        ends: JournaledNow,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._days = days
        self._pages = pages
        self._ends = ends
        self._now = now

    def replay(self, selection: Selection, before: str | None = None) -> Replayed:
        """Like `replay` of the log. Raises IntegrityError."""
        ends = self._ends.journaled_now()
        since = counted_since(self._pages, ends, self._days.last, self._now())
        return self._days.replay(selection, before, since)
