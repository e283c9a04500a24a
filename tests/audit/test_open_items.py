"""What is open, and for how long."""

from dataclasses import replace
from datetime import date

import pytest

from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.open_items import OPEN_FIGURES, OpenFigure, open_items
from falcon_balances.audit.replay import replay
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.trial_balance import trial_balance
from falcon_balances.domain.accounts import OF_MERCHANTS, Account
from falcon_balances.domain.ageing import AgeRow, by_age
from falcon_balances.domain.log_format import expected_uuids
from generated.logs import objects_of
from tests.audit.definition import defined, world
from tests.audit.logs import MemoryLog
from tests.audit.replays import segments_of
from tests.audit.sealed import objects
from tests.builders import confirmed, context_of, reconciled


def test_what_both_stages_say_is_not_open():
    assert open_items(MemoryLog(objects(30, 5)), []) == []
    assert open_items(MemoryLog({}), []) == []


def test_what_only_one_stage_says_is_open():
    log = objects_of(
        [
            *segments_of(confirmed(external_reference="a", amount="10.00")),
            *segments_of(reconciled(external_reference="b", amount="3.00")),
            *segments_of(confirmed(external_reference="c", amount="5.00")),
            *segments_of(reconciled(external_reference="c", amount="4.50")),
            *segments_of(confirmed(external_reference="d", amount="2.00", type="refund")),
            *segments_of(reconciled(external_reference="e", amount="1.00", type="chargeback")),
        ]
    )
    items = open_items(MemoryLog(log), [])
    assert sorted((item.figure, item.minor) for item in items) == [
        ("debits_unconfirmed", 100),
        ("debits_untraced", 200),
        ("pending", 50),
        ("pending", 1000),
        ("unapplied", 300),
    ]
    assert {item.since for item in items} == {date(2026, 11, 20)}


@pytest.mark.parametrize("seed", range(3))
def test_open_operations_are_what_the_open_figures_consist_of(seed):
    segments = world(800, seed)
    found: dict[tuple[BalanceId, str], int] = {}
    for item in open_items(MemoryLog(objects_of(segments)), []):
        balance = BalanceId(item.merchant_id, item.balance_shop_id, item.currency)
        found[balance, item.figure] = found.get((balance, item.figure), 0) + item.minor
    expected = {
        (name, figure): getattr(balance, figure)
        for name, balance in defined(segments).items()
        for figure in OPEN_FIGURES
    }
    assert found == {name: minor for name, minor in expected.items() if minor}


@pytest.mark.parametrize("seed", range(3))
def test_accounts_sum_to_zero_and_hold_the_figures(seed):
    segments = world(800, seed)
    replayed = replay(MemoryLog(objects_of(segments)), Selection())
    rows = trial_balance(replayed.sums, replayed.agreements)
    held = {(row.currency, row.account): int(row.balance.replace(".", "")) for row in rows}
    for row in rows:
        debit, credit = (int(each.replace(".", "")) for each in (row.debit, row.credit))
        assert held[row.currency, row.account] == debit - credit
    balances = defined(segments)
    for code in ("EUR", "JPY"):
        some = [balance for name, balance in balances.items() if name.currency == code]
        assert sum(minor for (currency, _), minor in held.items() if currency == code) == 0
        for account, figure in OF_MERCHANTS.items():
            assert held[code, account] == -sum(getattr(each, figure) for each in some)
        clearing = sum(each.pending + each.debits_unconfirmed for each in some)
        assert held[code, Account.PSP_CLEARING] == clearing


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
    items = [
        OpenFigure(day, "a", "m-1", "bs-1", "EUR", "pending", 150),
        OpenFigure(day, "b", "m-1", "bs-1", "EUR", "pending", 50),
    ]
    assert by_age(items, date(2026, 11, 20)) == [AgeRow("EUR", age, 2, 200, 0)]


def test_sums_that_64_bits_do_not_hold_are_exact():
    """Four decimals and fifteen digits: half of what an int64 holds, in each of three lines."""
    clf = {"currency": "CLF", "amount": "500000000000000.0000"}
    context = context_of(balance_shops={"CLF": "bs-clf"}, fees=[])
    [segment] = segments_of(confirmed(**clf), context)
    same = segment.lines * 3
    uuids = expected_uuids(segment.staged, segment.merchant_id, same)
    lines = tuple(replace(line, uuid=uuid) for line, uuid in zip(same, uuids, strict=True))
    findings: list[LogFinding] = []
    log = objects_of([replace(segment, lines=lines)])
    [item] = open_items(MemoryLog(log), findings)
    assert (item.minor, findings) == (3 * 5 * 10**18, [])
