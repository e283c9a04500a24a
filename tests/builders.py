"""Small factories: events, contexts, claims and stream records that keep the contract."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.links import LinksV1
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.psp_operations import parse_psp_document
from falcon_balances.contracts.samples import VERSION_ID_SAMPLE
from falcon_balances.contracts.stream_records import CutRecordV1, SegmentRecordV1
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.identity import falcon_operation_id
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.merchant_context import ContextKey, MerchantContext
from falcon_balances.domain.operations import PspOperation, Stage
from falcon_balances.domain.splitting import split

Document = dict[str, Any]

PSP_ID = "payu-ro"
RECEIVED_AT = "2026-11-20T10:20:00Z"
SENT_AT = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)


def _changed(document: Document, changes: Document) -> Document:
    """With the changes made; a field changed to None is left out."""
    return {name: value for name, value in (document | changes).items() if value is not None}


def confirmed(**changes: Any) -> Document:
    """A capture of 100.00 EUR for local merchant 5553, as a PSP sends it."""
    document = {
        "schema_version": "1",
        "psp_id": PSP_ID,
        "external_reference": "order-1",
        "type": "capture",
        "amount": "100.00",
        "currency": "EUR",
        "operation_date": "2026-11-20T10:15:30Z",
        "local_merchant_id": "5553",
        "shop_id": "shop-5553",
    }
    return _changed(document, changes)


def reconciled(**changes: Any) -> Document:
    dates = {"reconciled_date": "2026-11-20T10:18:00Z", "bank_reference": "bank-1"}
    return _changed(confirmed(), dates | changes)


def shop(local_merchant_id: str) -> Document:
    """The fields that name a local merchant and its shop."""
    return {"local_merchant_id": local_merchant_id, "shop_id": f"shop-{local_merchant_id}"}


def marketplace(
    parts: Sequence[tuple[str, str, str | None]], amount: str, **changes: Any
) -> Document:
    """A capture of local merchant `market`; parts are (local merchant, amount, marketplace fee)."""
    splits = [
        _changed(shop(seller), {"amount": part, "marketplace_fee": fee})
        for seller, part, fee in parts
    ]
    return confirmed(**shop("market") | {"amount": amount, "splits": splits} | changes)


def raw(document: Document) -> bytes:
    return json.dumps(document).encode()


def context_of(local_merchant_id: str = "5553", **changes: Any) -> MerchantContext:
    """Local merchant 5553 is m-5553, with balances in EUR and JPY, active and free of fees."""
    document = {
        "schema_version": "1",
        "psp_id": PSP_ID,
        **shop(local_merchant_id),
        "merchant_id": f"m-{local_merchant_id}",
        "balance_shops": {
            "EUR": f"bs-{local_merchant_id}-eur",
            "JPY": f"bs-{local_merchant_id}-jpy",
        },
        "status": "active",
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": [],
    }
    return parse_merchant_context(_changed(document, changes))


def fee_of(percent: str = "1.00", **changes: Any) -> Document:
    return {"type": "psp_fee", "on": "capture", "percent": percent} | changes


def histories_of(*contexts: MerchantContext) -> dict[ContextKey, list[MerchantContext]]:
    histories: dict[ContextKey, list[MerchantContext]] = {}
    for context in contexts:
        histories.setdefault(context.key, []).append(context)
    return histories


def operation_of(document: Document) -> PspOperation:
    stage = Stage.RECONCILED if "reconciled_date" in document else Stage.CONFIRMED
    return parse_psp_document(document, stage)


def operation_id_of(document: Document) -> str:
    return falcon_operation_id(operation_of(document))


def claim_of(document: Document | None = None, *contexts: MerchantContext) -> ClaimV1:
    """What an event means by these contexts; by that of 5553 where none is given."""
    operation = operation_of(confirmed() if document is None else document)
    event = split(operation, histories_of(*contexts or (context_of(),)))
    return ClaimV1.of(operation, RECEIVED_AT, event)


_NO_LINKS = LinksV1()


def records_of(claim: ClaimV1, links: LinksV1 = _NO_LINKS) -> list[SegmentRecordV1]:
    """The segments as claimed, as they lie on the stream."""
    return [
        SegmentRecordV1.of(claim, segment, VERSION_ID_SAMPLE, links) for segment in claim.segments
    ]


def record_of(document: Document | None = None, *contexts: MerchantContext) -> SegmentRecordV1:
    [record] = records_of(claim_of(document, *contexts))
    return record


def data_of(record: SegmentRecordV1 | CutRecordV1) -> bytes:
    """A record's bytes on the stream."""
    return record.model_dump_json().encode()


def cut_of(cut_at: str, *shards: str) -> CutRecordV1:
    return CutRecordV1.of(Cut(parse_rfc3339(cut_at), shards))
