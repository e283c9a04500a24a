from datetime import UTC, datetime, timedelta

import pytest

from falcon_balances.contracts.balance_document import balance_document
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.money import Currency

NOW = datetime(2026, 11, 20, 10, 15, 41, tzinfo=UTC)
EURO, YEN, DINAR = Currency("EUR", 2), Currency("JPY", 0), Currency("BHD", 3)


@pytest.mark.parametrize(
    ("currency", "text", "negative", "zero"),
    [
        (EURO, "12.34", "-0.01", "0.00"),
        (YEN, "1234", "-1", "0"),
        (DINAR, "1.234", "-0.001", "0.000"),
    ],
)
def test_money_is_text_at_full_scale(currency, text, negative, zero):
    balance = Balance("bs", currency, confirmed=1234, available=-1, operations_count=7)
    (said,) = balance_document("m", NOW, [balance], now=NOW).balances
    assert (said.confirmed, said.available) == (text, negative)
    assert said.blocked == zero
    assert said.operations_count == 7


@pytest.mark.parametrize(
    ("as_of", "text", "lag_seconds"),
    [
        (None, None, None),  # no cut is complete yet
        (NOW, "2026-11-20T10:15:41Z", 0),
        (NOW - timedelta(seconds=41), "2026-11-20T10:15:00Z", 41),
        (NOW - timedelta(days=2), "2026-11-18T10:15:41Z", 172_800),
        (NOW + timedelta(seconds=3), "2026-11-20T10:15:44Z", 0),  # two clocks that differ
    ],
)
def test_as_of_and_its_lag(as_of, text, lag_seconds):
    document = balance_document("m", as_of, [], now=NOW)
    assert (document.as_of, document.lag_seconds) == (text, lag_seconds)


def test_balances_are_sorted_by_balance_shop_and_currency():
    balances = [Balance("b", EURO), Balance("a", YEN), Balance("a", EURO)]
    document = balance_document("m", NOW, balances, now=NOW)
    assert [(item.balance_shop_id, item.currency) for item in document.balances] == [
        ("a", "EUR"),
        ("a", "JPY"),
        ("b", "EUR"),
    ]


def test_the_document_is_that_of_the_design():
    balance = Balance("bs-100-eur", EURO, 9900, 9900, available=9900, operations_count=4)
    document = balance_document("m-100", NOW - timedelta(seconds=41), [balance], now=NOW)
    assert document.model_dump_json() == (
        '{"merchant_id":"m-100","as_of":"2026-11-20T10:15:00Z","lag_seconds":41,"balances":['
        '{"balance_shop_id":"bs-100-eur","currency":"EUR","confirmed":"99.00",'
        '"reconciled":"99.00","pending":"0.00","unapplied":"0.00",'
        '"debits_unconfirmed":"0.00","debits_untraced":"0.00","withdrawn":"0.00","adjusted":"0.00",'
        '"blocked":"0.00","available":"99.00","operations_count":4}]}'
    )
