"""Payout requests, payout returns and adjustments: every rule broken and kept, and what is said.

The reasons are written out in full, so that none can ever hold a value.
"""

from itertools import combinations
from typing import Final

import pytest

from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.direct_operations import Adjustment, PayoutRequest
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.operations import Stage
from tests.unit.contracts.direct_messages import (
    ADJUSTMENT,
    AMOUNT,
    BASES,
    FORMAT,
    ID,
    OF_EVERY_KIND,
    OPERATION_ID,
    REQUEST,
    RETURN,
    parsed,
    refusal,
)
from tests.unit.contracts.messages import ABSENT, SENT_AT, code_of, message


@OF_EVERY_KIND
@pytest.mark.parametrize(
    ("changes", "minor"),
    [
        ({}, 4000),
        ({"amount": "0.01"}, 1),
        ({"amount": "999999999999999.99"}, 99999999999999999),
        ({"amount": "7", "currency": "JPY"}, 7),
        ({"amount": "0.001", "currency": "BHD"}, 1),
        ({"merchant_id": "a" * 64, "balance_shop_id": "0.b_c:d-e"}, 4000),
    ],
)
def test_what_keeps_the_contract_is_accepted(kind, changes, minor):
    operation = parsed(kind, **changes)
    assert operation.amount.minor == minor
    assert operation.merchant_id == changes.get("merchant_id", "m-100")
    assert operation.reference == ("adjustment-1" if kind == "adjustment" else "payout-1")


@pytest.mark.parametrize(
    ("kind", "changes", "movement"),
    [
        ("request", {}, "-40.00"),
        ("return", {}, "40.00"),
        ("adjustment", {"direction": "credit"}, "40.00"),
        ("adjustment", {"direction": "debit"}, "-40.00"),
    ],
)
def test_what_it_does_to_the_balance_has_its_sign(kind, changes, movement):
    assert str(parsed(kind, **changes).movement) == movement


@pytest.mark.parametrize(("minimum", "minor"), [("0.01", 1), ("39.9", 3990), ("40.00", 4000)])
def test_a_minimum_is_above_zero_and_up_to_the_amount(minimum, minor):
    operation = parsed("request", minimum_amount=minimum)
    assert isinstance(operation, PayoutRequest)
    assert operation.minimum_amount is not None
    assert operation.minimum_amount.minor == minor


@pytest.mark.parametrize("reason", ["x", "é" * 200, "Zwrot 17 € (§4), 'OK'", "\U0001f600"])
def test_a_reason_is_text_of_up_to_200_characters(reason):
    operation = parsed("adjustment", reason=reason, corrects=OPERATION_ID)
    assert isinstance(operation, Adjustment)
    assert (operation.reason, operation.corrects) == (reason, OPERATION_ID)


@OF_EVERY_KIND
@pytest.mark.parametrize("version", [ABSENT, None, "2", 1, ""])
def test_only_version_1_is_known(kind, version):
    assert refusal(kind, schema_version=version) == ("E_VERSION", 'schema_version: must be "1"')


REQUIRED = [
    (kind, name) for kind, base in BASES.items() for name in base.keys() - {"schema_version"}
]


@pytest.mark.parametrize(("kind", "field"), sorted(REQUIRED))
def test_a_missing_field_is_named(kind, field):
    if field == "type":  # it is what makes a message a return
        assert refusal(kind, type=ABSENT) == ("E_SCHEMA", "requested_at: missing")
    else:
        assert refusal(kind, **{field: ABSENT}) == ("E_SCHEMA", f"{field}: missing")


OPTIONAL = [
    ("request", "minimum_amount"),
    ("request", "valid_until"),
    ("request", "mode"),
    ("return", "return_id"),
    ("adjustment", "corrects"),
]


@pytest.mark.parametrize("value", [None, 17, 1.5, True, ["x"], {"x": "y"}], ids=str)
@pytest.mark.parametrize(("kind", "field"), sorted(REQUIRED) + OPTIONAL)
def test_a_field_of_another_type_is_refused(kind, field, value):
    code = "E_AMOUNT" if field in {"amount", "minimum_amount"} else "E_SCHEMA"
    expected = {
        "amount": f"must be a JSON string: {AMOUNT}",
        "minimum_amount": f"must be a JSON string: {AMOUNT}",
        "type": "must be 'return'",
        "direction": "must be 'credit' or 'debit'",
    }.get(field, "must be a JSON string")
    if value is None and (kind, field) in OPTIONAL:
        expected = "must not be null"
    assert refusal(kind, **{field: value}) == (code, f"{field}: {expected}")


