"""History as the API answers with it: a balance in quarters of an hour."""

from collections import Counter

import pytest

from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from tests.builders import (
    confirmed,
)
from tests.component.api_calls import get
from tests.component.balance_api.trading import BALANCES, counted_lines, key_of, trade
from tests.component.ledger import (
    QUARTER,
    figures_at,
    minor,
)
from tests.component.world import utc


def test_history_is_the_balance_at_both_ends_of_every_quarter_that_changed_it(traded):
    live = trade(traded)
    start, end = utc("2026-10-01T00:00:00"), utc("2026-10-31T00:00:00")
    query = {"from": rfc3339(start), "to": rfc3339(end)}
    body = get("/balances/bs-one/history", query).body
    assert (body["from"], body["to"]) == (query["from"], query["to"])
    assert [key_of(each) for each in body["balances"]] == BALANCES[:2]
    for balance in body["balances"]:
        key = key_of(balance)
        assert balance["opening"] == figures_at(start)[key] == live[start][key]
        assert balance["closing"] == figures_at(end)[key]
        running = balance["opening"]
        for step in balance["steps"]:
            assert parse_rfc3339(step["to"]) - parse_rfc3339(step["from"]) == QUARTER
            assert step["opening"] == running == figures_at(parse_rfc3339(step["from"]))[key]
            assert step["closing"] == figures_at(parse_rfc3339(step["to"]))[key]
            assert step["closing"] != running
            running = step["closing"]
        assert balance["closing"] == running
        assert [step["from"] for step in balance["steps"]] == sorted(
            {step["from"] for step in balance["steps"]}
        )


def test_history_s_days_are_sums_of_operation_dates_by_stage_and_type(traded):
    trade(traded)
    query = {"from": "2026-10-10T00:00:00Z", "to": "2026-10-21T00:15:00Z"}
    body = get("/balances/bs-one/history", query).body
    expected: dict[tuple[str, ...], int] = Counter()
    for stage, line in counted_lines(traded):
        day = rfc3339(line.operation_date)[:10]
        if line.balance_shop_id == "bs-one" and "2026-10-10" <= day <= "2026-10-21":
            expected[line.currency.code, day, stage, line.type] += line.amount.minor
    assert {
        (balance["currency"], day["date"], each["stage"], each["type"]): minor(each["amount"])
        for balance in body["balances"]
        for day in balance["days"]
        for each in day["sums"]
    } == expected


def test_by_default_history_is_the_day_before_the_newest_closed_quarter(ledger):
    ledger.at("2026-11-19T10:14:00").count(confirmed(external_reference="before"))
    ledger.at("2026-11-19T10:16:00").count(confirmed(external_reference="first"))
    ledger.at("2026-11-20T10:14:00").count(confirmed(external_reference="last"))
    ledger.close()
    body = get("/balances/bs-5553-eur/history").body
    assert (body["from"], body["to"]) == ("2026-11-19T10:15:00Z", "2026-11-20T10:15:00Z")
    assert body["closed_until"] == body["to"]
    [balance] = body["balances"]
    counts = [(step["from"], step["closing"]["operations_count"]) for step in balance["steps"]]
    assert counts == [("2026-11-19T10:15:00Z", 2), ("2026-11-20T10:00:00Z", 3)]
    assert balance["opening"]["operations_count"] == 1
    one_end = get("/balances/bs-5553-eur/history", {"from": "2026-11-20T10:00:00Z"}).body
    assert (one_end["from"], one_end["to"]) == ("2026-11-20T10:00:00Z", body["to"])


@pytest.mark.parametrize(
    ("start", "end", "named"),
    [
        ("2026-11-20T10:15:00Z", "2026-11-20T10:15:00Z", "to"),
        ("2026-11-20T10:15:00Z", "2026-11-20T10:00:00Z", "to"),
        ("2026-10-20T09:45:00Z", "2026-11-20T10:00:00Z", "from"),
        ("0001-01-01T00:00:00Z", "2026-11-20T10:00:00Z", "from"),
        ("2026-11-20T10:01:00Z", None, "from"),
        ("2026-11-31T10:00:00Z", None, "from"),
        (None, "2026-11-20T24:00:00Z", "to"),
        (None, "0001-01-01T00:00:00Z", "to"),
        ("0001-01-01T00:00:00+01:00", None, "from"),
        (None, "9999-12-31T23:45:00-01:00", "to"),
    ],
)
def test_ranges_that_are_none_are_422(ledger, start, end, named):
    ledger.count(confirmed())
    ledger.close()
    said = {"from": start, "to": end}
    query = {name: value for name, value in said.items() if value is not None}
    answer = get("/balances/bs-5553-eur/history", query)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.named == [named]


def test_history_goes_back_31_days_but_no_further_than_what_is_closed(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    ledger.close()
    path = "/balances/bs-5553-eur/history"
    widest = {"from": "2026-10-20T10:15:00Z", "to": "2026-11-20T10:15:00Z"}
    assert get(path, widest).status == 200
    for beyond in (
        {"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:30:00Z"},
        {"from": "2026-11-20T10:30:00Z", "to": "2026-11-20T10:45:00Z"},
    ):
        answer = get(path, beyond)
        assert (answer.status, answer.problem) == (404, "period-not-closed")
        assert answer.body["closed_until"] == "2026-11-20T10:15:00Z"
    assert get("/balances/bs-none/history", widest).status == 404
