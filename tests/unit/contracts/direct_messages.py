"""Good payout requests, returns and adjustments, and how each is refused when it is changed."""

from typing import Any, Final

import pytest

from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.direct_operations import DirectOperation
from falcon_balances.domain.operations import Stage
from tests.unit.contracts.messages import SENT_AT, Document, message, rejection

BALANCE: Final[Document] = {
    "schema_version": "1",
    "merchant_id": "m-100",
    "balance_shop_id": "bs-100",
    "amount": "40.00",
    "currency": "EUR",
}
REQUEST: Final = BALANCE | {"payout_id": "payout-1", "requested_at": "2026-11-20T10:15:30Z"}
RETURN: Final = BALANCE | {
    "type": "return",
    "payout_id": "payout-1",
    "returned_at": "2026-11-20T10:15:30Z",
    "bank_reference": "bank-1",
}
ADJUSTMENT: Final = BALANCE | {
    "adjustment_id": "adjustment-1",
    "direction": "debit",
    "adjusted_at": "2026-11-20T10:15:30Z",
    "reason_code": "double_booking",
    "reason": "A fee was charged twice (ticket 17)",
    "requested_by": "anna",
}
STAGES: Final = {"request": Stage.PAYOUT, "return": Stage.PAYOUT, "adjustment": Stage.ADJUSTMENT}
BASES: Final = {"request": REQUEST, "return": RETURN, "adjustment": ADJUSTMENT}
DATES: Final = {"request": "requested_at", "return": "returned_at", "adjustment": "adjusted_at"}
OPERATION_ID: Final = "0b5d2a3c-1111-5222-8333-444455556666"
OF_EVERY_KIND = pytest.mark.parametrize("kind", BASES)
FORMAT: Final = "does not match the required format"
ID: Final = (
    f"{FORMAT}: 1 to 64 letters, digits, dots, colons, underscores or dashes, "
    "the first a letter or a digit"
)
AMOUNT: Final = "up to 15 digits, optionally with a point and decimals, such as 100.00"


def refusal(kind: str, **changes: Any) -> tuple[str, str] | None:
    """Code and reason; None if the message is accepted."""
    rejected = rejection(message(BASES[kind], **changes), STAGES[kind])
    return None if rejected is None else (str(rejected.code), rejected.reason)


def parsed(kind: str, **changes: Any) -> DirectOperation:
    body = message(BASES[kind], **changes)
    operation = parse_message(body, STAGES[kind], mode="test", sent_at=SENT_AT)
    assert isinstance(operation, DirectOperation)
    return operation
