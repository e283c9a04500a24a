"""Identity and fingerprint (design §5), derived from the event alone, so a retry gives the same."""

import json
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1, sha256
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from falcon_balances.domain.direct_operations import (
    Adjustment,
    DirectOperation,
    PayoutRequest,
    PayoutReturn,
    StagedOperation,
)
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import OperationType, ReconciledOperation, Split

NAMESPACE: Final[UUID] = uuid5(NAMESPACE_URL, "urn:falcon:balances")
_NAMESPACE_BYTES: Final = NAMESPACE.bytes
# These fields tell how and when a request was made, not its content: a retry may change them
# (design §5).
_NO_CONTENT: Final = frozenset({"mode", "requested_at", "valid_until"})
SCHEMA_VERSION: Final = "1"
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
# One encoder for all calls: `json.dumps` would make one per call.
_CANONICAL_JSON: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def uuid5_text(name: str) -> str:
    """`str(uuid5(NAMESPACE, name))` (RFC 9562, 5.5), without the object: ids are most of a line."""
    digest = sha1(_NAMESPACE_BYTES + name.encode(), usedforsecurity=False).hexdigest()
    return (
        f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-"
        f"{_VARIANT[digest[16]]}{digest[17:20]}-{digest[20:32]}"
    )


def falcon_operation_id(operation: StagedOperation) -> str:
    """The operation's id: the same in both stages and in every revision."""
    if isinstance(operation, DirectOperation):
        return _direct_operation_id(operation)
    return operation_id_of_reference(
        operation.psp_id, operation.type, operation.external_reference, operation.occurrence
    )


def _direct_operation_id(operation: DirectOperation) -> str:
    if isinstance(operation, PayoutRequest):
        return payout_operation_id(operation.merchant_id, operation.payout_id)
    if isinstance(operation, PayoutReturn):
        return payout_return_id(operation.merchant_id, operation.payout_id, operation.return_id)
    return uuid5_text(f"adjustment|{operation.reference}")


def payout_operation_id(merchant_id: str, payout_id: str) -> str:
    """The payout's id, with the merchant in it: two merchants can use the same payout_id."""
    return uuid5_text(f"payout|{merchant_id}|{payout_id}")


def payout_return_id(merchant_id: str, payout_id: str, return_id: str | None = None) -> str:
    """The id of one return of a payout; only one return of a payout can be without `return_id`."""
    name = f"payout_return|{merchant_id}|{payout_id}"
    return uuid5_text(name if return_id is None else f"{name}|{return_id}")


def operation_id_of_reference(
    psp_id: str, operation_type: OperationType, external_reference: str, occurrence: int = 1
) -> str:
    again = f"|{occurrence}" if occurrence > 1 else ""
    return uuid5_text(f"{psp_id}|{operation_type}|{external_reference}{again}")


def balance_operation_uuid(
    operation_id: str,
    stage: str,
    merchant_id: str,
    balance_shop_id: str,
    line_type: OperationType,
    n: int,
) -> str:
    """The uuid of a line. `stage` includes the revision, as `staged` writes it; `n` counts the
    event's lines of the same merchant, balance shop and type from 0.
    """
    return uuid5_text(f"{operation_id}|{stage}|{merchant_id}|{balance_shop_id}|{line_type}|{n}")


def canonical_document(operation: StagedOperation) -> dict[str, object]:
    """The event's content, from which the fingerprint is made, without fields that tell how it was
    sent.
    """
    document = event_document(operation)
    return {name: value for name, value in document.items() if name not in _NO_CONTENT}


def event_document(operation: StagedOperation) -> dict[str, object]:
    """The whole event as a document, with amounts at full scale and dates as stored; absent fields
    are left out.
    """
    if isinstance(operation, DirectOperation):
        return _canonical_direct(operation)
    document: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "psp_id": operation.psp_id,
        "external_reference": operation.external_reference,
        "type": str(operation.type),
        "amount": str(operation.amount),
        "currency": operation.amount.currency.code,
        "operation_date": rfc3339(operation.operation_date),
        "local_merchant_id": operation.local_merchant_id,
        "shop_id": operation.shop_id,
    }
    document |= _said(
        {
            "original_reference": operation.original_reference,
            "original_date": _date(operation.original_date),
            "occurrence": operation.occurrence if operation.occurrence > 1 else None,
            "revision": operation.revision if operation.revision > 1 else None,
            "revised_at": _date(operation.revised_at),
            "mode": operation.mode,
        }
    )
    if operation.splits:
        document["splits"] = [_canonical_split(split) for split in operation.splits]
    if isinstance(operation, ReconciledOperation):
        document["reconciled_date"] = rfc3339(operation.reconciled_date)
        document["bank_reference"] = operation.bank_reference
    return document


def _said(fields: Mapping[str, object | None]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _date(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def _canonical_split(split: Split) -> dict[str, str]:
    document = {
        "local_merchant_id": split.local_merchant_id,
        "shop_id": split.shop_id,
        "amount": str(split.amount),
    }
    if split.marketplace_fee is not None:
        document["marketplace_fee"] = str(split.marketplace_fee)
    return document


def _canonical_direct(operation: DirectOperation) -> dict[str, object]:
    said: dict[str, object | None] = {
        "schema_version": SCHEMA_VERSION,
        "merchant_id": operation.merchant_id,
        "balance_shop_id": operation.balance_shop_id,
        "amount": str(operation.amount),
        "currency": operation.amount.currency.code,
    }
    if isinstance(operation, PayoutRequest):
        minimum = operation.minimum_amount
        said |= {
            "payout_id": operation.payout_id,
            "requested_at": rfc3339(operation.requested_at),
            "minimum_amount": None if minimum is None else str(minimum),
            "valid_until": _date(operation.valid_until),
            "mode": operation.mode,
        }
    elif isinstance(operation, PayoutReturn):
        said |= {
            "type": "return",
            "payout_id": operation.payout_id,
            "return_id": operation.return_id,
            "returned_at": rfc3339(operation.returned_at),
            "bank_reference": operation.bank_reference,
        }
    elif isinstance(operation, Adjustment):
        said |= {
            "adjustment_id": operation.adjustment_id,
            "direction": operation.direction,
            "adjusted_at": rfc3339(operation.adjusted_at),
            "reason_code": operation.reason_code,
            "reason": operation.reason,
            "requested_by": operation.requested_by,
            "corrects": operation.corrects,
        }
    return _said(said)


def fingerprint(operation: StagedOperation) -> str:
    """SHA-256 of the validated event as canonical JSON: sorted keys, no spaces."""
    text = _CANONICAL_JSON.encode(canonical_document(operation))
    return sha256(text.encode()).hexdigest()
