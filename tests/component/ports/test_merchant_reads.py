"""What a merchant may see of the tables, in memory and in DynamoDB: its own, in order, no more."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from moto.dynamodb.models import table as moto_table

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.ports import MerchantReads, TryAgain
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.stream_records import SegmentRecordV1
from falcon_balances.domain.available import Joint
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import (
    Block,
    BlockStatus,
    Purpose,
    block_writes,
    ending_writes,
    manual_block_id,
)
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.direct_operations import Adjustment
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Day, Figures, Mark, Window
from falcon_balances.domain.instants import QUARTER, parse_rfc3339
from falcon_balances.domain.log_format import parse_csv_body
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.splitting import SplitEvent, direct_segment
from falcon_balances.domain.standing import Disagreement
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE
from lambdas.reducer.records import StreamRecord
from tests.builders import (
    RECEIVED_AT,
    claim_of,
    context_of,
    data_of,
    marketplace,
    operation_id_of,
    records_of,
)
from tests.component.ports.tables import (
    BS_1,
    BS_1_JPY,
    BS_10,
    CONTEXTS,
    EUR,
    Tables,
    at,
    capture,
    reconciliation,
)
from tests.component.world import utc

EARLIEST, LATEST = "0", ":"
UNKNOWN = "00000000-0000-5000-8000-000000000000"


def orders(marks: Sequence[Mark]) -> list[str]:
    return [mark.order for mark in marks]


def walk(
    reads: MerchantReads, start: str, end: str, *, newest_first: bool, limit: int
) -> Iterator[list[Mark]]:
    """Page by page, each from where the one before ended."""
    after = None
    while True:
        page = reads.marks(start, end, after=after, newest_first=newest_first, limit=limit)
        assert len(page.marks) <= limit
        yield list(page.marks)
        if page.is_last:
            return
        after = page.marks[-1].order if page.marks else after


def test_reads_say_whose_they_are(tables):
    assert tables.reads("m-1").merchant_id == "m-1"


def test_as_of_is_where_the_cuts_have_brought_it(tables, reads):
    assert reads.as_of() is None
    tables.store.advance_as_of(at("10:15:00"))
    assert reads.as_of() == at("10:15:00")
    tables.store.advance_as_of(at("10:14:00"))
    assert reads.as_of() == at("10:15:00")


@pytest.mark.parametrize(
    ("completed", "now", "told"),
    [
        pytest.param([], "10:30:00", None, id="no cut yet"),
        pytest.param([("10:15:00", None)], "10:30:00", None, id="met by some, completed by none"),
        pytest.param([("10:15:00", "10:15:02")], "10:15:11", None, id="completed too lately"),
        pytest.param([("10:15:00", "10:15:02")], "10:15:12", "10:15:00", id="ten seconds ago"),
        pytest.param(
            [("10:15:00", "10:15:02"), ("10:16:00", None), ("10:17:00", None)],
            "10:30:00",
            "10:15:00",
            id="later ones lapsed",
        ),
        pytest.param(
            [("10:15:00", "10:15:02"), ("10:16:00", None), ("10:17:00", "10:17:02")],
            "10:17:30",
            "10:17:00",
            id="one between lapsed",
        ),
        pytest.param(
            [("10:15:00", "10:15:02"), ("10:16:00", "10:16:02")],
            "10:16:05",
            "10:15:00",
            id="the index had no time for the last",
        ),
        pytest.param(
            [("10:15:00", "10:40:00"), ("10:16:00", "10:16:02")],
            "10:30:00",
            "10:16:00",
            id="the older was completed later",
        ),
    ],
)
def test_the_index_is_as_new_as_the_newest_cut_that_it_had_time_to_follow(
    tables, reads, completed, now, told
):
    for cut_at, completed_at in completed:
        tables.store.meet_cut(Cut(at(cut_at), ("shard-a", "shard-b")), "shard-a")
        if completed_at is not None:
            tables.store.complete_cut(at(cut_at), at(completed_at))
    assert reads.indexed_as_of(at(now)) == (told and at(told))


def test_balances_are_the_merchant_s_with_their_counters(tables, reads):
    assert list(reads.balances()) == []
    tables.count("10:20:00", capture(), reconciliation(), capture(2, "b", amount="7.00"))
    assert sorted(reads.balances(), key=lambda each: each.balance_shop_id) == [
        Balance("bs-1", EUR, 10000, 10000, available=10000, operations_count=2),
        Balance("bs-10", EUR, 700, pending=700, operations_count=1),
    ]


def test_balances_and_their_windows_are_read_at_one_moment(tables, reads):
    tables.count("10:20:00", capture(), capture(2, "b", amount="7.00"))
    tables.count("10:40:00", capture(3, amount="1.00"), reconciliation())
    figures, windows = reads.at_once([BS_1, BS_10], [at("10:15:00"), at("10:30:00")])
    assert figures == {
        BS_1: Figures(confirmed=10100, reconciled=10000, pending=100, available_before_blocks=10000)
        + Figures(operations_count=3),
        BS_10: Figures(confirmed=700, pending=700, operations_count=1),
    }
    first = Figures(confirmed=10000, pending=10000, operations_count=1)
    then = Figures(confirmed=100, reconciled=10000, pending=-9900, available_before_blocks=10000)
    assert sorted(windows, key=lambda each: (each.balance, each.start)) == [
        Window(at("10:15:00"), BS_1, first),
        Window(at("10:30:00"), BS_1, then + Figures(operations_count=2)),
        Window(at("10:15:00"), BS_10, figures[BS_10]),
    ]


def test_what_is_not_there_is_zero_and_has_no_windows(tables, reads):
    tables.count("10:20:00", capture())
    figures, windows = reads.at_once([BS_10, BS_1_JPY], [at("10:15:00")])
    assert figures == {BS_10: Figures(), BS_1_JPY: Figures()}
    assert list(windows) == []
    assert reads.at_once([BS_1], []) == (
        {BS_1: Figures(10000, pending=10000, operations_count=1)},
        [],
    )


def test_what_is_set_aside_is_given_back(tables, reads):
    tables.count("10:20:00", capture(), reconciliation())
    tables.store.transact(block_writes(a_block(amount=4000)))
    [balance] = reads.balances()
    assert (balance.available, balance.blocked) == (6000, 4000)
    figures, [window] = reads.at_once([BS_1], [at("10:15:00")])
    assert figures[BS_1].available_before_blocks == window.change.available_before_blocks == 10000


def test_a_hundred_items_are_read_at_once(tables, reads):
    tables.count("10:20:00", capture())
    starts = [at("10:15:00") + n * QUARTER for n in range(-50, 49)]
    figures, windows = reads.at_once([BS_1], starts)
    assert figures[BS_1].confirmed == 10000
    assert [window.start for window in windows] == [at("10:15:00")]


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("10:00:00", "10:45:00", ["10:00 bs-1", "10:15 bs-1", "10:15 bs-10", "10:30 bs-10"]),
        ("10:15:00", "10:30:00", ["10:15 bs-1", "10:15 bs-10"]),  # from start on, before end
        ("10:15:00", "10:45:00", ["10:15 bs-1", "10:15 bs-10", "10:30 bs-10"]),
        ("10:45:00", "11:00:00", []),
        ("10:15:00", "10:15:00", []),
        ("09:00:00", "10:00:00", []),
    ],
)
def test_windows_are_those_that_began_between_of_all_shops_oldest_first(
    tables, reads, start, end, found
):
    tables.count("10:00:00", capture(1))
    tables.count("10:29:59", capture(2), capture(3, "b"))
    tables.count("10:30:00", capture(4, "b"))
    windows = reads.windows(at(start), at(end))
    told = [f"{each.start:%H:%M} {each.balance.balance_shop_id}" for each in windows]
    assert sorted(told) == sorted(found)
    assert [each.start for each in windows] == sorted(each.start for each in windows)
    assert all(each.change.operations_count == 1 for each in windows)


def test_a_window_says_what_was_counted_in_it(tables, reads):
    tables.count("10:20:00", capture(), reconciliation(), capture(2, type="refund", amount="1"))
    [window] = reads.windows(at("10:15:00"), at("10:30:00"))
    assert window == Window(
        at("10:15:00"),
        BS_1,
        Figures(9900, 10000, debits_untraced=100, available_before_blocks=9900, operations_count=3),
    )


def test_days_are_sums_by_stage_and_type_from_first_to_last_oldest_first(tables, reads):
    fee = context_of(
        "a",
        merchant_id="m-1",
        balance_shops={"EUR": "bs-1"},
        fees=[{"type": "psp_fee", "on": "capture", "percent": "1.00"}],
    )
    records = records_of(tables.claim(capture(), fee)) + records_of(
        tables.claim(reconciliation(amount="50.00"))
    )
    tables.count_records("2026-11-20T10:20:00", *records)
    for n, day in enumerate(("19", "21", "22")):
        date = f"2026-11-{day}T10:00:00Z"
        tables.count("2026-11-22T12:00:00", capture(10 + n, "b", operation_date=date))
    found = reads.days("2026-11-20", "2026-11-21")
    assert [(day.date, day.balance) for day in found] == [
        ("2026-11-20", BS_1),
        ("2026-11-21", BS_10),
    ]
    assert found[0] == Day(
        "2026-11-20",
        BS_1,
        {
            (Stage.CONFIRMED, "capture"): 10000,
            (Stage.CONFIRMED, "psp_fee"): -100,
            (Stage.RECONCILED, "capture"): 5000,
        },
        {},
        operations_count=3,
    )
    assert [day.date for day in reads.days("2026-11-22", "2026-11-22")] == ["2026-11-22"]
    assert list(reads.days("2026-11-23", "2026-12-31")) == []


def test_what_was_learned_after_the_month_stands_apart(tables, reads):
    tables.count("2026-11-30T23:59:59", capture(1))
    assert list(reads.late("2026-11", 10)) == []
    [mark] = reads.marks_of(operation_id_of(capture(1)))
    late = [capture(n, amount="1.00") for n in (2, 3)]
    tables.count("2026-12-01T00:20:00", late[0])
    tables.count("2026-12-01T00:00:00", late[1])
    ids = [operation_id_of(each) for each in late]
    expected = [
        f"2026-12-01T00:00:00Z#2026-11-20T10:15:30Z#{ids[1]}#confirmed",
        f"2026-12-01T00:15:00Z#2026-11-20T10:15:30Z#{ids[0]}#confirmed",
    ]
    for limit in (10, 2, 1):  # by when they were counted
        assert [each.text for each in reads.late("2026-11", limit)] == expected[:limit]
    for month in ("2026-1", "2026-10", "2026-12"):
        assert list(reads.late(month, 10)) == []
    [day] = reads.days("2026-11-20", "2026-11-20")
    assert day.sums == {(Stage.CONFIRMED, "capture"): 10200}
    assert day.late == {(Stage.CONFIRMED, "capture"): 200}
    assert mark.window == utc("2026-11-30T23:45:00")


def counted_in_order(tables: Tables) -> list[str]:
    """Six operations of m-1 in three quarters of an hour: their orders."""
    tables.count("10:40:00", capture(1, operation_date="2026-11-20T09:00:00Z"))
    tables.count("10:05:00", capture(2), capture(3, operation_date="2026-11-01T00:00:00Z"))
    tables.count("10:20:00", capture(4, "b"), reconciliation(4, "b"), capture(5))
    said = [
        ("10:00:00", capture(3, operation_date="2026-11-01T00:00:00Z"), "2026-11-01T00:00:00Z"),
        ("10:00:00", capture(2), "2026-11-20T10:15:30Z"),
        ("10:15:00", capture(4, "b"), "2026-11-20T10:15:30Z"),
        ("10:15:00", capture(5), "2026-11-20T10:15:30Z"),
        ("10:15:00", reconciliation(4, "b"), "2026-11-20T10:18:00Z"),
        ("10:30:00", capture(1), "2026-11-20T09:00:00Z"),
    ]
    return sorted(
        f"2026-11-20T{window}Z#{booked}#{operation_id_of(document)}#"
        f"{'reconciled' if 'reconciled_date' in document else 'confirmed'}"
        for window, document, booked in said
    )


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7, 100])
def test_marks_come_page_by_page_in_the_order_of_counting_both_ways(
    tables, reads, limit, newest_first
):
    expected = counted_in_order(tables)
    pages = list(walk(reads, EARLIEST, LATEST, newest_first=newest_first, limit=limit))
    found = [mark for page in pages for mark in page]
    assert orders(found) == (expected[::-1] if newest_first else expected)
    assert [len(page) for page in pages if page] == [limit] * (6 // limit) + (
        [6 % limit] if 6 % limit else []
    )


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("10:00:00", "11:00:00", 0, 6),
        ("10:00:00", "10:15:00", 0, 2),
        ("10:15:00", "10:30:00", 2, 5),
        ("10:15:00", "10:45:00", 2, 6),
        ("10:45:00", "11:00:00", 6, 6),
        ("10:15:00", "10:15:00", 6, 6),
    ],
)
def test_marks_are_bounded_by_the_beginnings_of_windows(
    tables, reads, start, end, first, last, newest_first
):
    expected = counted_in_order(tables)[first:last]
    bounds = f"2026-11-20T{start}Z", f"2026-11-20T{end}Z"
    for limit in (2, 100):
        pages = walk(reads, *bounds, newest_first=newest_first, limit=limit)
        found = [mark for page in pages for mark in page]
        assert orders(found) == (expected[::-1] if newest_first else expected)


def test_the_last_page_says_so_and_a_full_one_with_more_behind_it_does_not(tables, reads):
    expected = counted_in_order(tables)
    for newest_first in (False, True):
        wanted = expected[::-1] if newest_first else expected
        page = reads.marks(EARLIEST, LATEST, after=None, newest_first=newest_first, limit=5)
        assert not page.is_last
        page = reads.marks(EARLIEST, LATEST, after=wanted[4], newest_first=newest_first, limit=5)
        assert (orders(page.marks), page.is_last) == (wanted[5:], True)
        page = reads.marks(EARLIEST, LATEST, after=wanted[5], newest_first=newest_first, limit=5)
        assert (list(page.marks), page.is_last) == ([], True)
    page = reads.marks("2027", LATEST, after=None, newest_first=False, limit=5)
    assert (list(page.marks), page.is_last) == ([], True)


def test_what_is_counted_between_two_pages_moves_no_other(tables, reads):
    expected = counted_in_order(tables)
    for newest_first in (False, True):
        wanted = expected[::-1] if newest_first else expected
        page = reads.marks(EARLIEST, LATEST, after=None, newest_first=newest_first, limit=3)
        assert orders(page.marks) == wanted[:3]
        tables.count(
            "10:20:00",
            *(capture(100 + n + 10 * newest_first, local) for n in range(3) for local in "ab"),
        )
        rest = reads.marks(
            EARLIEST, LATEST, after=page.marks[-1].order, newest_first=newest_first, limit=100
        )
        assert [order for order in orders(rest.marks) if order in wanted] == wanted[3:]


def test_a_mark_says_what_was_counted(tables, reads):
    [record] = tables.count("10:20:00", capture())
    [mark] = reads.marks(EARLIEST, LATEST, after=None, newest_first=False, limit=10).marks
    operation_id = operation_id_of(capture())
    assert mark == Mark(
        falcon_operation_id=operation_id,
        stage=Stage.CONFIRMED,
        window=at("10:15:00"),
        order=f"2026-11-20T10:15:00Z#2026-11-20T10:15:30Z#{operation_id}#confirmed",
        log_key=record.log_key,
        fingerprint=record.fingerprint,
        lines=parse_csv_body(record.body),
        effect={BS_1: Joint(pending=10000)},
        corrects=None,
    )
    assert list(reads.marks_of(operation_id)) == [mark]


def test_an_operation_s_marks_are_those_of_all_its_stages(tables, reads):
    tables.count("10:20:00", capture(), capture(2), reconciliation(2))
    tables.count("10:40:00", reconciliation())
    found = {mark.stage: mark.window for mark in reads.marks_of(operation_id_of(capture()))}
    assert found == {Stage.CONFIRMED: at("10:15:00"), Stage.RECONCILED: at("10:30:00")}
    assert list(reads.marks_of(UNKNOWN)) == []


def test_a_segment_that_was_counted_in_several_parts_is_one_mark(tables, reads):
    sellers = [
        context_of(f"s{n}", merchant_id="m-1", balance_shops={"EUR": f"bs-{n}"}) for n in range(40)
    ]
    event = marketplace([(f"s{n}", "1.00", None) for n in range(40)], "40.00")
    [record] = records_of(claim_of(event, context_of("market", merchant_id="m-1"), *sellers))
    tables.count_records("10:20:00", record)
    [mark] = reads.marks_of(operation_id_of(event))
    assert len(mark.lines) == 40
    assert len(mark.effect) == 24, "of its own part"
    effect = reads.effect_of(mark)
    assert len(effect) == 40
    assert set(effect.values()) == {Joint(pending=100)}
    for newest_first in (False, True):
        page = reads.marks(EARLIEST, LATEST, after=None, newest_first=newest_first, limit=10)
        assert list(page.marks) == [mark]
    assert len(reads.balances()) == len(reads.windows(at("10:15:00"), at("10:30:00"))) == 40


def a_block(merchant_id: str = "m-1", amount: int = 100) -> Block:
    return Block(
        block_id=manual_block_id("m-1", "key"),
        merchant_id=merchant_id,
        balance_shop_id="bs-1",
        currency="EUR",
        amount=amount,
        purpose=Purpose.MANUAL,
        reference="dispute-1",
        requested_by="anna",
        created_at=at("10:20:00"),
        expiry=at("10:20:00") + timedelta(hours=1),
        expires_in_s=3600,
    )


def test_a_block_is_found_as_it_stands(tables, reads):
    block = a_block()
    assert reads.block(block.block_id) is None
    tables.count("10:20:00", capture(), reconciliation())
    tables.store.transact(block_writes(block))
    assert reads.block(block.block_id) == block
    tables.store.transact(ending_writes(block, BlockStatus.RELEASED, at("10:21:00"), "ben"))
    ended = replace(block, status=BlockStatus.RELEASED, ended_at=at("10:21:00"), ended_by="ben")
    assert reads.block(block.block_id) == ended
    assert reads.block(block.block_id[:-1]) is None


def correction(
    number: str,
    corrects: str | None,
    adjusted_at: str = "2026-11-20T10:15:30Z",
    merchant_id: str = "m-1",
) -> SegmentRecordV1:
    adjustment = Adjustment(
        merchant_id=merchant_id,
        balance_shop_id="bs-1",
        amount=Money(100, EUR),
        adjustment_id=number,
        direction="debit",
        adjusted_at=parse_rfc3339(adjusted_at),
        reason_code="double_booking",
        reason="counted twice",
        requested_by="ops",
        corrects=corrects,
    )
    segment = direct_segment(adjustment, adjustment.movement)
    event = SplitEvent(segment.falcon_operation_id, (segment,), ())
    [record] = records_of(ClaimV1.of(adjustment, RECEIVED_AT, event))
    return record


def test_corrections_are_found_from_what_they_correct(tables, reads):
    [corrected, other] = (operation_id_of(capture(n)) for n in (1, 2))
    records = [correction("1", corrected), correction("2", corrected), correction("3", other)]
    ids = [record.to_segment().falcon_operation_id for record in records]
    assert list(reads.corrections(corrected)) == []
    tables.count_records("10:20:00", *records, correction("4", None))
    assert sorted(reads.corrections(corrected)) == sorted(ids[:2])
    assert list(reads.corrections(other)) == ids[2:]
    assert list(reads.corrections(corrected[:-1])) == []
    [mark] = reads.marks_of(ids[2])
    assert (mark.stage, mark.corrects) == (Stage.ADJUSTMENT, other)


def test_open_are_operations_whose_stages_say_different_things_or_one_nothing(tables, reads):
    tables.count(
        "10:20:00",
        capture(1),
        reconciliation(2),
        capture(3),
        reconciliation(3, amount="90.00"),
        capture(4),
        reconciliation(4),
    )
    found = {each.falcon_operation_id: each for each in reads.open_standings(10)}
    assert {key: each.disagreement for key, each in found.items()} == {
        operation_id_of(capture(1)): Disagreement.CONFIRMED_ONLY,
        operation_id_of(capture(2)): Disagreement.RECONCILED_ONLY,
        operation_id_of(capture(3)): Disagreement.DIFFERENT,
    }
    different = found[operation_id_of(capture(3))]
    assert different.confirmed == "bs-1#EUR#capture#10000"
    assert different.reconciled == "bs-1#EUR#capture#9000"
    assert different.external_reference == "order-3"
    assert [len(reads.open_standings(limit)) for limit in (1, 2, 3, 4)] == [1, 2, 3, 3]


def test_claims_are_those_of_all_stages_that_name_the_merchant(tables, reads):
    mine = [tables.claim(capture()), tables.claim(reconciliation())]
    theirs = tables.claim(capture(2, "c"))
    prefixed = tables.claim(capture(3, "d"))
    operation_id = operation_id_of(capture())
    assert {claim.stage: claim for claim in reads.claims(operation_id)} == {
        claim.stage: claim for claim in mine
    }
    for claim in (theirs, prefixed):
        assert list(reads.claims(claim.falcon_operation_id)) == []
    assert list(tables.reads("m-10").claims(operation_id)) == []
    assert list(tables.reads("m-10").claims(theirs.falcon_operation_id)) == [theirs]
    assert list(reads.claims(UNKNOWN)) == []


def test_a_claim_that_names_several_merchants_is_each_one_s(tables):
    event = marketplace([("a", "60.00", None), ("c", "40.00", None)], "100.00")
    claim = tables.claim(event, context_of("market"), *CONTEXTS)
    for merchant_id in ("m-1", "m-10"):
        assert list(tables.reads(merchant_id).claims(claim.falcon_operation_id)) == [claim]
    assert list(tables.reads("m").claims(claim.falcon_operation_id)) == []


def everything(reads: MerchantReads, operation_ids: Sequence[str], block_id: str) -> list[Any]:
    """All that a merchant can read, whatever it asks for."""
    start, end = utc("2026-01-01T00:00:00"), utc("2027-01-01T00:00:00")
    at_once = reads.at_once([BS_1, BS_10, BS_1_JPY], [at("10:15:00"), at("10:30:00")])
    assert not isinstance(at_once, TryAgain)
    figures, windows = at_once
    return [
        sorted(reads.balances(), key=lambda each: each.balance_shop_id),
        dict(figures),
        sorted(windows, key=lambda each: (each.balance, each.start)),
        list(reads.windows(start, end)),
        list(reads.days("2026-01-01", "2027-01-01")),
        list(reads.late("2026-10", 100)),
        list(reads.marks(EARLIEST, LATEST, after=None, newest_first=False, limit=100).marks),
        list(reads.marks(EARLIEST, LATEST, after=None, newest_first=True, limit=100).marks),
        [list(reads.marks_of(each)) for each in operation_ids],
        reads.block(block_id),
        [list(reads.corrections(each)) for each in operation_ids],
        sorted(reads.open_standings(100), key=lambda each: each.falcon_operation_id),
        [list(reads.claims(each)) for each in operation_ids],
    ]


def fill(tables: Tables, local: str, n: int) -> list[str]:
    """Something of every kind, for one local merchant: the operations' ids."""
    merchant_id = {"a": "m-1", "c": "m-10", "d": "m"}[local]
    documents = [
        capture(n, local),
        reconciliation(n, local),
        capture(n + 1, local, amount="3.00"),
        capture(n + 2, local, operation_date="2026-10-31T10:00:00Z"),
    ]
    tables.count("10:20:00", *documents)
    ids = [operation_id_of(each) for each in documents]
    tables.count_records("10:40:00", correction(str(n), ids[0], merchant_id=merchant_id))
    tables.store.transact(block_writes(a_block(merchant_id)))
    return ids


