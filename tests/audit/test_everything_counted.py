"""Closed days with the journal since are the log and the table, wherever closed days end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.audit.balances import balances_of, differences
from falcon_balances.audit.closed_replay import ClosedDays
from falcon_balances.audit.counted_since import KeptPages
from falcon_balances.audit.everything_counted import EverythingCounted
from falcon_balances.audit.journal_folder import JournalFolder
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import replay
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.fakes.balance_store import MemoryBalanceStore
from generated.logs import objects_of
from tests.audit.closed import START, closed, entries_of, write_page, written_pages
from tests.audit.definition import world
from tests.audit.logs import MemoryLog
from tests.audit.test_closed_days import DAY
from tests.component.world import utc
from tests.journals import SHARD, entry
from tests.property import test_worlds
from tests.strategies import few, journals

EVERYTHING = Selection()


def counted_in(folder, ends, now) -> EverythingCounted:
    """As `compare` reads it: the days in `closed`, the journal elsewhere."""
    store = MemoryBalanceStore()
    store.journaled = ends
    pages = KeptPages(JournalFolder(folder), folder / "kept")
    return EverythingCounted(ClosedDays(folder / "closed"), pages, store, lambda: now)


def of_journal(folder, entries, closed_until) -> EverythingCounted:
    end = written_pages(folder, entries)
    closed(folder, {SHARD: end}, closed_until)
    return counted_in(folder, {SHARD: end}, entries[-1].window)


def same(said, log):
    assert (said.sums, said.agreements) == (log.sums, log.agreements)
    assert (said.lines, said.findings) == (log.lines, [])


@given(journals().filter(bool), st.integers(1, 12))
@settings(few, max_examples=15)
def test_they_are_the_log_wherever_the_closed_days_end(tmp_path_factory, counted, days):
    entries = list(entries_of(counted))
    some = of_journal(tmp_path_factory.mktemp("since"), entries, START + days * DAY)
    same(some.replay(EVERYTHING), replay(MemoryLog(objects_of(counted)), EVERYTHING))


@pytest.mark.parametrize(
    ("selection", "before"),
    [
        (Selection(merchant_id="m-3"), None),
        (Selection(merchant_id="m-none"), None),
        (Selection(since="2026-10-05", until="2026-10-20"), None),
        (EVERYTHING, "2026-10-15T12:00:00Z"),
    ],
)
def test_a_selection_is_that_of_the_log(tmp_path, selection, before):
    counted = world(40, 3)
    some = of_journal(tmp_path, list(entries_of(counted)), START + 3 * DAY)
    said = some.replay(selection, before)
    log = replay(MemoryLog(objects_of(counted)), selection, before)
    assert (said.sums, said.agreements) == (log.sums, log.agreements)


@pytest.mark.parametrize("seed", range(5, 7))
def test_random_worlds_are_the_table_and_the_log(tmp_path, seed):
    """Their events are counted on two days, of which one is closed."""
    found = test_worlds.counted(seed, days=2)
    for name, body in found.places.journal.objects.items():
        write_page(tmp_path, name, body)
    [day] = closed(tmp_path, found.store.journaled, utc("2026-03-06T00:01:00"))
    said = counted_in(tmp_path, found.store.journaled, found.now).replay(EVERYTHING)
    assert 0 < day.segments < len(found.log.objects)
    objects = {key: logged.body for key, logged in found.log.objects.items()}
    same(said, replay(MemoryLog(dict(sorted(objects.items()))), EVERYTHING))
    balances = balances_of(said.sums, said.agreements)
    merchants = sorted({each.merchant_id for each in balances})
    table = [(m, each) for m in merchants for each in found.store.balances_of(m)]
    assert differences(balances, table) == []


def test_what_is_counted_meanwhile_is_in_the_next_answer(tmp_path):
    """Pages that were read before are not read again."""
    end = written_pages(tmp_path, [entry(0)])
    closed(tmp_path, {SHARD: end}, entry(0).window + DAY)
    store, journal = MemoryBalanceStore(), JournalFolder(tmp_path)
    pages = KeptPages(journal, tmp_path / "kept")
    now = entry(0).window + DAY
    some = EverythingCounted(ClosedDays(tmp_path / "closed"), pages, store, lambda: now)
    lines = []
    for n in range(3):
        store.journaled = {SHARD: end}
        lines.append(some.replay(EVERYTHING).lines)
        end = written_pages(tmp_path, [entry(n + 1, window=now)], end)
    assert lines == [1, 2, 3]
    for path in (tmp_path / "journal" / SHARD).iterdir():
        path.write_bytes(b"")  # only the newest page has yet to be read
    store.journaled = {SHARD: end}
    with pytest.raises(IntegrityError, match=f"0{end.number}-"):
        some.replay(EVERYTHING)


def test_an_entry_ahead_of_the_clock_is_counted(tmp_path):
    """The stream's clock gives a segment its quarter, and it can be ahead of ours."""
    some = of_journal(tmp_path, [entry(0), entry(1, window=entry(0).window + DAY)], START + DAY)
    assert some.replay(EVERYTHING).lines == 2


def test_a_segment_of_a_closed_day_that_comes_again_in_a_later_quarter_is_named(tmp_path):
    """A repeat has the quarter of the first time."""
    again = entry(0, window=entry(0).window + DAY)
    ends = {SHARD: written_pages(tmp_path, [entry(0)])}
    closed(tmp_path, ends, START + DAY)
    ends["shard-2"] = written_pages(tmp_path, [again], shard_id="shard-2")
    with pytest.raises(IntegrityError, match=f"{entry(0).log_key}: counted on a closed day"):
        counted_in(tmp_path, ends, again.window).replay(EVERYTHING)
