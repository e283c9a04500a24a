import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.domain.direct_operations import (
    Adjustment,
    DirectOperation,
    PayoutRequest,
    PayoutReturn,
)
from falcon_balances.domain.identity import (
    NAMESPACE,
    balance_operation_uuid,
    canonical_document,
    falcon_operation_id,
    fingerprint,
    uuid5_text,
)
from falcon_balances.domain.log_format import expected_uuids
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import OperationType, Stage
from falcon_balances.domain.splitting import split
from tests.unit.domain.events import context, directory, event

SPLIT = ("1", "1.00", "0")


def test_the_namespace_is_the_uuid5_of_our_urn():
    assert uuid.uuid5(uuid.NAMESPACE_URL, "urn:falcon:balances") == NAMESPACE
    assert str(NAMESPACE) == "942ebee6-8333-5758-aa27-7d6d4bf95c2e"


@settings(max_examples=500)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_an_id_is_the_standard_librarys_uuid5(name):
    assert uuid5_text(name) == str(uuid.uuid5(NAMESPACE, name))


def test_an_operation_has_one_id_in_all_stages():
    expected = str(uuid.uuid5(NAMESPACE, "psp-1|capture|ref-1"))
    assert expected == "a2dc57e7-cbc2-5372-863b-168f5251dc64"
    assert falcon_operation_id(event()) == expected
    assert falcon_operation_id(event(stage=Stage.RECONCILED)) == expected


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"amount": "1.00"}, True),
        ({"operation_date": "2026-01-05T10:15:30Z"}, True),
        ({"local_merchant_id": "2"}, True),
        ({"mode": "test"}, True),
        ({"type": "refund"}, False),
        ({"psp_id": "psp-2"}, False),
        ({"external_reference": "REF-1"}, False),
    ],
)
def test_an_operation_is_known_by_psp_type_and_reference(changes, is_same):
    assert (falcon_operation_id(event(**changes)) == falcon_operation_id(event())) is is_same


def test_a_lines_uuid_names_operation_stage_merchant_balance_type_and_number():
    made = balance_operation_uuid("op", Stage.RECONCILED, "m", "bs", OperationType.PSP_FEE, 2)
    assert made == str(uuid.uuid5(NAMESPACE, "op|reconciled|m|bs|psp_fee|2"))
    assert made == "fd05d9b9-1f66-55e3-b0f4-23f60a40cbc4"


def test_lines_are_numbered_per_merchant_balance_shop_and_type_in_the_events_order():
    shops = "12431"
    operation = event("capture", "5.00", "9", *[(local, "1.00", "0.10") for local in shops])
    contexts = directory(
        context("9", "market"),
        context("1", "a"),
        context("2", "a"),
        context("3", "b"),
        context("4", "a", balance_shops={"EUR": "bs-second"}),
    )
    operation_id = falcon_operation_id(operation)
    numbered = [
        ("a|bs-a|capture", 3),
        ("a|bs-a|marketplace_fee", 3),
        ("a|bs-second|capture", 1),
        ("a|bs-second|marketplace_fee", 1),
        ("b|bs-b|capture", 1),
        ("b|bs-b|marketplace_fee", 1),
        ("market|bs-market|marketplace_fee", 5),
    ]
    expected = {
        str(uuid.uuid5(NAMESPACE, f"{operation_id}|confirmed|{name}|{n}"))
        for name, count in numbered
        for n in range(count)
    }
    segments = split(operation, contexts).segments
    assert {line.uuid for segment in segments for line in segment.lines} == expected
    for each in segments:  # as readers of the log derive them again
        uuids = [line.uuid for line in each.lines]
        assert expected_uuids(each.staged, each.merchant_id, each.lines) == uuids


def test_the_canonical_document_has_full_scale_stored_dates_and_no_absent_field():
    operation = event("capture", "1", "9", SPLIT, operation_date="2026-03-05t12:15:30.9+02:00")
    assert canonical_document(operation) == {
        "schema_version": "1",
        "psp_id": "psp-1",
        "external_reference": "ref-1",
        "type": "capture",
        "amount": "1.00",
        "currency": "EUR",
        "operation_date": "2026-03-05T10:15:30Z",
        "local_merchant_id": "9",
        "shop_id": "s-9",
        "splits": [
            {
                "local_merchant_id": "1",
                "shop_id": "s-1",
                "amount": "1.00",
                "marketplace_fee": "0.00",
            }
        ],
    }


