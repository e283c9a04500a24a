"""Keys of the log: stage, merchant, day, operation, and which part of how many."""

import re

MERCHANT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
MERCHANT = re.compile(rf"{MERCHANT_PATTERN}\Z")
KEY_PATTERN = (
    r"(?P<stage>confirmed|reconciled|payout|adjustment)/"
    rf"merchant_id=(?P<merchant>{MERCHANT_PATTERN})/"
    r"date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/(?P<operation>[0-9a-f-]{36})"
    r"(\.(?P<part>[0-9]{1,4})-of-(?P<parts>[0-9]{1,4}))?\.csv"
)
KEY = re.compile(rf"{KEY_PATTERN}\Z")


def event_of(named: re.Match[str]) -> str:
    """Stage and operation, of what `KEY_PATTERN` matched."""
    return f"{named['stage']}/{named['operation']}"
