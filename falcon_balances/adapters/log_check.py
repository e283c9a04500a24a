"""Asks the log for a second opinion before money of a merchant of high risk is set aside.

An opinion begins at the balance's last closing. It reads the merchant's marks since, the earlier
marks of the same operations, and their log objects by key. So it costs the same at any age of the
log, and never lists it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Final, NamedTuple

from falcon_balances.adapters.checked_marks import CheckedMarks, NotCheckedNowError
from falcon_balances.adapters.ports import BalanceStore, MarkReads, TransactionLog
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.blocks import Block, LoggedMoney
from falcon_balances.domain.closings import Closing, counted_since, start_of
from falcon_balances.domain.history import Figures, Mark
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.operations import Segment
from falcon_balances.domain.second_opinion import (
    CheckedSegment,
    Opinion,
    Standpoint,
    logged_available,
    opinion_on,
)
from falcon_balances.domain.table_keys import BalanceKey
from falcon_balances.observability import logger, metrics

MARKS_MAX: Final = 900
"""Of a merchant since the closing: all its balances, because the index lists them together. On the
embedded AWS they take 1.5 to 2.1 s, depending on what else the machine does.
"""
OBJECTS_MAX: Final = 2_000
"""Of the log, for an opinion: those of the marks, and of a few operations with all revisions."""
DAY_MARKS_MAX: Final = 3_000
"""Of a merchant on a day that is closed."""
DAY_OBJECTS_MAX: Final = 10_000
SECONDS_MAX: Final = 8.0
"""After so long, no further opinion begins: functions that ask for many have 19 s or more."""
MERCHANT_SECONDS_MAX: Final = 4.0
"""After so long, no further opinion on the same merchant begins, so that others have theirs."""
_AFTER_EVERY_DAY: Final = "9999-12-31"
_AFTER_EVERY_ORDER: Final = "~"
_NAMED_MAX: Final = 10  # in one message; the metric counts all


class _Limits(NamedTuple):
    """How many marks and log objects an opinion reads at most."""

    marks: int
    objects: int


class LogCheck:
    """The opinions of one execution or request. It reads each log object once, because the log
    never changes, and keeps its segment: at most OBJECTS_MAX, or DAY_OBJECTS_MAX, for each opinion.
    """

    def __init__(
        self,
        store: BalanceStore,
        log: TransactionLog,
        reads_of: Callable[[str], MarkReads],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._log = log
        self._reads_of = reads_of
        self._clock = clock
        self._until = clock() + SECONDS_MAX
        self._taken_s: dict[str, float] = {}
        self._read: dict[str, Segment] = {}

    def logged_money(self, block: Block) -> LoggedMoney | None:
        """The logged money of the block's balance. None to try again: the index does not list
        everything yet, or closing and marks do not make the balance.

        The order matters. The balance is read first: if more is counted afterwards, the block's
        transaction fails. The closed day is read before the closing, so that the closing of that
        day is there. Raises NotCheckedNowError beyond the limits of this module and of
        `CheckedMarks`.
        """
        began, taken_s = self._clock(), self._taken_s.get(block.merchant_id, 0.0)
        if began > self._until or taken_s > MERCHANT_SECONDS_MAX:
            raise NotCheckedNowError("too many checks against the log at once")
        try:
            return self._logged_money(block)
        finally:
            self._taken_s[block.merchant_id] = taken_s + self._clock() - began

    def _logged_money(self, block: Block) -> LoggedMoney | None:
        balance = BalanceKey(block.balance_shop_id, block.currency)
        there = self._store.items([block.balance_key]).get(block.balance_key, {})
        now = Figures.of({name: n for name, n in there.items() if isinstance(n, int)})
        reads = self._reads_of(block.merchant_id)
        _, closed = reads.progress()
        closing = next(iter(reads.closings(balance, _AFTER_EVERY_DAY, 1)), None)
        own = counted_since(closing)
        # Where a day's closing is missing, the balance is checked from the closing before on.
        for start in dict.fromkeys((max(own, closed.at), own)):
            limits = _Limits(MARKS_MAX, OBJECTS_MAX)
            since = self._opinion(reads, balance, start, _AFTER_EVERY_ORDER, limits)
            available = logged_available(Standpoint.of(closing), since, now)
            if available is not None:
                return LoggedMoney(available, now.operations_count)
        logger.warning("closing and marks do not make the balance", balance=block.balance_key)
        return None

    def closed_money(
        self, merchant_id: str, before: Closing | None, closing: Closing
    ) -> int | None:
        """What was available before blocks by the log at a closing, whose day is over. None if the
        closing before and the marks do not make it. Raises NotCheckedNowError beyond a day's
        limits.
        """
        reads = self._reads_of(merchant_id)
        start, end = start_of(closing.day), rfc3339(closing.at)
        limits = _Limits(DAY_MARKS_MAX, DAY_OBJECTS_MAX)
        since = self._opinion(reads, closing.balance, start, end, limits)
        return logged_available(Standpoint.of(before), since, closing.figures)

    def _opinion(
        self, reads: MarkReads, balance: BalanceKey, start: datetime, end: str, limits: _Limits
    ) -> Opinion:
        marks = CheckedMarks(reads, self._store, balance)
        opinion, left = Opinion(), limits.objects
        for since in marks.pages(rfc3339(start), end, limits.marks):
            before = marks.before(since)
            left -= self._read_objects([mark.log_key for mark in (*before, *since)], left)
            counted = [self._counted(part, reads.merchant_id) for part in (before, since)]
            _report([each for part in counted for each in part])
            opinion = opinion.plus(opinion_on(balance, *counted))
        return opinion

    def _read_objects(self, log_keys: Sequence[str], objects_max: int) -> int:
        """Reads those that were not read before, and returns how many. Raises NotCheckedNowError
        before it reads any of too many.
        """
        wanted = [key for key in log_keys if key not in self._read]
        if len(wanted) > objects_max:
            raise NotCheckedNowError("too many log objects to read")
        for key, logged in self._log.read_existing(wanted).items():
            try:
                self._read[key] = read_strictly(key, logged.body)
            except FlawedObjectError as error:
                logger.error("flawed log object", log_key=key, flaw=str(error))
        return len(wanted)

    def _counted(self, marks: Sequence[Mark], merchant_id: str) -> list[CheckedSegment]:
        return [CheckedSegment(_marked(m, merchant_id), self._read.get(m.log_key)) for m in marks]


def _marked(mark: Mark, merchant_id: str) -> Segment:
    key = LogKey.parse(mark.log_key)
    return Segment(mark.stage, merchant_id, key.part, key.parts, mark.lines, revision=mark.revision)


def _report(counted: Sequence[CheckedSegment]) -> None:
    """What is counted and not in the log, or otherwise, adds only what the log has."""
    wrong = [LogKey.of(each.marked).text for each in counted if not each.is_as_logged]
    if wrong:
        metrics.add_metric(name="LogMismatch", unit="Count", value=len(wrong))
        logger.error("counted, but not so in the log", log_keys=wrong[:_NAMED_MAX])
