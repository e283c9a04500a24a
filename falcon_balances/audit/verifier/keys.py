"""Keys of the log: stage, merchant, day, operation, and which part of how many."""

import re

MERCHANT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
MERCHANT = re.compile(rf"{MERCHANT_PATTERN}\Z")
KEY = re.compile(
    r"(?P<stage>confirmed|reconciled|payout|adjustment)/"
    rf"merchant_id=(?P<merchant>{MERCHANT_PATTERN})/"
    r"date=(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})/(?P<operation>[0-9a-f-]{36})"
    r"(\.(?P<part>[0-9]{1,4})-of-(?P<parts>[0-9]{1,4}))?\.csv\Z"
)


def event_of(named: re.Match[str]) -> str:
    """Stage and operation, of a key that `KEY` matched."""
    return f"{named['stage']}/{named['operation']}"