@pytest.mark.parametrize("others", [("c",), ("d",), ("c", "d")])
def test_nothing_of_another_merchant_ever_comes_back(tables, reads, others):
    """Merchants whose ids begin with one another's, with balances of the same ids."""
    mine = fill(tables, "a", 10)
    theirs = [each for n, local in enumerate(others) for each in fill(tables, local, 20 + 10 * n)]
    block_id = a_block().block_id
    before = everything(reads, mine, block_id)
    assert all(before), "nothing was read"
    tables.count("10:20:00", *(capture(90 + n, local) for n, local in enumerate(others)))
    assert everything(reads, mine, block_id) == before
    assert [len(each) for each in before[:2]] == [1, 3]
    assert [len(before[n]) for n in (5, 6, 7)] == [1, 5, 5], "late marks, and marks both ways"
    for kind in (reads.marks_of, reads.corrections, reads.claims):
        assert [list(kind(each)) for each in theirs] == [[] for _ in theirs]


def test_a_merchant_of_whom_nothing_is_known_reads_nothing_of_those_beside_it(tables):
    ids = fill(tables, "a", 10) + fill(tables, "c", 20)
    for merchant_id in ("m", "m-", "m-2", "m-100", ""):
        reads = tables.reads(merchant_id)
        assert list(reads.balances()) == list(reads.open_standings(10)) == []
        assert reads.block(a_block().block_id) is None
        for operation_id in ids:
            assert list(reads.marks_of(operation_id)) == list(reads.claims(operation_id)) == []
            assert list(reads.corrections(operation_id)) == []
        if merchant_id:  # DynamoDB has no index of what is called nothing
            page = reads.marks(EARLIEST, LATEST, after=None, newest_first=False, limit=10)
            assert (list(page.marks), page.is_last) == ([], True)


