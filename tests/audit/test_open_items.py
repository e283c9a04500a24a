"""What is open, and for how long."""

from datetime import date

import pytest
from hypothesis import given

from bench.logs import objects_of
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.open_items import OpenItem, open_items
from falcon_balances.audit.replay import Finding, replay
from falcon_balances.audit.trial_balance import trial_balance
from falcon_balances.domain.accounts import Account
from falcon_balances.domain.ageing import AgeRow, by_age
from tests.audit.logs import MemoryLog
from tests.audit.sealed import objects
from tests.audit.test_replay import segments_of
from tests.builders import confirmed, context_of, reconciled
from tests.strategies import few, journals


def test_what_both_stages_say_is_not_open():
    assert open_items(MemoryLog(objects(30, 5)), []) == []
    assert open_items(MemoryLog({}), []) == []


def test_what_one_stage_says_or_says_otherwise_is_open():
    log = objects_of(
        [
            *segments_of(confirmed(external_reference="a", amount="10.00")),
            *segments_of(reconciled(external_reference="b", amount="3.00")),
            *segments_of(confirmed(external_reference="c", amount="5.00")),
            *segments_of(reconciled(external_reference="c", amount="4.50")),
            *segments_of(confirmed(external_reference="d", amount="2.00", type="refund")),
        ]
    )
    items = open_items(MemoryLog(log), [])
    assert sorted(item.minor for item in items) == [-300, -200, 50, 1000]
    assert {item.since for item in items} == {date(2026, 11, 20)}


@given(journals())
@few
def test_open_operations_are_what_psp_clearing_consists_of(segments):
    log = MemoryLog(objects_of(segments))
    rows = trial_balance(replay(log, Selection()).sums)
    clearing = {
        row.currency: int(row.balance.replace(".", ""))
        for row in rows
        if row.account is Account.PSP_CLEARING
    }
    by_currency = dict.fromkeys(clearing, 0)
    for item in open_items(log, []):
        by_currency[item.currency] += item.minor
    assert by_currency == clearing


@pytest.mark.parametrize(
    ("since", "age"),
    [
        ("2026-11-21", "1 day"),
        ("2026-11-20", "1 day"),
        ("2026-11-19", "1 day"),
        ("2026-11-18", "7 days"),
        ("2026-11-13", "7 days"),
        ("2026-11-12", "30 days"),
        ("2026-08-22", "90 days"),
        ("2026-08-21", "older"),
    ],
)
def test_ages(since, age):
    day = date.fromisoformat(since)
    items = [OpenItem("a", "EUR", 150, day), OpenItem("b", "EUR", -50, day)]
    assert by_age(items, date(2026, 11, 20)) == [AgeRow("EUR", age, 2, 150, 50)]


def test_sums_that_64_bits_do_not_hold_are_exact():
    """Four decimals and fifteen digits: half of what an int64 holds, in each of two lines."""
    clf = {"currency": "CLF", "amount": "500000000000000.0000"}
    context = context_of(balance_shops={"CLF": "bs-clf"}, fees=[])
    halves = [
        each
        for name in "ab"
        for each in objects_of(
            segments_of(confirmed(external_reference=name, **clf), context)
        ).items()
    ]
    operation = halves[0][0].rpartition("/")[2][:36]
    other = halves[1][0].rpartition("/")[2][:36]
    moved = {key.replace(other, operation): body.replace(other.encode(), operation.encode())
             for key, body in halves[1:]}  # fmt: skip
    moved = {key.replace("m-5553", "m-5554"): body for key, body in moved.items()}
    findings: list[Finding] = []
    [item] = open_items(MemoryLog(dict(halves[:1]) | moved), findings)
    assert (item.minor, findings) == (10**19, [])
