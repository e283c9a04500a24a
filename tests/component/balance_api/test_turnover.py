"""Turnover as the API answers with it: a month by operation date."""

from collections import Counter
from typing import Any

import pytest

from falcon_balances.domain.instants import rfc3339
from tests.builders import (
    confirmed,
    reconciled,
)
from tests.component.api_calls import MERCHANT, get
from tests.component.balance_api.trading import MONTHS, counted_lines, lines_of, trade
from tests.component.ledger import (
    QUARTER,
    Ledger,
    adjustment,
    id_of,
    minor,
)


def turnover_of(ledger: Ledger, month: str) -> dict[tuple[str, ...], int]:
    """By an independent few lines: what was claimed, by the date it bears."""
    sums: dict[tuple[str, ...], int] = Counter()
    for stage, line in counted_lines(ledger):
        if rfc3339(line.operation_date).startswith(month):
            sums[line.currency.code, stage, line.type] += line.amount.minor
    return sums


def sums_of(body: dict[str, Any], name: str = "sums") -> dict[tuple[str, ...], int]:
    return {
        (each["currency"], said["stage"], said["type"]): minor(said["amount"])
        for each in body["currencies"]
        for said in each[name]
    }


@pytest.mark.parametrize("month", MONTHS)
def test_turnover_is_by_operation_date_and_the_log_says_the_same(traded, month):
    trade(traded)
    table = get("/turnover", {"month": month}).body
    log = get("/turnover", {"month": month, "source": "log"}).body
    assert sums_of(table) == sums_of(log) == turnover_of(traded, month)
    assert [each["operations_count"] for each in table["currencies"]] == [
        each["operations_count"] for each in log["currencies"]
    ]
    assert log["late_operations"] is None
    assert 0 < log["objects_read"] < len(traded.log.segments_of(MERCHANT)), "other months' too"
    assert "objects_read" not in table


def test_turnover_says_which_operations_it_learned_of_after_the_month_s_end(ledger):
    in_time = confirmed(operation_date="2026-10-31T23:59:59Z", external_reference="in-time")
    late = confirmed(operation_date="2026-10-31T23:59:59Z", external_reference="late")
    traced = reconciled(
        operation_date="2026-10-31T23:00:00Z",
        reconciled_date="2026-10-31T23:59:59Z",
        external_reference="in-time",
        amount="90.00",
    )
    november = confirmed(operation_date="2026-11-01T00:00:00Z", external_reference="november")
    ledger.at("2026-10-31T23:59:59").count(in_time)
    ledger.at("2026-11-01T00:00:00").count(late, november)
    ledger.at("2026-11-02T00:00:00").count(traced)
    body = get("/turnover", {"month": "2026-10"}).body
    assert [
        (each["falcon_operation_id"], each["stage"], each["operation_date"], each["counted_in"])
        for each in body["late_operations"]
    ] == [
        (id_of(late), "confirmed", "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"),
        (id_of(in_time), "reconciled", "2026-10-31T23:59:59Z", "2026-11-02T00:00:00Z"),
    ]
    assert sums_of(body) == {
        ("EUR", "confirmed", "capture"): 20000,
        ("EUR", "reconciled", "capture"): 9000,
    }
    assert sums_of(body, "late_sums") == {
        ("EUR", "confirmed", "capture"): 10000,
        ("EUR", "reconciled", "capture"): 9000,
    }
    assert body["has_more_late_operations"] is False
    assert get("/turnover", {"month": "2026-11"}).body["late_operations"] == []
    ledger.at("2026-12-01T00:00:10").cut()
    assert [line["falcon_operation_id"] for line in lines_of("2026-10")] == [id_of(in_time)]
    assert {line["falcon_operation_id"] for line in lines_of("2026-11")} == {
        id_of(each) for each in (late, november, in_time)
    }


