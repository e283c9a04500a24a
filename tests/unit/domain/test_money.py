import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.money import Currency, Money, at_full_scale, minor_units
from tests.strategies import few


@pytest.mark.parametrize(
    ("minor", "exponent", "text"),
    [
        (10000, 2, "100.00"),
        (-100, 2, "-1.00"),
        (100, 0, "100"),
        (-100, 0, "-100"),
        (880, 3, "0.880"),
        (1, 2, "0.01"),
        (-1, 2, "-0.01"),
        (-1, 3, "-0.001"),
        (0, 2, "0.00"),
        (0, 0, "0"),
        (1, 4, "0.0001"),
        (99_999_999_999_999_999, 2, "999999999999999.99"),
    ],
)
def test_amounts_are_written_at_the_full_scale_of_their_currency(minor, exponent, text):
    assert at_full_scale(minor, exponent) == text
    assert str(Money(minor, Currency("XYZ", exponent))) == text


@pytest.mark.parametrize(
    ("text", "exponent", "minor"),
    [
        ("100", 2, 10000),
        ("100.0", 2, 10000),
        ("100.00", 2, 10000),
        ("0.1", 2, 10),
        ("0.01", 2, 1),
        ("0", 2, 0),
        ("100", 0, 100),
        ("0.001", 3, 1),
        ("12345678901234567.89", 2, 1_234_567_890_123_456_789),
        ("999999999999999.9999", 4, 9_999_999_999_999_999_999),
    ],
)
def test_amounts_are_read_exactly(text, exponent, minor):
    assert minor_units(text, exponent) == minor


@pytest.mark.parametrize(
    ("text", "exponent"), [("1.0", 0), ("1.001", 2), ("1.000", 2), ("0.0000", 3), ("1.00000", 4)]
)
def test_more_decimals_than_the_currency_has_are_refused_even_if_they_are_zero(text, exponent):
    with pytest.raises(RejectedOperation, match=r"^E_SCALE: some\.field: ") as caught:
        minor_units(text, exponent, "some.field")
    assert text not in caught.value.reason


def test_minus_turns_the_sign_and_keeps_the_currency():
    assert -Money(5, Currency("JPY", 0)) == Money(-5, Currency("JPY", 0))


@few
@given(st.integers(0, 10**19), st.integers(0, 4))
def test_what_is_written_is_read_back(minor, exponent):
    assert minor_units(at_full_scale(minor, exponent), exponent) == minor