def test_balances_with_ids_that_begin_alike_are_kept_apart(tables, reads):
    tables.count("10:20:00", capture(1), capture(2, "b", amount="7.00"))
    tables.count("10:20:00", capture(3, currency="JPY", amount="500"))
    confirmed_by = {BS_1: 10000, BS_10: 700, BS_1_JPY: 500}
    for balance, amount in confirmed_by.items():
        figures, [window] = reads.at_once([balance], [at("10:15:00")])
        assert figures[balance].confirmed == window.change.confirmed == amount
        assert window.balance == balance
    windows = reads.windows(at("10:15:00"), at("10:30:00"))
    assert {each.balance: each.change.confirmed for each in windows} == confirmed_by
    days = reads.days("2026-11-20", "2026-11-20")
    sums = {each.balance: each.sums[Stage.CONFIRMED, "capture"] for each in days}
    assert sums == confirmed_by


# What only DynamoDB does: conflicts, errors, pages.


@pytest.fixture
def on_aws(aws) -> Tables:
    dynamodb = client("dynamodb")
    return Tables(
        DynamoBalanceStore(dynamodb, BALANCES_TABLE),
        DynamoEventClaims(dynamodb, CLAIMS_TABLE),
        lambda merchant_id: DynamoMerchantReads(
            dynamodb, BALANCES_TABLE, CLAIMS_TABLE, merchant_id
        ),
    )


