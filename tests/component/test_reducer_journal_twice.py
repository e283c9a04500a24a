"""A batch is handled twice, at once or with other borders: the journal is complete all the same."""

from contextlib import suppress

import pytest

from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.fakes.interruptions import never
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    marketplace,
    records_of,
)
from tests.component.journaling import (
    RECORDS,
    SELLERS,
    SHOPS,
    START,
    World,
    at,
    calls_of_a_batch,
    cut,
    order,
    record,
)
from tests.journals import SHARD, check_closed


@pytest.mark.parametrize("size", [1, 4, len(RECORDS)])
def test_a_function_that_was_thought_dead_goes_on_at_any_call(size):
    """Meanwhile its batch is handled again, with other borders."""

    class Slow(World):
        def die(self) -> None:
            with suppress(TransientError):
                self.reduce(RECORDS[:size])

    for thought_dead_at in range(1, calls_of_a_batch() + 1):
        world = Slow(thought_dead_at)
        with suppress(TransientError):
            world.reduce(RECORDS)
        world.finish(3)
        world.check()


def test_a_function_that_was_thought_dead_does_not_move_a_shard_that_another_one_moved():
    """It counted, then stood still; meanwhile its batch was handled again, with other borders."""
    slow = World()

    def stand_still(point: str) -> None:
        if point == "before MemoryBalanceStore.move_shard" and slow.store.journaled:
            slow.store.interrupt = never
            slow.reduce(RECORDS[:2])

    slow.store.interrupt = stand_still
    with pytest.raises(TransientError, match="another reducer has handled it"):
        slow.reduce(RECORDS)
    assert slow.store.cuts_met == {}
    slow.finish(3)
    slow.check()


def test_the_rest_of_a_segment_is_counted_in_the_quarter_in_which_it_was_begun():
    """A revision is twice on the stream: before its predecessor, and, a quarter later, behind it.
    The first attempt is killed within the second of them, the next one sees only the first.
    """
    first = claim_of(revised(1), context_of("market"), *SELLERS)
    second = claim_of(revised(2), context_of("market"), *SELLERS).revising(first)
    [one], [two] = (
        [each for each in records_of(claim) if each.part == 1] for claim in (first, second)
    )
    records = [record(two, 1), record(one, 2), record(two, 901)]
    whole = World()
    whole.reduce(records)
    counting = [n for n, point in enumerate(whole.points, 1) if point.endswith("Store.transact")]
    for killed_at in counting:
        world = World(killed_at)
        assert world.is_killed(records)
        for some in ([records[0]], records[1:], [cut()], [cut("2026-11-20T10:45:10Z")]):
            world.reduce(some)
        check_two_quarters(world)


def check_two_quarters(world: World) -> None:
    """The first quarter, then the second from where the reader of the first ended."""
    first, second = (parse_rfc3339(f"2026-11-20T10:{minute}:10Z") for minute in (30, 45))
    positions = check_closed(world.store, world.journal, first)
    check_closed(world.store, world.journal, second, closed_until(first), positions)


def test_a_segment_counted_from_a_later_record_hides_no_page_of_an_earlier_quarter():
    """The first attempt counts a revision from its last record, in the next quarter, and is killed
    before it journals. The next one journals it with its first record, before the page of others.
    """
    first = claim_of(confirmed(external_reference="order-9"))
    more = {"revision": 2, "revised_at": "2026-11-20T10:19:00Z", "amount": "99.00"}
    second = claim_of(confirmed(external_reference="order-9", **more)).revising(first)
    [one], [two] = records_of(first), records_of(second)
    records = [record(two, 1), record(one, 2), record(order(3), 3), record(two, 901)]
    total = World()
    total.reduce(records)
    for killed_at in range(1, total.calls + 1):
        world = World(killed_at)
        assert world.is_killed(records)
        world.killed_at = None
        for some in ([records[0]], records[1:], [cut()], [cut("2026-11-20T10:45:10Z")]):
            world.reduce(some)
        check_two_quarters(world)
        windows = [each.window for page in world.pages() for each in page]
        pages = [
            read_page(name, world.journal.read(name)) for name in world.journal.names(SHARD, 0)
        ]
        assert pages[0].floor == min(windows) == START


def test_a_record_that_cannot_be_read_raises_the_floor_as_a_later_version_will():
    """The first attempt is of the version before. Arrival times go back behind the record."""
    records = [record(order(1), 901), record(order(2), 899)]
    older = [StreamRecord(b'{"schema_version": "2"}', at(901)), records[1]]
    total = World()
    total.reduce(older)
    for killed_at in range(1, total.calls + 1):
        world = World(killed_at)
        assert world.is_killed(older)
        world.killed_at = None
        for each in (*records, cut("2026-11-20T10:45:10Z")):
            world.reduce([each])
        check_closed(world.store, world.journal, parse_rfc3339("2026-11-20T10:45:10Z"))
        names = world.journal.names(SHARD, 0)
        for page in [read_page(name, world.journal.read(name)) for name in names]:
            assert all(each.window >= page.floor for each in page.entries)


def revised(revision: int) -> dict[str, object]:
    """A sale of all shops; the second revision takes a cent from each."""
    amount, more = "10.00", {}
    if revision > 1:
        amount, more = "9.99", {"revision": 2, "revised_at": "2026-11-20T10:19:00Z"}
    total = "399.60" if revision > 1 else "400.00"
    parts = [(str(n), amount, None) for n in range(SHOPS)]
    return marketplace(parts, total, external_reference="market-2", **more)


def test_an_answer_that_was_lost_is_no_other_reducer():
    """S3's and DynamoDB's clients ask again, and then meet their own writes."""
    world = World()

    def again(point: str) -> None:
        if point == "before MemoryBalanceStore.move_shard" and world.journal.objects:
            world.store.interrupt = never
            [name] = world.journal.names(SHARD, 0)
            assert world.store.move_shard(SHARD, BEGINNING, START, name.position)

    world.store.interrupt = again
    world.reduce(RECORDS[:1])
    assert world.store.journaled[SHARD].number == 1