def test_of_late_operations_the_first_hundred_are_shown_and_it_says_that_there_are_more(ledger):
    late = [
        confirmed(operation_date="2026-10-10T00:00:00Z", external_reference=f"late-{n}")
        for n in range(101)
    ]
    ledger.count(*late[:100])
    first = get("/turnover", {"month": "2026-10"}).body
    assert (len(first["late_operations"]), first["has_more_late_operations"]) == (100, False)
    ledger.now += QUARTER
    ledger.count(late[100])
    body = get("/turnover", {"month": "2026-10"}).body
    assert (body["late_operations"], body["has_more_late_operations"]) == (
        first["late_operations"],
        True,
    )
    assert sums_of(body, "late_sums") == sums_of(body) != sums_of(first)


@pytest.mark.parametrize(
    ("zone", "total"),
    [
        ("UTC", 10000),
        ("Asia/Kolkata", 10100),
        ("Pacific/Auckland", 100),
        ("America/New_York", 10800),
        ("Etc/GMT+5", 10800),
    ],
)
def test_from_the_log_a_month_is_one_of_any_time_zone(ledger, zone, total):
    dates = {
        "2026-10-31T12:00:00Z": "100.00",  # November in Auckland
        "2026-09-30T23:00:00Z": "1.00",  # October there, and in Kolkata
        "2026-11-01T03:59:59Z": "8.00",  # October in New York
    }
    ledger.count(
        *(
            confirmed(operation_date=date, external_reference=amount, amount=amount)
            for date, amount in dates.items()
        )
    )
    body = get("/turnover", {"month": "2026-10", "time_zone": zone, "source": "log"}).body
    assert body["time_zone"] == zone
    assert sums_of(body) == {("EUR", "confirmed", "capture"): total}


def test_from_the_log_a_month_costs_its_own_days_whatever_came_before_and_after(ledger):
    for n, day in enumerate(("2026-08-31", "2026-09-29", "2026-09-30", "2026-10-15", "2026-11-01")):
        date = f"{day}T12:00:00Z"
        ledger.count(confirmed(operation_date=date, external_reference=f"order-{n}"))
    ledger.log_objects_max = 3
    body = get("/turnover", {"month": "2026-10", "source": "log"}).body
    assert sums_of(body) == {("EUR", "confirmed", "capture"): 10000}
    assert body["objects_read"] == 3
    ledger.log_objects_max = 2
    answer = get("/turnover", {"month": "2026-10", "source": "log"})
    assert answer.problem == "log-too-large"


@pytest.mark.parametrize("zone", ["America/New_York", "Mars/Olympus", "America", "europe/"])
def test_another_time_zone_needs_the_log_and_must_be_one(ledger, zone):
    ledger.count(confirmed())
    answer = get("/turnover", {"month": "2026-11", "time_zone": zone})
    assert (answer.problem, answer.named) == ("invalid-request", ["time_zone"])
    answer = get("/turnover", {"month": "2026-11", "time_zone": zone, "source": "log"})
    if zone == "America/New_York":
        assert answer.status == 200
    else:
        assert (answer.problem, answer.named) == ("invalid-request", ["time_zone"])


@pytest.mark.parametrize("date", ["2000-01-01T00:00:00Z", "2000-05-05T00:00:00Z"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_however_old_an_operation_is_the_log_can_be_asked(ledger, date, zone):
    ledger.count(adjustment(adjusted_at=date), adjustment(adjustment_id="new"))
    query = {"source": "log", "time_zone": zone}
    body = get("/turnover", query | {"month": "2026-11"}).body
    assert sums_of(body) == {("EUR", "adjustment", "adjustment"): 4000}
    if zone == "UTC":
        old = get("/turnover", query | {"month": date[:7]})
        table = get("/turnover", {"month": date[:7]})
        assert sums_of(old.body) == sums_of(table.body) == sums_of(body)


def test_a_month_without_anything_is_empty_and_of_nobody_known_not_found(ledger):
    ledger.count(confirmed())
    for source in ("table", "log"):
        query = {"month": "2026-09", "source": source}
        answer = get("/turnover", query)
        assert (answer.status, answer.body["currencies"]) == (200, [])
        assert get("/turnover", query, merchant_id="m-nobody").problem == "not-found"
