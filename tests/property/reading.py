"""What must hold of a merchant's reads at any moment: true, and the same whenever asked again.

A reader is an actor like the others: reducers count between any two of its calls.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from unittest.mock import patch

from hypothesis import currently_in_test_context, event

from falcon_balances.adapters import merchant_statements, operation_pages
from falcon_balances.adapters.journal_moves import JournalMovedBalances
from falcon_balances.adapters.merchant_items import mark_of
from falcon_balances.adapters.operation_pages import read_operations
from falcon_balances.adapters.past_reads import read_balance_keys, read_closed, read_past
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Mark, NotClosedError, NothingCountedError, Past
from falcon_balances.domain.instants import QUARTER, quarter_of
from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.table_keys import ItemKey, is_balance, merchant_pk
from falcon_balances.fakes.closings import MemoryClosings
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from lambdas.closer.closing import CloserPorts, close_days
from tests.journals import quiet
from tests.property.actors import TaskDiedError
from tests.property.opinions import check_opinions, closing_checks
from tests.property.pipeline import BEGINNING, Pipeline
from tests.property.promises import Promises
from tests.property.read_checks import (
    Balances,
    Request,
    Walk,
    check_closings,
    check_log,
    check_walk,
    figures_before,
    key_of,
    passes,
    that_there_is,
)
from tests.property.statement_reading import check_whole_statement

FIRST_BORDER = quarter_of(BEGINNING)
MARKS_A_QUERY, MARKS_FURTHER, LOOK_AT = 2, 1, 2  # few enough to be met


class Reading:
    def __init__(self, promises: Promises, pipeline: Pipeline) -> None:
        self._promises = promises
        self._pipeline = pipeline
        self._broken: list[BaseException] = []
        self._noted: list[str] = []
        self._counted_at: dict[ItemKey, datetime] = {}
        self._indexed_until = BEGINNING
        self._advances = 0
        self._as_of: datetime | None = None
        self._indexed_as_of: datetime | None = None
        self._borders: set[datetime] = {FIRST_BORDER}
        self._walks: list[Walk] = []
        self._known: dict[tuple[str, datetime], Balances] = {}

    def observe(self, point: str) -> None:
        if point == "after MemoryBalanceStore.transact":
            for key in self._pipeline.store.marks.keys() - self._counted_at.keys():
                self._counted_at[key] = self._pipeline.now
        elif point == "after MemoryBalanceStore.advance_as_of":
            self._advances += 1

    def note(self, what: str) -> None:
        self._noted.append(what)

    def check(self) -> None:
        """What broke in an actor, which keeps it to itself; and what was done, for statistics."""
        for broken in self._broken:
            raise broken
        if currently_in_test_context():
            for noted in self._noted:
                event(noted)
        self._noted.clear()

    def in_actor(self, work: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                with (
                    patch.object(operation_pages, "LOOK_AT", LOOK_AT),
                    patch.object(merchant_statements, "MARKS_A_QUERY", MARKS_A_QUERY),
                    patch.object(merchant_statements, "MARKS_FURTHER", MARKS_FURTHER),
                ):
                    work()
            except TaskDiedError:
                raise
            except TransientError as error:
                if str(error) != "injected":
                    self._broken.append(error)
                raise
            except Exception as broken:
                self._broken.append(broken)
                raise

        return guarded

    # What is asked.

    def look_back(self, request: Request, since: int) -> None:
        """(a) and (b): every border from one on, as it is now and as it was told before."""
        reads, _ = self.reads(request)
        known = self._known_borders()
        # The one after the last is not closed yet, as far as is known.
        borders = [*known, known[-1] + QUARTER]
        self.past(reads, borders[since % len(borders)])

    def close(self, balances_max: int | None) -> None:
        """Days, by a run whose time is over after so many balances, or 40 quarters for each."""
        looks, quarters = iter(range(1_000)), iter(range(100_000))
        store, journal = self._pipeline.store, quiet(self._pipeline.places.journal)

        def is_reading_over() -> bool:
            return balances_max is not None and next(quarters) >= 40 * balances_max

        ports = CloserPorts(
            store.as_of,
            MemoryClosings(store),
            JournalMovedBalances(journal, store, store.as_of, is_reading_over),
            lambda merchant_id: MemoryMerchantReads(store, self._pipeline.claims, merchant_id),
            lambda: balances_max is not None and next(looks) >= balances_max,
            logged=closing_checks(self._pipeline).logged,
        )
        try:
            if written := close_days(ports):
                self.note(f"{min(written, 3)} closings in one run")
        except TransientError as error:
            # A reducer has moved `as_of`, and has not noted yet that the cut is complete.
            if "not complete" not in str(error):
                raise
        check_closings(store)

    def ask_the_log(self, request: Request) -> None:
        """Whether the log says of every balance what the table says."""
        reads, _ = self.reads(request)
        for said in check_opinions(self._pipeline, reads):
            self.note(said)

    def state(
        self, request: Request, borders: tuple[int, int], limit: int, *, by_shop: bool
    ) -> None:
        """(c): a statement from one border to a later one, page by page, as the route reads it."""
        known = self._known_borders()
        start, *later = known[borders[0] % len(known) :]
        if later:
            period = (start, later[borders[1] % len(later)])
            check_whole_statement(self, request, period, limit, by_shop=by_shop)

    def read_behind(self, merchant_id: str, since: int, limit: int) -> None:
        """Right after it was counted: no statement without what the index has not yet, and no
        `as_of` that promises it.
        """
        request = Request(merchant_id, index_delay_s=10)
        self.state(request, (since, -1), limit, by_shop=False)
        self.next_page(request, Walk(merchant_id, OperationFilter(), newest_first=False), 100)

    def walk(self, merchant_id: str, wanted: OperationFilter, *, newest_first: bool) -> Walk:
        """The merchant's that has not ended yet, or a new one."""
        walks = (each for each in self._walks if each.merchant_id == merchant_id)
        walk = next((walk for walk in walks if not walk.is_done), None)
        if walk is None:
            walk = Walk(merchant_id, wanted, newest_first)
            self._walks.append(walk)
        return walk

    def check_stands_still(self, before: datetime | None) -> None:
        """(a): however late it is, when nothing was counted."""
        reads, now = self.reads(Request("m-ann", index_delay_s=10))
        assert reads.as_of() == before, "as_of moved while the reducers stood still"
        indexed = reads.indexed_as_of(now)
        assert indexed is None or (before is not None and indexed <= before)

    def check_end(self) -> None:
        """(e), and everything else once more, when all is quiet: before the days are closed, and
        after.
        """
        self.check()
        self._check_all()
        self.close(None)
        self._check_all()
        for walk in self._walks:
            while not walk.is_done:
                self.next_page(Request(walk.merchant_id), walk, 2)
        self.check()

    def _check_all(self) -> None:
        segments = self._promises.segments()
        for merchant_id in sorted({each.merchant_id for each in segments}):
            request = Request(merchant_id)
            reads, _ = self.reads(request)
            assert self.past(reads, FIRST_BORDER), "closed, and not to be read"
            last = self._known_borders()[-1]
            if last > FIRST_BORDER:
                check_whole_statement(self, request, (FIRST_BORDER, last), 100, by_shop=False)
            assert check_opinions(self._pipeline, reads) == {"an opinion"}
            check_log(reads, [each for each in segments if each.merchant_id == merchant_id])

    # How it is read.

    def reads(self, request: Request) -> tuple[MemoryMerchantReads, datetime]:
        now = self._pipeline.now
        delay = timedelta(seconds=request.index_delay_s)
        indexed_until = max(self._indexed_until, now - delay)  # what is in the index stays there
        self._indexed_until = indexed_until
        reads = MemoryMerchantReads(
            self._pipeline.store, self._pipeline.claims, request.merchant_id
        )
        reads.is_indexed = lambda key: self._counted_at[key] <= indexed_until
        reads.marks_a_page = request.marks_a_page
        return reads, now

    def _known_borders(self) -> list[datetime]:
        as_of = self._pipeline.store.known_as_of
        if as_of is None:
            return [FIRST_BORDER]
        self._borders.add(closed_until(as_of))
        return sorted(each for each in self._borders if each <= closed_until(as_of))

    def past(self, reads: MemoryMerchantReads, since: datetime) -> Past | None:
        """None where nothing can be told, which must be true."""
        was, advances, told = self._pipeline.store.known_as_of, self._advances, self._as_of
        knew = self.balances_there(reads.merchant_id)
        try:
            as_of, closed = read_closed(reads, since)
            past = read_past(reads, read_balance_keys(reads), since, closed)
        except NotClosedError:
            assert was is None or since > closed_until(was), "closed, and denied"
            return None
        except NothingCountedError:
            assert not knew, "known, and denied"
            return None
        assert told is None or as_of >= told, "as_of went back"
        assert advances != self._advances or as_of == was, "as_of moved and nobody moved it"
        assert closed == closed_until(as_of) <= self._pipeline.now
        assert past.start == since
        self._as_of = as_of if self._as_of is None else max(self._as_of, as_of)
        self._check_past(reads.merchant_id, past, closed)
        return past

    def balances_there(self, merchant_id: str) -> set[ItemKey]:
        counters = self._pipeline.store.counters
        return {key for key in counters if key.pk == merchant_pk(merchant_id) and is_balance(key)}

    def _check_past(self, merchant_id: str, past: Past, closed: datetime) -> None:
        marks = self.marks(merchant_id)
        self._borders |= {mark.window for mark in marks} | {closed}
        checked = [each for each in sorted(self._borders) if past.start <= each <= closed]
        for border in checked:
            counted = figures_before(border, marks)
            told = that_there_is(past.at(border))
            before = self._known.setdefault((merchant_id, border), told)
            assert told == before, f"what was at {border} changed"
            assert told == counted, f"at {border} is not what was counted before it"
        self.note(f"a past of {min(len(checked), 5)} borders")
        if checked and 0 < sum(mark.window < checked[-1] for mark in marks) < len(marks):
            self.note("a past with something before its end, and something after")
        if len({(each.year, each.month) for each in checked}) > 1:
            self.note("a past over the end of a month")

    def marks(self, merchant_id: str) -> list[Mark]:
        """As they lie in the table, in the order of counting."""
        marks = self._pipeline.store.marks.items()
        pk = merchant_pk(merchant_id)
        found = [mark_of(key, said) for key, said in marks if key.pk == pk and "lines" in said]
        return sorted(found, key=lambda mark: mark.order)

    def next_page(self, request: Request, walk: Walk, limit: int) -> None:
        """(d): of a walk."""
        reads, now = self.reads(request)
        if walk.there is None:
            was = self._indexed_as_of
            as_of = reads.indexed_as_of(now)
            assert was is None or (as_of is not None and as_of >= was), "as_of went back"
            self._indexed_as_of = as_of
            if as_of is not None:
                pk = merchant_pk(walk.merchant_id)
                arrived = self._promises.arrived_before(as_of)
                walk.promised = {key for key in arrived if key.pk == pk}
            marks = self.marks(walk.merchant_id)
            indexed = [mark for mark in marks if reads.is_indexed(key_of(reads, mark))]
            walk.there = {mark.order for mark in indexed if passes(walk.wanted, mark)}
        page, position = read_operations(
            reads, walk.wanted, limit, after=walk.position, newest_first=walk.newest_first
        )
        assert len(page) <= limit
        walk.seen += page
        walk.pages += 1
        walk.position = position
        if position is None:
            walk.is_done = True
            stored = {mark.order: mark for mark in self.marks(walk.merchant_id)}
            check_walk(walk, reads, stored)
            more = len(walk.seen) > len(walk.there)
            self.note(f"a walk of {min(walk.pages, 4)} pages, more came: {more}")
