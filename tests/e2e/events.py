"""Merchants and events of the end-to-end tests: local merchant `x` is `m-x`, its balance `bs-x`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Document = dict[str, Any]
DATE = "2026-03-05T10:15:30Z"
# So that a request of that date is decided, whenever the test runs.
FOR_EVER = "2999-01-01T00:00:00Z"


def context(psp_id: str, name: str, currency: str = "EUR", /, **changes: object) -> Document:
    return {
        "schema_version": "1",
        "psp_id": psp_id,
        **local(name),
        "merchant_id": f"m-{name}",
        "balance_shops": {currency: f"bs-{name}"},
        "status": "active",
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": [],
        **changes,
    }


def direct(name: str, field: str, reference: str, amount: str, /, **more: object) -> Document:
    """A payout, a return or an adjustment: what names a balance itself."""
    return {
        "schema_version": "1",
        field: reference,
        "merchant_id": f"m-{name}",
        "balance_shop_id": f"bs-{name}",
        "amount": amount,
        "currency": "EUR",
        **more,
    }


def fee(percent: str) -> Document:
    return {"fees": [{"type": "psp_fee", "on": "capture", "percent": percent}]}


def local(name: str) -> Document:
    return {"local_merchant_id": name, "shop_id": f"shop-{name}"}


def part(name: str, amount: str, /, **more: object) -> Document:
    """A split."""
    return {**local(name), "amount": amount, **more}


def confirmed(
    psp_id: str, reference: str, name: str, amount: str, /, **changes: object
) -> Document:
    """A capture in EUR; a field changed to None is left out."""
    document = {
        "schema_version": "1",
        "psp_id": psp_id,
        "external_reference": reference,
        "type": "capture",
        "currency": "EUR",
        "operation_date": "2026-03-05T10:15:30+02:00",
        **part(name, amount),
        **changes,
    }
    return {field: value for field, value in document.items() if value is not None}


def reconciled(event: Document, /, **changes: object) -> Document:
    """The event, found in the bank account two days later."""
    document = {
        **event,
        "reconciled_date": "2026-03-07T23:30:00-05:00",
        "bank_reference": f"bank-{event['external_reference']}",
        **changes,
    }
    return {field: value for field, value in document.items() if value is not None}


def revised(event: Document, /, **changes: object) -> Document:
    """What the event amounts to now, in its stage: its second revision."""
    return {**event, "revision": 2, "revised_at": "2026-03-20T00:00:00Z", **changes}


def jsonl(path: Path, documents: Iterable[Document]) -> str:
    """Write JSON Lines; the path as a command takes it."""
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    return str(path)