def cancelled(stubber: Stubber, *codes: str) -> MerchantReads:
    stubber.add_client_error(
        "transact_get_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": code} for code in codes]},
    )
    dynamodb: Any = stubber.client
    return DynamoMerchantReads(dynamodb, BALANCES_TABLE, CLAIMS_TABLE, "m-1")


@pytest.mark.parametrize(
    "codes",
    [
        ("TransactionConflict", "None"),
        ("None", "TransactionConflict"),
        ("ThrottlingError", "None"),
        ("None", "ProvisionedThroughputExceeded"),
    ],
)
def test_where_others_are_writing_it_is_to_be_tried_again(codes):
    with Stubber(client("dynamodb")) as stubber:
        reads = cancelled(stubber, *codes)
        assert reads.at_once([BS_1], [at("10:15:00")]) == TryAgain()


@pytest.mark.parametrize("code", ["ValidationError", "AccessDenied"])
def test_another_reason_is_an_error(code):
    with Stubber(client("dynamodb")) as stubber:
        reads = cancelled(stubber, "None", code)
        with pytest.raises(TransientError, match="2 items of m-1 at once"):
            reads.at_once([BS_1], [at("10:15:00")])


def test_the_items_of_a_transaction_stand_in_the_order_they_were_asked_for(on_aws):
    on_aws.count("10:20:00", capture(), capture(2, "b", amount="7.00"))
    reads = on_aws.reads("m-1")
    for wanted in ([BS_1, BS_1_JPY, BS_10], [BS_10, BS_1_JPY, BS_1]):
        figures, windows = reads.at_once(wanted, [at("10:00:00"), at("10:15:00")])
        assert list(figures) == wanted
        assert [each.confirmed for each in figures.values()] == [
            {BS_1: 10000, BS_10: 700, BS_1_JPY: 0}[key] for key in wanted
        ]
        assert [each.balance for each in windows] == [key for key in wanted if key != BS_1_JPY]


