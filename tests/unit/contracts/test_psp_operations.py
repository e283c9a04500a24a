"""Every rule of design §4, broken and kept: a message and its code."""

import pytest

from falcon_balances.contracts.staged_operations import parse_document, parse_message
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.operations import Stage
from tests.unit.contracts.messages import (
    ABSENT,
    CONFIRMED,
    OPTIONAL,
    RECONCILED,
    SENT_AT,
    code_of,
    message,
    rejection,
    split,
)

LONGEST_ID = "a" * 64


@pytest.mark.parametrize(
    "changes",
    [
        {},
        OPTIONAL,
        {"psp_id": LONGEST_ID, "external_reference": "0", "shop_id": "a.b_c:d-e"},
        {"amount": "999999999999999.99"},
        {"amount": "0.01"},
        {"amount": "1"},
        {"amount": "1.5"},
        {"amount": "1000", "currency": "JPY"},
        {"amount": "0.001", "currency": "BHD"},
        {"operation_date": "2000-01-01t00:00:00.123456789z"},
        {"operation_date": "2026-11-20T10:30:30Z"},
        {"operation_date": "2026-11-20T10:30:30.999999Z"},  # cut off before it is compared
        {"operation_date": "2026-11-20T12:30:30+02:00"},
        {"splits": [split()]},
        {"splits": [split(marketplace_fee="0")]},
        {"splits": [split(marketplace_fee="100.00")]},
        {"splits": [split(amount="2.5")] * 40},
        {"splits": [split(amount="99"), split(amount="1.00", marketplace_fee="0.50")]},
        *[{"type": kind} for kind in ("refund", "chargeback", "chargeback_reversal", "cashback")],
    ],
)
def test_what_keeps_the_contract_is_accepted(changes):
    assert code_of(message(**changes)) is None
    assert code_of(message(RECONCILED, **changes), Stage.RECONCILED) is None


@pytest.mark.parametrize("version", [ABSENT, None, "", "2", "1.0", "v1", " 1", 1, True, ["1"], {}])
def test_only_version_1_is_known(version):
    assert code_of(message(schema_version=version)) == "E_VERSION"


REQUIRED = [name for name in CONFIRMED if name != "schema_version"]


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_field_is_named(field):
    rejected = rejection(message(**{field: ABSENT}))
    assert rejected is not None
    assert (rejected.code, rejected.reason) == ("E_SCHEMA", f"{field}: missing")


@pytest.mark.parametrize("field", sorted(RECONCILED.keys() - CONFIRMED.keys()))
def test_the_bank_fields_belong_to_reconciled_operations_and_to_no_others(field):
    assert code_of(message(RECONCILED, **{field: ABSENT}), Stage.RECONCILED) == "E_SCHEMA"
    rejected = rejection(message(**{field: RECONCILED[field]}))
    assert rejected is not None
    assert (rejected.code, rejected.reason) == ("E_SCHEMA", f"{field}: unknown field")


@pytest.mark.parametrize("field", [*REQUIRED, *OPTIONAL, "splits"])
def test_null_is_no_value(field):
    assert code_of(message(**{field: None})) == ("E_AMOUNT" if field == "amount" else "E_SCHEMA")


@pytest.mark.parametrize("field", ["local_merchant_id", "shop_id", "amount", "marketplace_fee"])
def test_null_is_no_value_in_a_split_either(field):
    is_amount = field in {"amount", "marketplace_fee"}
    expected = "E_AMOUNT" if is_amount else "E_SCHEMA"
    assert code_of(message(splits=[split(**{field: None})])) == expected


@pytest.mark.parametrize("value", [1, 1.5, True, False, [], ["EUR"], {}, {"a": "b"}])
@pytest.mark.parametrize(
    "field", [*(name for name in REQUIRED if name != "amount"), *OPTIONAL, "splits"]
)
def test_a_field_of_another_type_is_refused(field, value):
    assert code_of(message(**{field: value})) == "E_SCHEMA"