@pytest.mark.parametrize(
    ("kind", "unknown"),
    [
        *((kind, "note") for kind in BASES),
        *((kind, "psp_id") for kind in BASES),
        ("request", "bank_reference"),
        ("request", "returned_at"),
        ("request", "reason"),
        ("return", "minimum_amount"),
        ("return", "mode"),
        ("return", "requested_at"),
        ("adjustment", "payout_id"),
        ("adjustment", "minimum_amount"),
        ("adjustment", "mode"),
        ("adjustment", "type"),
    ],
)
def test_an_unknown_field_is_named(kind, unknown):
    assert refusal(kind, **{unknown: "test"}) == ("E_SCHEMA", f"{unknown}: unknown field")


@OF_EVERY_KIND
@pytest.mark.parametrize("name", ["Amount", "4111111111111111", "", "a\nb", "=cmd()", "a" * 41])
def test_a_name_that_was_made_up_is_not_repeated(kind, name):
    assert refusal(kind, **{name: "x"}) == ("E_SCHEMA", "(unknown name): unknown field")


@pytest.mark.parametrize("value", ["payout", "request", "Return", "return\n", "", "withdrawal"])
@pytest.mark.parametrize("kind", ["request", "return"])
def test_a_type_is_return_or_is_not_there(kind, value):
    assert refusal(kind, type=value) == ("E_SCHEMA", "type: must be 'return'")


def test_one_stage_s_message_is_none_of_the_other_s():
    assert code_of(message(ADJUSTMENT), Stage.PAYOUT) == "E_SCHEMA"
    assert code_of(message(REQUEST), Stage.ADJUSTMENT) == "E_SCHEMA"
    assert code_of(message(RETURN), Stage.ADJUSTMENT) == "E_SCHEMA"
    assert code_of(message(REQUEST), Stage.CONFIRMED) == "E_SCHEMA"


ID_FIELDS = [
    *((kind, field) for kind in BASES for field in ("merchant_id", "balance_shop_id")),
    ("request", "payout_id"),
    ("return", "payout_id"),
    ("return", "return_id"),
    ("adjustment", "adjustment_id"),
    ("adjustment", "requested_by"),
    ("adjustment", "reason_code"),
]


@pytest.mark.parametrize("value", ["", "a" * 65, "-a", "a b", "a\n", "a|b", "a#b", "é", "a\x00"])
@pytest.mark.parametrize(("kind", "field"), ID_FIELDS)
def test_an_id_of_another_form_is_refused(kind, field, value):
    assert refusal(kind, **{field: value}) == ("E_ID", f"{field}: {ID}")


@pytest.mark.parametrize(
    "value",
    [
        *("", "adjustment-1", OPERATION_ID.upper(), OPERATION_ID + "\n", f"urn:{OPERATION_ID}"),
        OPERATION_ID.replace("-5222", "-4222"),  # a random id is none of ours
        OPERATION_ID.replace("-", ""),
    ],
)
def test_what_is_corrected_is_named_by_its_falcon_operation_id(value):
    expected = f"corrects: {FORMAT}: a UUID of version 5 in lower case"
    assert refusal("adjustment", corrects=value) == ("E_ID", expected)


AMOUNT_FIELDS = [(kind, "amount") for kind in BASES] + [("request", "minimum_amount")]


@pytest.mark.parametrize(("kind", "field"), AMOUNT_FIELDS)
@pytest.mark.parametrize("value", ["0", "0.0", "0.00", "0.000", "0." + "0" * 50])
def test_an_amount_is_above_zero(kind, field, value):
    assert refusal(kind, **{field: value}) == ("E_AMOUNT", f"{field}: must be above zero")


@pytest.mark.parametrize(("kind", "field"), AMOUNT_FIELDS)
@pytest.mark.parametrize(
    "value", ["-1", "-40.00", "+1", "01", "1e3", "1,00", ".5", "5.", "", "1\n", "NaN", "1" * 16]
)
def test_an_amount_of_another_form_is_refused(kind, field, value):
    assert refusal(kind, **{field: value}) == ("E_AMOUNT", f"{field}: {FORMAT}: {AMOUNT}")


