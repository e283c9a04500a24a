"""The content of a bank statement in any format, and how its fields are read.

A bank statement is read whole or not at all: a line left out because it is wrong would make its
operation look missing. Every wrong line is named by its place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from falcon_balances.contracts.currencies import find_currency, written_currency
from falcon_balances.domain.bank_statement_lines import BankStatementLine, Period
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency, minor_units

REFERENCE_LENGTH_MAX: Final = 200
PROBLEMS_MAX: Final = 100
_AMOUNT = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})(\.[0-9]+)?\Z")
# A local time without an offset: its day is exact enough, because both sides may differ in dates.
_LOCAL_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ][0-9:.]{5,15})?\Z")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


class BankStatementFlaw(NamedTuple):
    place: str
    reason: str


class InvalidBankStatementError(ValueError):
    """The bank statement was refused as a whole. Reasons name fields, never their values."""

    def __init__(self, problems: Sequence[BankStatementFlaw]) -> None:
        super().__init__("; ".join(f"{place}: {reason}" for place, reason in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class BankStatement:
    """`period`: the dates that the bank statement itself names. `pending`: how many entries were
    left out because they are not booked yet.
    """

    lines: Sequence[BankStatementLine]
    period: Period = field(default_factory=Period)
    pending: int = 0


def invalid(place: str, reason: str) -> InvalidBankStatementError:
    return InvalidBankStatementError([BankStatementFlaw(place, reason)])


def amount_of(text: str, name: str, currency: Currency) -> int:
    """Minor units of a signed amount. Raises ValueError, which names the field."""
    if not _AMOUNT.match(text):
        raise ValueError(f"{name}: must be an amount such as 1234.50 or -1234.50")
    try:
        minor = minor_units(text.lstrip("+-"), currency.exponent, name)
    except RejectedOperation as rejected:
        raise ValueError(rejected.reason) from rejected
    return -minor if text.startswith("-") else minor


def currency_of(code: str) -> Currency:
    currency = find_currency(code) or written_currency(code)
    if currency is None:
        raise ValueError("currency: must be an ISO 4217 code, such as EUR")
    return currency


def day_of(text: str, name: str) -> date:
    """The day of a local date or time as written; the UTC day of an instant. Raises ValueError."""
    try:
        if local := _LOCAL_DATE.match(text):
            return date.fromisoformat(local[1])
        return parse_rfc3339(text).date()
    except ValueError:
        raise ValueError(f"{name}: must be a date such as 2026-11-20, or RFC 3339") from None


def reference_of(text: str, name: str) -> str:
    if len(text) > REFERENCE_LENGTH_MAX:
        raise ValueError(f"{name}: must have at most {REFERENCE_LENGTH_MAX} characters")
    if _UNSEEN.search(text):
        raise ValueError(f"{name}: must not contain invisible characters")
    return text
