"""Balances at an earlier moment, from the table and from the log: exact at every border."""

from datetime import timedelta
from typing import Any

import pytest

from falcon_balances.fakes.interruptions import never
from tests.builders import (
    confirmed,
)
from tests.component.api_calls import MERCHANT, get
from tests.component.balance_api.trading import BALANCES, key_of, trade
from tests.component.ledger import (
    QUARTER,
    SECOND,
    adjustment,
    figures_at,
    live_figures,
)
from tests.component.world import utc


@pytest.mark.parametrize("seed", range(3))
def test_at_is_what_was_read_live_at_each_quarter_s_border(traded, seed):
    live = trade(traded, seed)
    assert len(live) == 19
    for border, figures in live.items():
        assert figures_at(border) == figures, border


def test_between_two_counts_every_border_says_the_same(traded):
    live = trade(traded)
    border = utc("2026-10-01T00:30:00")
    for later in (border + QUARTER, border + timedelta(hours=5), border + timedelta(days=11)):
        assert figures_at(later) == figures_at(border + QUARTER)
    assert figures_at(border) == live[border]


def test_before_its_first_operation_a_balance_was_not_there(traded):
    """Else the answer for a closed quarter would change when another balance begins."""
    trade(traded)
    for early in ("2026-09-01T00:00:00Z", "0001-01-01T00:00:00Z"):
        answer = get("/balances", {"at": early})
        assert (answer.status, answer.body["balances"]) == (200, [])
        assert get("/balances/bs-one", {"at": early}).status == 404


def test_at_can_be_asked_of_one_balance_shop_and_in_any_offset(traded):
    trade(traded)
    path, at = "/balances/bs-one", "2026-10-12T13:15:00"
    answer = get(path, {"at": f"{at}Z"})
    assert [key_of(each) for each in answer.body["balances"]] == BALANCES[:2]
    assert answer.body["at"] == f"{at}Z"
    assert (answer.body["by"], answer.body["source"]) == ("counting", "table")
    assert get(path, {"at": "2026-10-12T18:45:00+05:30"}).body == answer.body
    assert get("/balances/bs-none", {"at": f"{at}Z"}).status == 404


def test_an_open_quarter_is_404_and_says_until_when_quarters_are_closed(traded):
    trade(traded)
    assert traded.now == utc("2026-12-01T02:15:10")
    for at in ("2026-12-01T02:30:00Z", "2027-01-01T00:00:00Z", "9999-12-31T23:45:00Z"):
        answer = get("/balances", {"at": at})
        assert (answer.status, answer.problem) == (404, "period-not-closed")
        assert answer.body["closed_until"] == "2026-12-01T02:15:00Z"
        assert "2026-12-01T02:15:00Z" in answer.body["detail"]
    assert get("/balances", {"at": "2026-12-01T02:15:00Z"}).status == 200


def test_before_the_first_cut_nothing_is_closed(ledger):
    ledger.count(confirmed())
    for path, query in [
        ("/balances", {"at": "2026-11-20T10:00:00Z"}),
        ("/balances/bs-5553-eur/history", {}),
        ("/statements/2026-10", {}),
    ]:
        answer = get(path, query)
        assert (answer.status, answer.problem) == (404, "period-not-closed")
        assert answer.body["closed_until"] is None


