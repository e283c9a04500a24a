"""Amounts, currencies and dates of design §4, broken and kept: a value and its code."""

import pytest

from falcon_balances.domain.operations import Stage
from tests.unit.contracts.messages import RECONCILED, code_of, message, split

WRONG_AMOUNTS = [
    1,
    100.0,
    True,
    False,
    [],
    ["1.00"],
    {},
    "",
    " ",
    "1e3",
    "1E3",
    "1_000",
    "1,000",
    "1 000",
    "+1",
    "-1",
    "-1.00",
    "01",
    "00",
    "001.00",
    ".5",
    "5.",
    ".",
    "1..0",
    "1.0.0",
    " 1",
    "1 ",
    "1\n",
    "1.00\n",
    "\n1",
    "1\x00",
    "0x10",
    "１",  # noqa: RUF001 - a fullwidth digit is the case
    "1.１",  # noqa: RUF001
    "\u0661",
    "NaN",
    "Infinity",
    "inf",
    "null",
    "1000000000000000",  # 16 digits
    "9999999999999999.99",
    "9" * 5000,
    "1€",
]


@pytest.mark.parametrize("value", WRONG_AMOUNTS)
def test_an_amount_of_another_form_is_refused_wherever_it_is(value):
    assert code_of(message(amount=value)) == "E_AMOUNT"
    assert code_of(message(splits=[split(amount=value)])) == "E_AMOUNT"
    assert code_of(message(splits=[split(marketplace_fee=value)])) == "E_AMOUNT"


@pytest.mark.parametrize("value", ["0", "0.0", "0.00", "0.000", "0." + "0" * 50])
def test_an_amount_is_above_zero(value):
    assert code_of(message(amount=value)) == "E_AMOUNT"
    assert code_of(message(splits=[split(), split(amount=value)])) == "E_AMOUNT"


@pytest.mark.parametrize(
    "value",
    [
        *("", "eur", "Eur", "EU", "EURO", "EUR\n", " EUR", "978", "€", "ＥＵＲ"),  # noqa: RUF001
        *("ABC", "ZZZ"),  # of the form, and no currency
        *("DEM", "HRK"),  # of the past
        *("XXX", "XTS", "XAU"),  # no currency, a test, and gold: no minor unit
    ],
)
def test_a_currency_is_one_of_iso_4217_with_a_minor_unit(value):
    assert code_of(message(currency=value)) == "E_CURRENCY"


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("1.001", "EUR"),
        ("1.000", "EUR"),
        ("1.0", "JPY"),
        ("1.0000", "BHD"),
        ("1." + "1" * 60_000, "EUR"),
    ],
)
def test_an_amount_has_no_more_decimals_than_its_currency(amount, currency):
    assert code_of(message(amount=amount, currency=currency)) == "E_SCALE"
    whole = {"amount": "1", "currency": currency}
    assert code_of(message(**whole, splits=[split(amount=amount)])) == "E_SCALE"
    fee = split(amount="1", marketplace_fee=amount)
    assert code_of(message(**whole, splits=[fee])) == "E_SCALE"


@pytest.mark.parametrize(
    "value",
    [
        *("", "yesterday", "2026-03-05", "2026-03-05T10:15:30", "1772705730"),
        *("2026-03-05T10:15:30Z\n", "2026-02-29T10:15:30Z", "2026-03-05T10:15:30.1234567890Z"),
        *("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "0000-01-01T00:00:00Z"),
        "２０２６-03-05T10:15:30Z",  # noqa: RUF001 - fullwidth digits are the case
    ],
)
def test_a_date_is_rfc_3339_with_an_offset(value):
    assert code_of(message(operation_date=value)) == "E_DATE"
    assert code_of(message(RECONCILED, reconciled_date=value), Stage.RECONCILED) == "E_DATE"


@pytest.mark.parametrize(
    "value", ["2026-11-20T10:30:31Z", "2026-11-20T10:30:30-00:01", "9999-12-31T23:59:59Z"]
)
def test_a_date_is_at_most_15_minutes_after_the_message_was_sent(value):
    assert code_of(message(operation_date=value)) == "E_FUTURE"
    assert code_of(message(RECONCILED, reconciled_date=value), Stage.RECONCILED) == "E_FUTURE"
