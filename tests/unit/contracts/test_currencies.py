import iso4217
import pytest

from falcon_balances.contracts.currencies import find_currency, written_currency
from falcon_balances.domain.money import Currency


def test_every_currency_that_the_library_knows_is_remembered_with_its_exponent():
    for known in iso4217.Currency:
        if known.exponent is not None:
            assert written_currency(known.code) == Currency(known.code, known.exponent)


@pytest.mark.parametrize("code", ["XAU", "XTS", "XXX", "eur", "EU", "", "EURO", "ZZZ"])
def test_what_is_no_currency_or_has_no_minor_unit_is_none(code):
    assert find_currency(code) is None
    assert written_currency(code) is None


def test_a_currency_that_leaves_the_standard_stays_readable(monkeypatch):
    find_currency.cache_clear()
    monkeypatch.setattr(iso4217, "Currency", lambda code: (_ for _ in ()).throw(ValueError(code)))
    assert find_currency("JPY") is None
    assert written_currency("JPY") == Currency("JPY", 0)
    find_currency.cache_clear()
