"""Reads of one merchant never return anything of another."""

import pytest

from falcon_balances.domain.blocks import (
    block_writes,
)
from falcon_balances.domain.closings import Closing
from falcon_balances.domain.history import Figures
from falcon_balances.domain.operations import Stage
from tests.builders import (
    operation_id_of,
)
from tests.component.ports.merchant_items import EARLIEST, LATEST, a_block, correction, everything
from tests.component.ports.tables import (
    BS_1,
    BS_1_JPY,
    BS_10,
    Tables,
    at,
    capture,
    reconciliation,
)


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
    tables.closings.put(merchant_id, Closing(BS_1, "2026-11-20", Figures(n)))
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
    assert [each.figures.confirmed for each in before[1]] == [10]
    assert [len(before[n]) for n in (0, 2)] == [1, 2], "balances, and windows"
    assert [len(before[n]) for n in (4, 5, 6)] == [1, 5, 5], "late marks, and marks both ways"
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
        [window] = reads.windows(balance, at("10:15:00"), at("10:30:00"))
        assert (window.balance, window.change.confirmed) == (balance, amount)
    days = reads.days("2026-11-20", "2026-11-20")
    sums = {each.balance: each.sums[Stage.CONFIRMED, "capture"] for each in days}
    assert sums == confirmed_by