def test_reads_are_strongly_consistent_but_those_of_the_index(on_aws):
    """Asked of the requests: moto is consistent anyhow."""
    asked: list[dict[str, object]] = []

    def note(params: dict[str, object], **_: object) -> None:
        asked.append(dict(params))

    event = "provide-client-params.dynamodb.*"
    client("dynamodb").meta.events.register(event, note)
    try:
        reads = on_aws.reads("m-1")
        reads.as_of()
        reads.indexed_as_of(at("10:20:00"))
        everything(reads, [UNKNOWN], "block")
    finally:
        client("dynamodb").meta.events.unregister(event, note)
    plain = [each for each in asked if "TransactItems" not in each]
    assert len(plain) > 10
    assert {("IndexName" in each, each.get("ConsistentRead", False)) for each in plain} == {
        (False, True),
        (True, False),
    }


@pytest.fixture
def small_pages(on_aws, monkeypatch) -> None:
    """DynamoDB ends a page at 1 MB, moto now at 3 KB: two or three of our items."""
    monkeypatch.setattr(moto_table, "RESULT_SIZE_LIMIT", 3_000)


def test_what_is_longer_than_a_page_is_read_to_its_end(on_aws, small_pages):
    documents = [capture(n, "ab"[n % 2], operation_date=day(n)) for n in range(15)]
    first = utc("2026-12-01T00:00:00")
    corrected = operation_id_of(documents[0])
    corrections = [correction(str(n), corrected, day(15 + n)) for n in range(15)]
    records = [record for each in documents for record in records_of(claim_of(each, *CONTEXTS))]
    on_aws.reduce(
        *(
            StreamRecord(data_of(record), first + n * QUARTER)
            for n, record in enumerate(records + corrections)
        )
    )
    reads = on_aws.reads("m-1")
    windows = reads.windows(first, first + 30 * QUARTER)
    assert [each.start for each in windows] == [first + n * QUARTER for n in range(30)]
    days = reads.days("2026-11-01", "2026-11-30")
    assert [each.date for each in days] == [day(n)[:10] for n in range(30)]
    assert [len(reads.late("2026-11", limit)) for limit in (1, 7, 29, 30, 100)] == [
        1,
        7,
        29,
        30,
        30,
    ]
    assert len(reads.corrections(corrected)) == 15
    assert [len(reads.open_standings(limit)) for limit in (1, 14, 15, 16)] == [1, 14, 15, 15]
    for newest_first in (False, True):
        pages = list(walk(reads, EARLIEST, LATEST, newest_first=newest_first, limit=50))
        found = [mark.order for page in pages for mark in page]
        assert found == sorted(found, reverse=newest_first)
        assert len(set(found)) == len(found) == 30
        assert len(pages) > 5, "a page ended before its limit, and another followed"


