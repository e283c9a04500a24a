"""A merchant's balances, windows and days, at one moment and from day to day."""

import pytest

from falcon_balances.domain.balances import Balance
from falcon_balances.domain.blocks import (
    block_writes,
)
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.errors import TransientError
from falcon_balances.domain.history import Day, Figures, Window
from falcon_balances.domain.journal import BEGINNING
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import BalanceKey
from tests.builders import (
    context_of,
    operation_id_of,
    records_of,
)
from tests.component.ports.merchant_items import a_block
from tests.component.ports.tables import (
    BS_1,
    BS_10,
    EUR,
    at,
    capture,
    reconciliation,
)
from tests.component.world import utc


def test_reads_say_whose_they_are(tables):
    assert tables.reads("m-1").merchant_id == "m-1"


def test_the_answers_of_each_balance_are_in_their_order(reads):
    balances = [BalanceKey(f"bs-{n}", "EUR") for n in range(40)]
    assert list(reads.of_each(balances, lambda each: each.balance_shop_id)) == [
        f"bs-{n}" for n in range(40)
    ]
    assert list(reads.of_each([], lambda each: each)) == []
    with pytest.raises(TransientError):
        reads.of_each(balances, _unavailable)


def _unavailable(balance: BalanceKey) -> None:
    raise TransientError(str(balance))


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
        tables.store.meet_cut(Cut(at(cut_at), ("shard-a", "shard-b")), "shard-a", BEGINNING)
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


def test_what_is_set_aside_is_no_part_of_windows(tables, reads):
    tables.count("10:20:00", capture(), reconciliation())
    tables.store.transact(block_writes(a_block(amount=4000)))
    [balance] = reads.balances()
    assert (balance.available, balance.blocked) == (6000, 4000)
    [window] = reads.windows(BS_1, at("10:15:00"), at("10:30:00"))
    assert window.change.available_before_blocks == 10000


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("10:00:00", "10:45:00", ["10:00", "10:15"]),
        ("10:15:00", "10:30:00", ["10:15"]),  # from start on, before end
        ("10:15:00", "10:45:00", ["10:15"]),
        ("10:00:00", "10:15:00", ["10:00"]),
        ("10:45:00", "11:00:00", []),
        ("10:15:00", "10:15:00", []),
        ("10:30:00", "10:15:00", []),
        ("09:00:00", "10:00:00", []),
    ],
)
def test_windows_are_those_of_the_balance_that_began_between_oldest_first(
    tables, reads, start, end, found
):
    tables.count("10:00:00", capture(1))
    tables.count("10:29:59", capture(2), capture(3, "b"), capture(5, "c"))
    tables.count("10:30:00", capture(4, "b"))
    windows = reads.windows(BS_1, at(start), at(end))
    assert [f"{each.start:%H:%M}" for each in windows] == found
    assert {each.balance for each in windows} <= {BS_1}
    assert all(each.change.operations_count == 1 for each in windows)


def test_a_window_says_what_was_counted_in_it(tables, reads):
    tables.count("10:20:00", capture(), reconciliation(), capture(2, type="refund", amount="1"))
    [window] = reads.windows(BS_1, at("10:15:00"), at("10:30:00"))
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