@pytest.mark.parametrize(
    "changes",
    [
        {"unknown": "x"},
        {"Amount": "100.00"},
        {"marketplace_fee": "1.00"},
        {"merchant_id": "m-1"},
        {"type": "withdrawal"},
        {"type": "psp_fee"},
        {"type": "Capture"},
        {"type": "capture\n"},
        {"type": ""},
        {"splits": []},
        {"splits": "x"},
        {"splits": split()},
        {"splits": [split(amount="1.00")] * 41},
        {"splits": [None]},
        {"splits": ["x"]},
        {"splits": [[]]},
        {"splits": [{}]},
        {"splits": [split(shop_id=ABSENT)]},
        {"splits": [split(local_merchant_id=5)]},
        {"splits": [split(currency="EUR")]},
        {"splits": [split(splits=[split()])]},
        # Known, but not together with the others.
        {"revision": 2},
        {"revised_at": "2026-11-20T00:00:00Z"},
        {"revision": 2, "external_reference": "|"},  # E_SCHEMA is looked for before E_ID
        {"original_date": "2026-03-01T00:00:00Z"},
        {"original_date": "2026-03-01T00:00:00Z", "type": "cashback"},
    ],
)
def test_what_the_contract_does_not_know_is_refused(changes):
    assert code_of(message(**changes)) == "E_SCHEMA"


@pytest.mark.parametrize("field", ["amount", "type", "external_reference"])
def test_a_small_number_is_no_text(field):
    expected = "E_AMOUNT" if field == "amount" else "E_SCHEMA"
    assert code_of(message(**{field: 42})) == expected


@pytest.mark.parametrize("kind", ["refund", "chargeback", "chargeback_reversal"])
@pytest.mark.parametrize(
    ("date", "code"),
    [
        ("2026-03-05T10:15:30Z", None),
        ("2026-03-05T11:15:30.5+01:00", None),
        ("2026-03-05T10:15:31Z", "E_DATE"),
        ("2999-01-01T00:00:00Z", "E_DATE"),
        ("1999-12-31T23:59:59Z", "E_DATE"),
    ],
)
def test_a_sale_was_not_made_after_what_belongs_to_it(kind, date, code):
    assert code_of(message(type=kind, original_date=date)) == code


@pytest.mark.parametrize("field", ["operation_date", "revised_at"])
@pytest.mark.parametrize(
    ("date", "code"),
    [
        ("2000-01-01T00:00:00Z", None),
        ("1999-12-31T23:59:59Z", "E_DATE"),
        ("2000-01-01T00:00:00+00:01", "E_DATE"),
        ("2016-12-31T23:59:60Z", "E_DATE"),
        ("2026-11-20T10:30:31Z", "E_FUTURE"),
    ],
)
def test_dates_begin_with_the_year_2000_in_utc(field, date, code):
    changes = {"revision": 2, "revised_at": "2026-03-06T00:00:00Z"} | {field: date}
    assert code_of(message(**changes)) == code


def test_only_a_revision_says_that_nothing_is_left():
    revision = {"revision": 2, "revised_at": "2026-03-06T00:00:00Z"}
    assert code_of(message(amount="0.00")) == "E_AMOUNT"
    assert code_of(message(amount="0.00", **revision)) is None
    legs = [split(amount="100.00"), split(amount="0")]
    assert code_of(message(splits=legs)) == "E_AMOUNT"
    assert code_of(message(splits=legs, **revision)) is None


@pytest.mark.parametrize(
    "splits",
    [
        [split(amount="99.99")],
        [split(amount="100.01")],
        [split(), split(amount="0.01")],
        [split(marketplace_fee="100.01")],
        [split(amount="99"), split(amount="1", marketplace_fee="1.01")],
        [split(amount="999999999999999.99")] * 40,
    ],
)
def test_splits_add_up_exactly_and_no_marketplace_fee_is_above_its_amount(splits):
    assert code_of(message(splits=splits)) == "E_SPLIT_SUM"


@pytest.mark.parametrize("value", ["live", "prod", "TEST", "", "test\n"])
def test_a_mode_is_that_of_the_environment(value):
    assert code_of(message(mode=value)) == "E_MODE"


def test_live_takes_live_only():
    assert parse_message(message(mode="live"), Stage.CONFIRMED, mode="live", sent_at=SENT_AT)
    with pytest.raises(RejectedOperation, match=r"^E_MODE: "):
        parse_message(message(mode="test"), Stage.CONFIRMED, mode="live", sent_at=SENT_AT)


def test_a_file_checked_without_a_time_of_sending_may_hold_any_date():
    document = CONFIRMED | {"operation_date": "2999-01-01T00:00:00Z"}
    assert parse_document(document, Stage.CONFIRMED).booked_at.year == 2999


def test_a_field_with_a_made_up_name_is_unknown_whatever_the_name_is():
    assert code_of(message(**{"[key]": "x"})) == "E_SCHEMA"
