"""Revisions as a PSP and the bank send them, and what the log says of them."""

from typing import Any

from tests.builders import (
    confirmed,
    context_of,
    fee_of,
    operation_id_of,
    raw,
    reconciled,
)

WITH_FEE = context_of(fees=[fee_of()])
OPERATION_ID = operation_id_of(confirmed())


REVISED_AT = "2026-11-20T10:19:00Z"


def revised(amount: str, revision: int = 2, **changes: Any) -> bytes:
    said = {"amount": amount, "revision": revision, "revised_at": REVISED_AT}
    return raw(confirmed(**said | changes))


def traced(amount: str, revision: int = 2, **changes: Any) -> bytes:
    said = {"amount": amount, "revision": revision, "revised_at": REVISED_AT}
    return raw(reconciled(**said | changes))


def figures(aws, local_merchant_id: str = "5553") -> dict[str, int]:
    return {name: value for name, value in aws.balance(local_merchant_id).items() if value}


def codes(aws) -> list[str]:
    return [refused.code for refused in aws.quarantined()]


def amounts(aws, key_ends_with: str) -> list[tuple[str, str]]:
    """Type and amount of the lines of one log object."""
    [body] = [body for key, body in aws.log().items() if key.endswith(key_ends_with)]
    rows = [row.split(",") for row in body.splitlines()[1:]]
    return [(row[4], row[2]) for row in rows]
