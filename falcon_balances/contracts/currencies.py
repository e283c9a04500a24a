"""ISO 4217: the currencies of today, and all that were ever accepted.

The standard drops currencies, and the library follows the standard. Events that were claimed in a
dropped currency remain, so code that reads our own records uses `written_currency`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import iso4217

from falcon_balances.domain.money import Currency, at_full_scale

# Every currency that was ever accepted, by exponent. Entries are only ever added: a test fails if
# the library knows a currency that is missing here, or gives it another exponent.
_EVER_ACCEPTED: Final[Mapping[int, str]] = {
    0: """
        BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
    """,
    2: """
        AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
        CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
        GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK
        LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO
        NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST
        XAD XCD XCG YER ZAR ZMW ZWG
    """,
    3: """
        BHD IQD JOD KWD LYD OMR TND
    """,
    4: """
        CLF UYW
    """,
}
_WRITTEN: Final = {
    code: Currency(code, exponent)
    for exponent, codes in _EVER_ACCEPTED.items()
    for code in codes.split()
}


@cache
def find_currency(code: str) -> Currency | None:
    """For new events; None if ISO 4217 no longer lists the currency, or the currency has no minor
    unit (gold, test codes).
    """
    try:
        exponent = iso4217.Currency(code).exponent
    except ValueError:
        return None
    return None if exponent is None else Currency(code, exponent)


def written_currency(code: str) -> Currency | None:
    """For our own records; None if the currency was never accepted."""
    return _WRITTEN.get(code)


def ever_accepted(code: str) -> Currency | None:
    """For documents that may describe the past, such as merchant contexts: a currency of today, or
    one that was ever accepted.
    """
    return written_currency(code) or find_currency(code)


def scaled(minor: int, code: str) -> str:
    """An amount of minor units as text at full scale. Raises ValueError for an unknown currency."""
    currency = ever_accepted(code)
    if currency is None:
        raise ValueError(f"unknown currency {code}")
    return at_full_scale(minor, currency.exponent)