def test_the_fingerprint_is_the_sha256_of_the_canonical_json():
    operation = event(stage=Stage.RECONCILED, mode="test", original_reference="before")
    text = json.dumps(canonical_document(operation), sort_keys=True, separators=(",", ":"))
    assert text == (
        '{"amount":"100.00","bank_reference":"bank-1","currency":"EUR",'
        '"external_reference":"ref-1","local_merchant_id":"1",'
        '"operation_date":"2026-03-05T10:15:30Z","original_reference":"before","psp_id":"psp-1",'
        '"reconciled_date":"2026-03-07T09:00:00Z","schema_version":"1","shop_id":"s-1",'
        '"type":"capture"}'
    )
    assert fingerprint(operation) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "100"},
        {"amount": "100.0"},
        {"operation_date": "2026-03-05T12:15:30+02:00"},
        {"operation_date": "2026-03-05t10:15:30.999z"},
        {"mode": "test"},
    ],
)
def test_the_same_event_written_differently_has_the_same_fingerprint(changes):
    assert fingerprint(event(**changes)) == fingerprint(event())


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "100.01"},
        {"currency": "USD"},
        {"operation_date": "2026-03-05T10:15:31Z"},
        {"local_merchant_id": "2"},
        {"shop_id": "s-2"},
        {"original_reference": "ref-0"},
        {"occurrence": 2},
        {"revision": 2, "revised_at": "2026-03-06T00:00:00Z"},
        {"stage": Stage.RECONCILED},
    ],
)
def test_another_content_has_another_fingerprint(changes):
    assert fingerprint(event(**changes)) != fingerprint(event())


def test_a_marketplace_fee_of_zero_is_said_and_none_is_left_out():
    said = event("capture", "1.00", "9", SPLIT)
    unsaid = event("capture", "1.00", "9", SPLIT[:2])
    assert fingerprint(said) != fingerprint(unsaid)


EUR = Currency("EUR", 2)
FIRST = datetime(2026, 1, 5, 10, 15, 30, tzinfo=UTC)


def direct(kind: type[DirectOperation], **changes: Any) -> DirectOperation:
    said: dict[str, Any] = {"merchant_id": "m-1", "balance_shop_id": "bs", "amount": Money(1, EUR)}
    own: dict[type[DirectOperation], dict[str, Any]] = {
        PayoutRequest: {"payout_id": "week-48", "requested_at": FIRST},
        PayoutReturn: {"payout_id": "week-48", "returned_at": FIRST, "bank_reference": "b-1"},
        Adjustment: {
            "adjustment_id": "week-48",
            "direction": "debit",
            "adjusted_at": FIRST,
            "reason_code": "goodwill",
            "reason": "counted twice",
            "requested_by": "anna",
        },
    }
    return kind(**said | own[kind] | changes)


@pytest.mark.parametrize(
    ("kind", "changes", "name"),
    [
        (PayoutRequest, {}, "payout|m-1|week-48"),
        (PayoutRequest, {"merchant_id": "m-2"}, "payout|m-2|week-48"),
        (PayoutReturn, {}, "payout_return|m-1|week-48"),
        (PayoutReturn, {"return_id": "second"}, "payout_return|m-1|week-48|second"),
        (PayoutReturn, {"merchant_id": "m-2"}, "payout_return|m-2|week-48"),
        (Adjustment, {}, "adjustment|week-48"),
        (Adjustment, {"merchant_id": "m-2"}, "adjustment|week-48"),
    ],
)
def test_a_payout_is_known_by_its_merchant_and_each_return_by_its_own_id(kind, changes, name):
    assert falcon_operation_id(direct(kind, **changes)) == str(uuid.uuid5(NAMESPACE, name))


@pytest.mark.parametrize(
    ("kind", "changes", "is_same"),
    [
        (PayoutRequest, {"requested_at": FIRST + timedelta(days=1)}, True),
        (PayoutRequest, {"valid_until": FIRST + timedelta(days=1)}, True),
        (PayoutRequest, {"mode": "test"}, True),
        (PayoutRequest, {"amount": Money(2, EUR)}, False),
        (PayoutRequest, {"minimum_amount": Money(1, EUR)}, False),
        (PayoutRequest, {"balance_shop_id": "bs-2"}, False),
        (PayoutReturn, {"return_id": "second"}, False),
        (PayoutReturn, {"returned_at": FIRST + timedelta(days=1)}, False),
        (PayoutReturn, {"bank_reference": "b-2"}, False),
    ],
)
def test_when_it_was_asked_and_how_long_it_holds_is_no_part_of_the_content(kind, changes, is_same):
    assert (fingerprint(direct(kind, **changes)) == fingerprint(direct(kind))) is is_same
