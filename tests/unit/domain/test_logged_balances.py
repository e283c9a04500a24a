"""Balances added up from the log, instead of read from the table."""

from falcon_balances.domain.balances import Balance
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.logged_balances import logged_balances, logged_figures
from falcon_balances.domain.money import Currency
from falcon_balances.domain.splitting import split
from falcon_balances.domain.table_keys import BalanceKey
from tests.builders import confirmed, context_of, histories_of, operation_of, reconciled

EUR = Currency("EUR", 2)
HISTORIES = histories_of(context_of())
SEGMENTS = [
    segment
    for document in (confirmed(), reconciled())
    for segment in split(operation_of(document), HISTORIES).segments
]


def test_a_logged_balance_is_what_the_log_adds_up_to_less_what_the_table_has_blocked():
    (balance,) = logged_balances(SEGMENTS, [])
    assert (balance.currency, balance.available, balance.blocked) == (EUR, 10_000, 0)
    live = [Balance("bs-5553-eur", EUR, available=1, blocked=2_500)]
    (balance,) = logged_balances(SEGMENTS, live)
    assert (balance.available, balance.blocked) == (7_500, 2_500)


def test_a_balance_that_is_not_in_the_log_is_not_made_up_from_the_table():
    live = [Balance("bs-other", EUR, available=500, blocked=100)]
    assert logged_balances([], live) == []


def test_logged_figures_are_those_of_earlier_operation_dates_and_before_blocks():
    key = BalanceKey("bs-5553-eur", "EUR")
    last = max(segment.booked_at for segment in SEGMENTS)
    assert logged_figures(SEGMENTS, last)[key].available_before_blocks == 0
    assert logged_figures(SEGMENTS, last)[key].confirmed == 10_000
    later = parse_rfc3339("2027-01-01T00:00:00Z")
    assert logged_figures(SEGMENTS, later)[key].available_before_blocks == 10_000
    assert logged_figures(SEGMENTS, parse_rfc3339("2025-01-01T00:00:00Z")) == {}
