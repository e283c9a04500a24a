"""Messages as raw bytes, and the code that they are refused with."""

import json
from datetime import UTC, datetime
from typing import Any, Final

from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.operations import Stage

SENT_AT: Final = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)
Document = dict[str, Any]

CONFIRMED: Final[Document] = {
    "schema_version": "1",
    "psp_id": "psp-1",
    "external_reference": "ref-1",
    "type": "capture",
    "amount": "100.00",
    "currency": "EUR",
    "operation_date": "2026-03-05T10:15:30Z",
    "local_merchant_id": "5553",
    "shop_id": "shop-a",
}
RECONCILED: Final = CONFIRMED | {
    "reconciled_date": "2026-03-07T09:00:00+01:00",
    "bank_reference": "bank-1",
}
OPTIONAL: Final = {"original_reference": "ref-0", "mode": "test"}
SPLIT: Final = {"local_merchant_id": "1", "shop_id": "s-1", "amount": "100.00"}
ABSENT: Final = object()


def raw(document: object) -> bytes:
    return json.dumps(document).encode()


def message(base: Document = CONFIRMED, /, **changes: Any) -> bytes:
    """ABSENT takes a field out."""
    return raw({name: value for name, value in (base | changes).items() if value is not ABSENT})


def split(**changes: Any) -> Document:
    return {name: value for name, value in (SPLIT | changes).items() if value is not ABSENT}


def rejection(body: bytes, stage: Stage = Stage.CONFIRMED) -> RejectedOperation | None:
    """None: the message is accepted. Anything but a rejection escapes and fails the test."""
    try:
        parse_message(body, stage, mode="test", sent_at=SENT_AT)
    except RejectedOperation as rejected:
        return rejected
    return None


def code_of(body: bytes, stage: Stage = Stage.CONFIRMED) -> str | None:
    rejected = rejection(body, stage)
    return None if rejected is None else str(rejected.code)
