"""What awaits reconciliation as the API answers with it."""

from typing import Any

import pytest

from falcon_balances.domain.instants import rfc3339
from tests.builders import (
    confirmed,
    reconciled,
    shop,
)
from tests.component.api_calls import get, pages
from tests.component.balance_api.listing import CONTEXTS
from tests.component.ledger import (
    MINUTE,
    adjustment,
    id_of,
    payout,
)


def unreconciled(**query: object) -> dict[str, Any]:
    answer = get("/unreconciled", query)
    assert answer.status == 200
    body: dict[str, Any] = answer.body
    return body


def told(body: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (each["external_reference"], each["standing"], each["age_days"])
        for each in body["operations"]
    ]


@pytest.fixture
def awaited(ledger):
    """Confirmed alone, reconciled alone, a pair that differs and one that agrees; in two PSPs."""
    ledger.contexts = CONTEXTS
    ledger.at("2026-11-20T10:20:00").count(
        confirmed(external_reference="alone", operation_date="2026-11-10T10:20:00Z"),
        reconciled(external_reference="traced", reconciled_date="2026-11-15T10:20:01Z"),
        confirmed(external_reference="differs", operation_date="2026-11-18T00:00:00Z"),
        reconciled(external_reference="differs", amount="90.00"),
        confirmed(external_reference="agrees"),
        reconciled(external_reference="agrees"),
        confirmed(
            external_reference="second",
            psp_id="other-psp",
            operation_date="2026-11-20T10:20:00Z",
            **shop("5554"),
        ),
        payout(),
        adjustment(),
    )
    return ledger


def test_what_awaits_its_other_stage_or_differs_from_it_is_told_the_oldest_first(awaited):
    body = unreconciled()
    assert told(body) == [
        ("alone", "confirmed_only", 10),
        ("traced", "reconciled_only", 4),
        ("differs", "different", 2),
        ("second", "confirmed_only", 0),
    ]
    differs = body["operations"][2]
    assert [(each["type"], each["amount"]) for each in differs["confirmed"]] == [
        ("capture", "100.00"),
        ("psp_fee", "-1.00"),
    ]
    assert [each["amount"] for each in differs["reconciled"]] == ["90.00", "-0.90"]
    assert {each["balance_shop_id"] for each in differs["reconciled"]} == {"bs-5553-eur"}
    alone = body["operations"][0]
    assert (alone["type"], alone["reconciled"]) == ("capture", [])
    assert alone["falcon_operation_id"] == id_of(confirmed(external_reference="alone"), *CONTEXTS)


def test_sums_are_by_psp_currency_and_standing_over_all_of_it(awaited):
    body = unreconciled(limit=1)
    assert len(body["operations"]) == 1
    assert body["sums"] == [
        {
            "psp_id": psp_id,
            "currency": "EUR",
            "standing": standing,
            "open_operations": 1,
            "confirmed": confirmed_sum,
            "reconciled": reconciled_sum,
            "pending": pending,
            "unapplied": unapplied,
            "debits_unconfirmed": "0.00",
            "debits_untraced": "0.00",
        }
        for psp_id, standing, confirmed_sum, reconciled_sum, pending, unapplied in [
            ("other-psp", "confirmed_only", "100.00", "0.00", "100.00", "0.00"),
            ("payu-ro", "confirmed_only", "99.00", "0.00", "99.00", "0.00"),
            ("payu-ro", "different", "99.00", "89.10", "9.90", "0.00"),
            ("payu-ro", "reconciled_only", "0.00", "99.00", "0.00", "99.00"),
        ]
    ]


def test_an_open_refund_says_who_has_not_confirmed_what_was_taken(ledger):
    ledger.count(reconciled(type="refund", amount="40.00"))
    body = unreconciled()
    [operation] = body["operations"]
    assert operation["figures"] == [
        {
            "balance_shop_id": "bs-5553-eur",
            "currency": "EUR",
            "pending": "0.00",
            "unapplied": "0.00",
            "debits_unconfirmed": "40.00",
            "debits_untraced": "0.00",
        }
    ]
    [total] = body["sums"]
    assert (total["debits_unconfirmed"], total["reconciled"]) == ("40.00", "-40.00")


@pytest.mark.parametrize(
    ("days", "references"),
    [
        (0, ["alone", "traced", "differs", "second"]),
        (1, ["alone", "traced", "differs"]),
        (2, ["alone", "traced", "differs"]),
        (3, ["alone", "traced"]),
        (10, ["alone"]),
        (11, []),
        (3650, []),
    ],
)
def test_only_what_is_old_enough_is_told_and_summed(awaited, days, references):
    body = unreconciled(older_than_days=days)
    assert [reference for reference, _, _ in told(body)] == references
    assert sum(each["open_operations"] for each in body["sums"]) == len(references)
    assert body["older_than_days"] == days


def test_when_the_other_stage_comes_and_agrees_nothing_is_awaited_any_more(awaited):
    awaited.count(
        reconciled(external_reference="alone", operation_date="2026-11-10T10:20:00Z"),
        confirmed(external_reference="traced", operation_date="2026-11-14T10:20:00Z"),
    )
    assert [reference for reference, _, _ in told(unreconciled())] == ["differs", "second"]


@pytest.mark.parametrize("limit", [1, 2, 3, 200])
def test_pages_of_what_is_awaited_make_the_same_list(awaited, limit):
    found = pages("/unreconciled", {"limit": limit})
    assert [each for body in found for each in told(body)] == told(unreconciled())
    assert len({str(body["sums"]) for body in found}) == 1


def test_a_date_a_little_ahead_is_awaited_too(ledger):
    """A PSP's clock may be up to fifteen minutes ahead of ours (design §4)."""
    ledger.count(confirmed(operation_date=rfc3339(ledger.now + 10 * MINUTE)))
    assert told(unreconciled()) == [("order-1", "confirmed_only", 0)]


def test_where_nothing_is_awaited_the_list_is_empty_and_of_nobody_not_found(ledger):
    ledger.count(confirmed(), reconciled())
    body = unreconciled()
    assert (body["operations"], body["sums"], body["next_cursor"]) == ([], [], None)
    assert get("/unreconciled", merchant_id="m-nobody").problem == "not-found"


def test_too_many_that_are_awaited_are_422_and_name_the_auditor_s_command(awaited, monkeypatch):
    monkeypatch.setattr("lambdas.api_routes.unreconciled.OPEN_MAX", 3)
    answer = get("/unreconciled")
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert "falcon audit trial-balance" in answer.body["detail"]
