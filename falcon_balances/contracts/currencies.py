"""ISO 4217 as the library tells it: which currencies there are, and their exponents."""

from functools import cache

import iso4217

from falcon_balances.domain.money import Currency


@cache
def find_currency(code: str) -> Currency | None:
    """None for what is no currency, or has no minor unit (gold, test codes)."""
    try:
        exponent = iso4217.Currency(code).exponent
    except ValueError:
        return None
    return None if exponent is None else Currency(code, exponent)