def test_a_quarter_closes_five_seconds_after_its_end(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    for time, status in (("10:15:04", 404), ("10:15:05", 200)):
        ledger.at(f"2026-11-20T{time}").cut()
        assert get("/balances", {"at": "2026-11-20T10:15:00Z"}).status == status


@pytest.mark.parametrize("at", ["10:14:59Z", "10:15:01Z", "10:07:00Z", "10:15:00+00:07"])
def test_between_borders_only_the_log_can_tell(ledger, at):
    ledger.count(confirmed())
    ledger.close()
    query = {"at": f"2026-11-20T{at}"}
    answer = get("/balances", query)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.named == ["at"]
    assert get("/balances", query | {"source": "log"}).status == 200


def test_the_two_axes_differ_where_something_was_told_late(ledger):
    """Booked at 09:00, told at 10:20: by operation date it was there at 10:00, by counting not."""
    ledger.at("2026-11-20T09:05:00").count(
        confirmed(operation_date="2026-11-20T09:00:00Z", external_reference="in-time")
    )
    ledger.at("2026-11-20T10:20:00").count(
        confirmed(operation_date="2026-11-20T09:00:00Z", external_reference="late")
    )
    ledger.close()
    by_counting = get("/balances", {"at": "2026-11-20T10:00:00Z"}).body
    by_date = get("/balances", {"at": "2026-11-20T10:00:00Z", "source": "log"}).body
    assert by_counting["balances"][0]["confirmed"] == "100.00"
    assert by_date["balances"][0]["confirmed"] == "200.00"
    assert (by_date["by"], by_date["source"]) == ("operation_date", "log")
    assert by_date["objects_read"] == 2


def test_from_the_log_an_instant_is_not_included(ledger):
    ledger.count(confirmed(operation_date="2026-11-20T10:15:30Z"))
    for at, amounts in (("10:15:30Z", []), ("10:15:31Z", ["100.00"])):
        body = get("/balances", {"at": f"2026-11-20T{at}", "source": "log"}).body
        assert [each["confirmed"] for each in body["balances"]] == amounts


@pytest.mark.parametrize("held_h", [0, 3, 12, 24])
def test_of_many_balances_and_many_open_quarters_all_is_exact(ledger, held_h):
    """While others go on counting."""

    def count_all(name: str) -> None:
        said = {"adjusted_at": "2026-11-20T10:00:00Z"}
        for n in range(130):
            shop_id = f"bs-{n:03d}"
            ledger.count(adjustment(adjustment_id=f"{name}-{n}", balance_shop_id=shop_id, **said))

    ledger.at("2026-11-20T10:05:00")
    count_all("before")
    border = ledger.close()
    live = live_figures()
    ledger.now += timedelta(hours=held_h)
    count_all("after")
    assert len(live) == 130
    assert figures_at(border) == live
    assert {each["adjusted"] for each in live_figures().values()} == {"80.00"}


def test_whatever_is_counted_between_the_reads_closed_quarters_are_exact(traded):
    """Asked a moment before a border: money on both sides of it, and cuts that close it."""
    trade(traded)
    asked: list[tuple[str, dict[str, object]]] = [
        ("/balances", {"at": "2026-10-12T13:15:00Z"}),
        ("/balances", {"at": "2026-12-01T02:15:00Z"}),
        ("/balances/bs-one/history", {"from": "2026-11-30T00:00:00Z"}),
        ("/statements/2026-11", {}),
    ]
    expected = [get(path, query).body for path, query in asked]
    points: list[str] = []

    def meanwhile(point: str) -> None:
        if point.startswith("before MemoryMerchantReads"):
            points.append(point)
            traded.store.interrupt = never
            traded.now += 2 * SECOND
            traded.count(confirmed(external_reference=f"meanwhile-{len(points)}"))
            traded.cut()
            traded.store.interrupt = meanwhile

    for (path, query), right in zip(asked, expected, strict=True):
        for before_s in (1, 3, 5, 7, 9, 11):
            traded.now = utc("2026-12-01T02:30:00") - before_s * SECOND
            at_the_end = {"to": right["to"]} if "history" in path else {}
            traded.store.interrupt = meanwhile
            body = get(path, query | at_the_end).body
            traded.store.interrupt = never
            assert said_of_the_past(body) == said_of_the_past(right), (path, before_s)
    assert len(points) > 60


def said_of_the_past(body: dict[str, Any]) -> dict[str, Any]:
    """All but how fresh it is; days are of operation dates, and may learn more."""
    fresh = {"as_of", "lag_seconds", "closed_until"}
    said = {name: value for name, value in body.items() if name not in fresh}
    balances = [{**each, "days": []} for each in body["balances"]]
    return said | {"balances": balances}


def test_once_drained_the_log_adds_up_to_the_table(traded):
    trade(traded)
    table, log = get().body, get("/balances", {"source": "log"}).body
    assert any(each["blocked"] != "0.00" for each in table["balances"])
    assert log.pop("source") == "log"
    assert log.pop("objects_read") == len(traded.log.segments_of(MERCHANT))
    without = {"negative_since"}
    assert log["balances"] == [
        {name: value for name, value in each.items() if name not in without}
        for each in table["balances"]
    ]
    assert {**log, "balances": []} == {**table, "balances": []}


def test_what_is_logged_but_not_counted_yet_is_in_the_log_s_answer_alone(ledger):
    ledger.count(confirmed())
    held, ledger.reduce = ledger.reduce, lambda *_: None
    ledger.count(confirmed(external_reference="held", amount="7.00"))
    assert get().body["balances"][0]["confirmed"] == "100.00"
    assert get("/balances", {"source": "log"}).body["balances"][0]["confirmed"] == "107.00"
    ledger.reduce = held


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/balances", {}),
        ("/balances/bs-5553-eur", {}),
        ("/balances", {"at": "2026-11-20T10:15:00Z"}),
        ("/turnover", {"month": "2026-11"}),
    ],
)
def test_past_the_limit_the_log_is_422_and_names_the_auditor_s_command(ledger, path, query):
    ledger.log_objects_max = 3
    ledger.count(*(confirmed(external_reference=f"order-{n}") for n in range(3)))
    assert get(path, query | {"source": "log"}).body["objects_read"] == 3
    ledger.count(confirmed(external_reference="one more"[:3]))
    answer = get(path, query | {"source": "log"})
    assert (answer.status, answer.problem) == (422, "log-too-large")
    assert answer.body["objects_max"] == 3
    assert answer.body["command"] == "falcon audit replay --merchant m-5553"
    assert answer.body["command"] in answer.body["detail"]