def day(n: int) -> str:
    return f"2026-11-{n + 1:02}T10:00:00Z"


def test_many_balances_are_read_to_their_end(on_aws, small_pages):
    keys = [ItemKey("MERCHANT#m-1", f"BALANCE#bs-{n:03}#EUR") for n in range(60)]
    on_aws.store.transact([AddCounters(key, {"confirmed": 1}) for key in keys])
    found = sorted(each.balance_shop_id for each in on_aws.reads("m-1").balances())
    assert found == [f"bs-{n:03}" for n in range(60)]


def test_all_stages_of_an_operation_are_read_over_pages(on_aws, monkeypatch):
    on_aws.count("10:20:00", capture(), reconciliation())
    monkeypatch.setattr(moto_table, "RESULT_SIZE_LIMIT", 1_000)
    marks = on_aws.reads("m-1").marks_of(operation_id_of(capture()))
    assert {mark.stage for mark in marks} == {Stage.CONFIRMED, Stage.RECONCILED}


def test_a_megabyte_of_marks_is_several_pages_that_miss_nothing(on_aws):
    """DynamoDB's own measure, whatever was asked for."""
    on_aws.count("10:20:00", *(capture(n) for n in range(8)))
    for n in range(8):
        sk = f"OPERATION#{operation_id_of(capture(n))}#confirmed"
        client("dynamodb").update_item(
            TableName=BALANCES_TABLE,
            Key={"pk": {"S": "MERCHANT#m-1"}, "sk": {"S": sk}},
            UpdateExpression="SET log_key = :long",
            ExpressionAttributeValues={":long": {"S": "x" * 180_000}},
        )
    reads = on_aws.reads("m-1")
    for newest_first in (False, True):
        pages = list(walk(reads, EARLIEST, LATEST, newest_first=newest_first, limit=200))
        assert [len(page) for page in pages] == [5, 3]
        found = [mark.falcon_operation_id for page in pages for mark in page]
        assert sorted(found) == sorted(operation_id_of(capture(n)) for n in range(8))


def test_a_shard_that_stands_still_for_hours_does_not_hide_how_far_the_index_is(on_aws):
    """The other shards meet a cut every minute, and none of these is ever completed."""
    first, reads = at("10:15:00"), on_aws.reads("m-1")
    on_aws.store.complete_cut(first, first)
    for n in range(1, 61):
        on_aws.store.meet_cut(Cut(first + timedelta(minutes=n), ("shard-a", "shard-b")), "shard-a")
    assert reads.indexed_as_of(first + timedelta(hours=1)) == first
