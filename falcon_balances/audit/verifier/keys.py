"""Keys of the log: stage, merchant, day, operation, revision, and which part of how many."""

import re

MERCHANT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
MERCHANT = re.compile(rf"{MERCHANT_PATTERN}\Z")
# Derived from a name (RFC 9562, version 5), like all our ids.
ID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
# A key does not show revision 1; only events of PSPs can be revised.
KEY_PATTERN = (
    r"(?P<stage>(?P<of_a_psp>confirmed|reconciled)|payout|adjustment)/"
    rf"merchant_id=(?P<merchant>{MERCHANT_PATTERN})/"
    rf"date=(?P<day>[2-9][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}})/(?P<operation>{ID_PATTERN})"
    r"(?(of_a_psp)(?:\.r(?P<revision>[2-9]|[1-9][0-9]))?)"
    r"(\.(?P<part>[1-9][0-9]{0,3})-of-(?P<parts>[1-9][0-9]{0,3}))?\.csv"
)
_KEY = re.compile(rf"{KEY_PATTERN}\Z")


def read_key(key: str) -> re.Match[str] | None:
    """The parts of a key; None if it is not a key of the log."""
    named = _KEY.match(key)
    return named if named is not None and is_numbered(named) else None


def is_numbered(named: re.Match[str]) -> bool:
    """Whether the part's number is valid: one of at least two parts, or absent for one object."""
    return named["part"] is None or int(named["part"]) <= int(named["parts"]) > 1


def event_of(named: re.Match[str]) -> str:
    """The event of a matched key: its stage with the revision, and its operation."""
    return f"{staged(named)}/{named['operation']}"


def staged(named: re.Match[str]) -> str:
    """The stage, with its revision if that is not the first: `confirmed`, `confirmed.2`."""
    revision = named["revision"]
    return f"{named['stage']}.{revision}" if revision else named["stage"]
