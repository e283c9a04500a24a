"""Block expiry (design §7): when money that is set aside becomes available again by itself.

A block made by hand expires only if its caller gives a time. A refund's block expires with its
authorization: after seven days, unless the caller gives another time. A payout's block never
expires. Only what is active expires, and not before its expiry (`EndBlock` in
`domain/table_writes.py`).
"""

from datetime import datetime, timedelta
from typing import Final

EXPIRY_MAX: Final = timedelta(days=30)
REFUND_EXPIRY: Final = timedelta(days=7)
"""The expiry of a refund authorization whose caller gives none."""
# An index lists what will expire, in this number of partitions, so that no scan is necessary.
_PARTITIONS: Final = 8


def expiry_of(now: datetime, asked_s: int | None) -> datetime | None:
    """The expiry of a block made by hand; None if the block never expires."""
    return None if asked_s is None else now + timedelta(seconds=asked_s)


def refund_expiry_of(now: datetime, asked_s: int | None) -> datetime:
    return expiry_of(now, asked_s) or now + REFUND_EXPIRY


def is_due(expiry: datetime, now: datetime) -> bool:
    return expiry <= now


def expiry_partition(block_id: str) -> str:
    return f"BLOCKS#{_number(block_id)}"


def expiry_partitions() -> list[str]:
    return [f"BLOCKS#{number}" for number in range(_PARTITIONS)]


def authorization_partition(falcon_operation_id: str) -> str:
    return f"AUTHORIZATIONS#{_number(falcon_operation_id)}"


def authorization_partitions() -> list[str]:
    return [f"AUTHORIZATIONS#{number}" for number in range(_PARTITIONS)]


def _number(uuid: str) -> int:
    return int(uuid[:8], 16) % _PARTITIONS
