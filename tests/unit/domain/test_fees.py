from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.domain.fees import Fee
from falcon_balances.domain.money import Money, minor_units
from tests.strategies import CURRENCIES, few, minor_amounts
from tests.strategies import fees as any_fees


def fee_of(said: dict[str, object]) -> Fee:
    """The fee as a merchant context says it."""
    context = parse_merchant_context(
        {
            "schema_version": "1",
            "psp_id": "p",
            "local_merchant_id": "l",
            "shop_id": "s",
            "merchant_id": "m",
            "balance_shops": {"EUR": "b"},
            "status": "active",
            "effective_from": "2026-01-01T00:00:00Z",
            "fees": [{"type": "psp_fee", "on": "capture", **said}],
        }
    )
    return context.fees[0]


def money(text: str, code: str) -> Money:
    currency = find_currency(code)
    assert currency is not None
    return Money(minor_units(text, currency.exponent), currency)


@pytest.mark.parametrize(
    ("amount", "code", "percent", "fee"),
    [
        ("100.00", "EUR", "1.00", "1.00"),
        ("0.49", "EUR", "1.00", None),  # rounds to nothing
        ("0.50", "EUR", "1.00", "0.01"),  # half goes up
        ("1.49", "EUR", "1.00", "0.01"),
        ("1.50", "EUR", "1.00", "0.02"),
        ("2.50", "EUR", "1.00", "0.03"),  # up, not to even
        ("100.00", "EUR", "0", None),
        ("100.00", "EUR", "0.00", None),
        ("100.00", "EUR", "100", "100.00"),
        ("100.00", "EUR", "0.000001", None),
        ("5000.00", "EUR", "0.0001", "0.01"),
        ("999999999999999.99", "EUR", "33.333333", "333333330000000.00"),
        ("1000", "JPY", "3.60", "36"),
        ("13", "JPY", "3.60", None),
        ("14", "JPY", "3.60", "1"),
        ("12.345", "BHD", "2.25", "0.278"),
        ("0.022", "BHD", "2.25", None),
        ("0.023", "BHD", "2.25", "0.001"),
    ],
)
def test_a_fee_is_rounded_once_half_up_to_the_currency(amount, code, percent, fee):
    charged = fee_of({"percent": percent}).of(money(amount, code))
    assert (None if charged is None else str(charged)) == fee


@pytest.mark.parametrize(
    ("amount", "said", "fee"),
    [
        ("80.00", {"percent": "1.50", "fixed": {"EUR": "0.10"}}, "1.30"),
        ("0.33", {"percent": "1.50", "fixed": {"EUR": "0.10"}}, "0.10"),  # 0.00495 + 0.10
        ("0.34", {"percent": "1.50", "fixed": {"EUR": "0.10"}}, "0.11"),  # 0.0051 + 0.10
        ("80.00", {"percent": "0", "fixed": {"EUR": "0.30"}}, "0.30"),
        ("80.00", {"percent": "0", "fixed": {"EUR": "0.00"}}, None),
        ("80.00", {"percent": "1.00", "fixed": {"USD": "9.00"}}, "0.80"),  # not its currency
        ("0.01", {"percent": "1.00", "min": {"EUR": "0.25"}}, "0.25"),
        ("25.00", {"percent": "1.00", "min": {"EUR": "0.25"}}, "0.25"),
        ("25.50", {"percent": "1.00", "min": {"EUR": "0.25"}}, "0.26"),
        ("0.01", {"percent": "0", "min": {"EUR": "0.25"}}, "0.25"),
        ("0.01", {"percent": "1.00", "min": {"USD": "0.25"}}, None),
        ("5000.00", {"percent": "1.00", "max": {"EUR": "20.00"}}, "20.00"),
        ("2000.00", {"percent": "1.00", "max": {"EUR": "20.00"}}, "20.00"),
        ("1999.00", {"percent": "1.00", "max": {"EUR": "20.00"}}, "19.99"),
        ("5000.00", {"percent": "1.00", "max": {"EUR": "0"}}, None),
        ("5000.00", {"percent": "1", "fixed": {"EUR": "5"}, "max": {"EUR": "20"}}, "20.00"),
        ("9.00", {"percent": "1", "min": {"EUR": "0.25"}, "max": {"EUR": "0.25"}}, "0.25"),
    ],
)
def test_a_fee_is_percent_plus_fixed_held_between_min_and_max(amount, said, fee):
    charged = fee_of(said).of(money(amount, "EUR"))
    assert (None if charged is None else str(charged)) == fee


@few
@given(any_fees(), minor_amounts, st.sampled_from(CURRENCIES))
def test_a_fee_is_what_decimal_arithmetic_says(fee, minor, currency):
    exact = Decimal(minor) * fee.percent_millionths / Decimal(10**8)
    rounded = int((exact + fee.fixed.get(currency.code, 0)).quantize(Decimal(1), ROUND_HALF_UP))
    rounded = max(rounded, fee.minimum.get(currency.code, rounded))
    rounded = min(rounded, fee.maximum.get(currency.code, rounded))
    charged = fee.of(Money(minor, currency))
    assert (charged.minor if charged else 0) == rounded
    assert charged is None or (charged.currency == currency and charged.minor > 0)
