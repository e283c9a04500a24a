"""The balances that moved on a day, as the reducer's journal tells them."""

from datetime import datetime
from itertools import cycle

import pytest

from falcon_balances.adapters.journal_moves import JournalMovedBalances
from falcon_balances.adapters.past_ports import MovedBalances, MovedOnDay
from falcon_balances.domain.closings import day_after, day_of, end_of, start_of
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import QUARTER
from falcon_balances.domain.journal import BEGINNING, JournalPosition
from falcon_balances.fakes.closings import MemoryMovedBalances
from falcon_balances.fakes.journal import MemoryJournal
from lambdas.reducer.batch import reduce_batch
from lambdas.reducer.ports import ReducerPorts
from lambdas.reducer.records import StreamRecord
from tests.builders import context_of, data_of, marketplace, records_of
from tests.component.lambda_events import SHARD
from tests.component.ledger import Ledger, adjustment, any_claim_of
from tests.component.world import utc
from tests.journals import append, entry, quiet


def moves_of(ledger: Ledger) -> JournalMovedBalances:
    store = ledger.store
    return JournalMovedBalances(quiet(ledger.journal), store, lambda: store.known_as_of)


def ports_of(ledger: Ledger) -> ReducerPorts:
    return ReducerPorts(ledger.store, ledger.stream, ledger.quarantine, ledger.journal)


def read(moves: MovedBalances, day: str, journal: str = "") -> MovedOnDay:
    return moves.between(start_of(day), end_of(day), journal)


def shops(found: MovedOnDay) -> list[str]:
    return sorted(each.balance.balance_shop_id for each in found.balances)


def count(ledger: Ledger, at: str, *shops: str) -> None:
    ledger.at(at)
    for shop_id in shops:
        said = {"adjusted_at": "2026-01-01T00:00:00Z", "balance_shop_id": shop_id}
        ledger.count(adjustment(adjustment_id=f"{at}-{shop_id}", **said))


@pytest.fixture
def three_days(ledger):
    count(ledger, "2026-11-20T00:00:00", "bs-1")
    count(ledger, "2026-11-20T23:59:59", "bs-1", "bs-2")
    count(ledger, "2026-11-22T00:00:00", "bs-3")
    count(ledger, "2026-11-23T00:00:00", "bs-2")
    ledger.at("2026-11-23T00:10:00").cut()
    return ledger


def test_days_are_read_one_after_the_other_and_are_what_the_table_counted(three_days):
    moves, table = moves_of(three_days), MemoryMovedBalances(three_days.store)
    day, journal = moves.first_day(), ""
    assert day == "2026-11-20"
    for balances in (["bs-1", "bs-2"], [], ["bs-3"]):
        assert day is not None
        found = read(moves, day, journal)
        assert shops(found) == balances
        assert journal or found.balances == read(table, day).balances
        # A run that crashed is followed by one that reads the day again.
        assert read(moves, day, journal) == found
        journal, day = found.journal, day_after(day)


def test_days_on_which_nothing_was_counted_cost_no_page(three_days):
    points: list[str] = []
    count(three_days, "2027-03-01T00:00:00", "bs-1")
    three_days.at("2027-03-01T00:10:00").cut()
    journal = quiet(three_days.journal)
    journal.interrupt = points.append
    store = three_days.store
    moves = JournalMovedBalances(journal, store, lambda: store.known_as_of)
    day, read_until = "2026-11-20", ""
    while day < "2027-03-01":
        read_until, day = read(moves, day, read_until).journal, day_after(day)
    reads = sum(point.startswith("before MemoryJournal.read") for point in points)
    assert reads < 4 * len(three_days.journal.objects)


def test_reading_ends_between_two_quarters_when_the_time_is_over_and_goes_on_there(three_days):
    """In as many runs, each of which knows only what the one before it returned."""
    store = three_days.store
    for quarters in (1, 7, 50, 95):
        found, journal, now = set(), "", start_of("2026-11-20")
        while now < end_of("2026-11-22"):
            is_over = cycle([False] * quarters + [True]).__next__
            moves = JournalMovedBalances(
                quiet(three_days.journal), store, lambda: store.known_as_of, is_over
            )
            part = moves.between(now, min(end_of(day_of(now)), end_of("2026-11-22")), journal)
            assert now < part.until <= now + quarters * QUARTER
            found |= {(day_of(now), each) for each in part.balances}
            now, journal = part.until, part.journal
        whole = moves_of(three_days)
        first = read(whole, "2026-11-20")
        second = read(whole, "2026-11-21", first.journal)
        third = read(whole, "2026-11-22", second.journal)
        assert journal == third.journal
        days = zip(("2026-11-20", "2026-11-21", "2026-11-22"), (first, second, third), strict=True)
        assert found == {(day, each) for day, part in days for each in part.balances}


