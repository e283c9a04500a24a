"""A merchant's operations: marks, blocks, corrections, claims, what is open."""

from dataclasses import replace

import pytest

from falcon_balances.adapters.ports import WantedMarks
from falcon_balances.domain.available import Joint
from falcon_balances.domain.blocks import (
    BlockStatus,
    block_writes,
    ending_writes,
)
from falcon_balances.domain.history import Mark
from falcon_balances.domain.log_format import parse_csv_body
from falcon_balances.domain.operation_filter import OperationFilter
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.standing import Disagreement
from tests.builders import (
    claim_of,
    context_of,
    marketplace,
    operation_id_of,
    records_of,
)
from tests.component.ports.merchant_items import (
    EARLIEST,
    LATEST,
    UNKNOWN,
    a_block,
    correction,
    counted_in_order,
    orders,
    walk,
)
from tests.component.ports.tables import (
    BS_1,
    CONTEXTS,
    at,
    capture,
    reconciliation,
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
        page = reads.marks(EARLIEST, LATEST, after=wanted[0], newest_first=newest_first, limit=5)
        assert (orders(page.marks), page.is_last) == (wanted[1:], True)
        page = reads.marks(EARLIEST, LATEST, after=wanted[5], newest_first=newest_first, limit=5)
        assert (list(page.marks), page.is_last) == ([], True)
    page = reads.marks("2027", LATEST, after=None, newest_first=False, limit=5)
    assert (list(page.marks), page.is_last) == ([], True)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize(("limit", "look_at"), [(1, 2), (2, 3), (100, 4), (1, 100), (100, 100)])
@pytest.mark.parametrize(
    "wanted",
    [
        OperationFilter(stage="confirmed"),
        OperationFilter(stage="reconciled", type="capture"),
        OperationFilter(type="chargeback"),
        OperationFilter(start=at("10:15:00"), end=at("10:30:00"), balance_shop_id="bs-1"),
    ],
    ids=str,
)
def test_marks_with_codes_come_page_by_page_and_none_is_passed_over(
    tables, reads, wanted, limit, look_at, newest_first
):
    counted_in_order(tables)
    bounds = wanted.bounds
    every = reads.marks(*bounds, after=None, newest_first=newest_first, limit=100).marks
    found, after, pages = list[Mark](), None, 0
    while True:
        asked = WantedMarks(bounds[0], bounds[1], after, newest_first, limit, look_at)
        page = reads.tagged(wanted.tags, asked)
        assert len(page.marks) <= limit
        found += page.marks
        pages += 1
        if page.seen is None:
            break
        after = page.seen
    assert found == [mark for mark in every if wanted.lets_through(mark)]
    assert pages <= 1 + len(every)


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
        asked = WantedMarks(EARLIEST, LATEST, None, newest_first, limit=9, look_at=9)
        # It has too many codes to be passed over.
        assert list(reads.tagged(OperationFilter(type="payout").tags, asked).marks) == [mark]
    assert len(reads.balances()) == 40
    for balance in effect:
        [window] = reads.windows(balance, at("10:15:00"), at("10:30:00"))
        assert window.change.pending == 100


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