@pytest.mark.parametrize(("kind", "field"), AMOUNT_FIELDS)
@pytest.mark.parametrize(
    ("currency", "value", "decimals"),
    [("EUR", "1.001", 2), ("EUR", "1.000", 2), ("JPY", "1.0", 0), ("BHD", "1.0000", 3)],
)
def test_an_amount_has_no_more_decimals_than_its_currency(kind, field, currency, value, decimals):
    whole = {"amount": "40", "currency": currency}
    said = refusal(kind, **whole | {field: value})
    assert said == ("E_SCALE", f"{field}: must have at most {decimals} decimals")


@OF_EVERY_KIND
@pytest.mark.parametrize("value", ["", "eur", "EURO", "EUR\n", "ABC", "DEM", "XXX", "978"])
def test_a_currency_is_one_of_iso_4217(kind, value):
    said = refusal(kind, currency=value)
    unknown = "unknown currency (ISO 4217)"
    wrong = f"{FORMAT}: three capital letters, such as EUR"
    assert said in [("E_CURRENCY", f"currency: {why}") for why in (wrong, unknown)]


@pytest.mark.parametrize("minimum", ["40.01", "41", "400.00", "999999999999999"])
def test_a_minimum_above_the_amount_is_refused(minimum):
    said = refusal("request", minimum_amount=minimum)
    assert said == ("E_AMOUNT", "minimum_amount: must not be above amount")


@pytest.mark.parametrize("date", ["yesterday", "2999-01-01T00:00:00Z"])
def test_a_minimum_above_the_amount_is_told_before_a_date(date):
    said = refusal("request", minimum_amount="400.00", requested_at=date)
    assert said == ("E_AMOUNT", "minimum_amount: must not be above amount")


@pytest.mark.parametrize("value", ["CREDIT", "credit ", "both", "", "-1", "withdrawal"])
def test_a_direction_is_credit_or_debit(value):
    assert refusal("adjustment", direction=value) == (
        "E_SCHEMA",
        "direction: must be 'credit' or 'debit'",
    )


@pytest.mark.parametrize(
    "reason",
    ["", " ", "   ", "x" * 201, "é" * 201, "a\nb", "a\tb", "a\x00", "\x1b[31m", "\x7f", "\x85"],
)
def test_a_reason_that_is_empty_too_long_or_holds_control_characters_is_refused(reason):
    rule = "reason: must be text of 1 to 200 characters without control characters"
    assert refusal("adjustment", reason=reason) == ("E_SCHEMA", rule)


@pytest.mark.parametrize(
    "reason", ["10\u00a0% off", "\u8fd4\u91d1\u3000\u4e8c\u91cd", "caf\u00e9", "x" * 200]
)
def test_a_reason_in_any_script_is_text(reason):
    assert refusal("adjustment", reason=reason) is None


@pytest.mark.parametrize("mode", ["prod", "TEST", "", "test\n"])
def test_a_mode_is_test_or_live(mode):
    assert refusal("request", mode=mode) == ("E_MODE", "mode: must be test or live")


def test_a_payout_of_the_other_mode_is_refused():
    assert refusal("request", mode="live") == ("E_MODE", "mode: this environment accepts test only")
    assert refusal("request", mode="test") is None
    body = message(REQUEST, mode="test")
    with pytest.raises(
        RejectedOperation, match=r"^E_MODE: mode: this environment accepts live only$"
    ):
        parse_message(body, Stage.PAYOUT, mode="live", sent_at=SENT_AT)


BROKEN: Final = {
    "E_VERSION": {"schema_version": "2"},
    "E_SCHEMA": {"surplus": "x"},
    "E_ID": {"payout_id": "#"},
    "E_AMOUNT": {"amount": "0"},
    "E_CURRENCY": {"currency": "ABC"},
    "E_SCALE": {"minimum_amount": "1.00001"},
    "E_FUTURE": {"requested_at": "2999-01-01T00:00:00Z"},
    "E_MODE": {"mode": "prod"},
}


@pytest.mark.parametrize(("first", "second"), list(combinations(BROKEN, 2)))
def test_of_two_violations_the_first_of_the_design_gives_the_code(first, second):
    assert code_of(message(REQUEST, **BROKEN[first] | BROKEN[second]), Stage.PAYOUT) == first