def test_without_time_nothing_is_read(three_days):
    store = three_days.store
    moves = JournalMovedBalances(
        quiet(three_days.journal), store, lambda: store.known_as_of, lambda: True
    )
    start = start_of("2026-11-20")
    found = moves.between(start, end_of("2026-11-20"), "")
    assert (found.balances, found.until) == (set(), start)


def test_a_page_with_two_days_is_read_for_both(ledger):
    """One batch around midnight; and the first of the days is read twice."""
    records = []
    for at, shop_id in (("2026-11-20T23:59:59", "bs-1"), ("2026-11-21T00:00:01", "bs-2")):
        said = {"adjusted_at": "2026-01-01T00:00:00Z", "balance_shop_id": shop_id}
        claim = any_claim_of(adjustment(adjustment_id=shop_id, **said))
        records += [StreamRecord(data_of(each), utc(at)) for each in records_of(claim)]
    reduce_batch(SHARD, records, ports_of(ledger))
    ledger.at("2026-11-22T00:10:00").cut()
    moves = moves_of(ledger)
    for _ in range(2):
        first = read(moves, "2026-11-20")
        assert shops(first) == ["bs-1"]
    second = read(moves, "2026-11-21", first.journal)
    assert shops(second) == ["bs-2"]


def test_the_first_day_is_that_of_the_first_floor(ledger):
    """The first page has a segment of the next day only: the page behind it has the day's."""
    journal = MemoryJournal()
    night = utc("2026-11-20T23:45:00")
    first = append(journal, BEGINNING, entry(0, window=utc("2026-11-21T00:00:00")), floor=night)
    end = append(journal, first, entry(1, window=night))

    class Ends:
        def ends(self, _cut_at: datetime) -> dict[str, JournalPosition]:
            return {SHARD: end}

    moves = JournalMovedBalances(journal, Ends(), lambda: utc("2026-11-22T00:10:00"))
    assert moves.first_day() == "2026-11-20"


def test_nothing_has_moved_before_the_first_cut(ledger):
    assert moves_of(ledger).first_day() is None
    count(ledger, "2026-11-20T00:00:00", "bs-1")
    assert moves_of(ledger).first_day() is None
    ledger.at("2026-11-20T00:01:00").cut()
    assert moves_of(ledger).first_day() == "2026-11-20"


def test_a_segment_of_many_balances_moves_all_of_them(ledger):
    """It is counted in parts of 24."""
    sellers = [context_of(f"s{n}", merchant_id="m-1") for n in range(40)]
    ledger.contexts = (*sellers, context_of("market", merchant_id="m-1"))
    event = marketplace([(f"s{n}", "1.00", None) for n in range(40)], "40.00")
    ledger.at("2026-11-20T10:00:00").count(event)
    ledger.at("2026-11-21T00:10:00").cut()
    found = read(moves_of(ledger), "2026-11-20")
    assert found.balances == read(MemoryMovedBalances(ledger.store), "2026-11-20").balances
    assert len(found.balances) == 40


@pytest.mark.parametrize("journal", ["x", "[]", '{"shard": 1}', '{"shard": "x"}', "1"])
def test_a_closed_day_that_does_not_say_how_far_the_journal_was_read_is_refused(
    three_days, journal
):
    with pytest.raises(IntegrityError, match="CLOSED_JOURNAL"):
        read(moves_of(three_days), "2026-11-20", journal)


def test_a_page_that_is_missing_is_named_and_no_day_is_read(three_days):
    gone = sorted(three_days.journal.objects)[1]
    del three_days.journal.objects[gone]
    with pytest.raises(IntegrityError, match="is missing"):
        read(moves_of(three_days), "2026-11-20")
