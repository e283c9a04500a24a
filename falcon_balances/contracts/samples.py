"""The published samples: a small world in which every accepted one is accepted, and what is not.

No real people or companies. Once published, an accepted sample never changes: add another one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.decoding import MESSAGE_BYTES_MAX
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.payout_samples import payout_samples
from falcon_balances.contracts.psp_operations import parse_psp_document
from falcon_balances.contracts.stream_records import CutRecordV1, SegmentRecordV1
from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.errors import RejectionCode
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.splitting import SplitEvent, split

Document = dict[str, Any]

# When the sample messages were sent: E_FUTURE is looked for against it.
SENT_AT: Final = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)


def _context(psp_id: str, local: str, merchant_id: str, currency: str, *fees: Document) -> Document:
    return {
        "schema_version": "1",
        "psp_id": psp_id,
        "local_merchant_id": local,
        "shop_id": f"shop-{local}",
        "merchant_id": merchant_id,
        "balance_shops": {currency: f"bs-{merchant_id}-{currency.lower()}"},
        "status": "active",
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": list(fees),
    }


def _fee(percent: str, on: str = "capture", **amounts: Mapping[str, str]) -> Document:
    return {"type": "psp_fee", "on": on, "percent": percent, **amounts}


CONTEXT_SAMPLES: Final[dict[str, Document]] = {
    "book-shop": _context("demo-psp-ro", "5553", "m-books", "EUR", _fee("1.00")),
    "ticket-shop": _context(
        "demo-psp-ro",
        "5560",
        "m-tickets",
        "EUR",
        _fee("1.50", fixed={"EUR": "0.10"}, min={"EUR": "0.25"}, max={"EUR": "20.00"}),
        _fee("0.00", on="refund", fixed={"EUR": "0.30"}),
    )
    | {"risk": "high"},
    "yen-shop": _context("demo-psp-jp", "6000", "m-yen", "JPY", _fee("3.60")),
    "dinar-shop": _context(
        "demo-psp-bh", "6100", "m-dinar", "BHD", _fee("2.25", fixed={"BHD": "0.100"})
    ),
    "marketplace": _context("demo-psp-ro", "9000", "m-market", "EUR"),
    "seller-of-crafts": _context("demo-psp-ro", "9001", "m-crafts", "EUR", _fee("1.50")),
    "seller-of-toys": _context("demo-psp-ro", "9002", "m-toys", "EUR"),
    "closed-shop": _context("demo-psp-ro", "7000", "m-closed", "EUR") | {"status": "inactive"},
}


def _event(
    reference: str, event_type: str, amount: str, context: str = "book-shop", **more: object
) -> Document:
    said = CONTEXT_SAMPLES[context]
    return {
        "schema_version": "1",
        "psp_id": said["psp_id"],
        "external_reference": reference,
        "type": event_type,
        "amount": amount,
        "currency": next(iter(said["balance_shops"])),
        "operation_date": "2026-03-05T10:15:30+02:00",
        "local_merchant_id": said["local_merchant_id"],
        "shop_id": said["shop_id"],
        **more,
    }


def _split(context: str, amount: str, **more: str) -> Document:
    said = CONTEXT_SAMPLES[context]
    return {
        "local_merchant_id": said["local_merchant_id"],
        "shop_id": said["shop_id"],
        "amount": amount,
        **more,
    }


def _reconciled(event: Document) -> Document:
    return event | {
        "reconciled_date": "2026-03-07T09:00:00+01:00",
        "bank_reference": f"bank-{event['external_reference']}",
    }


_PLAIN: Final = _event("order-1001", "capture", "100.00")
_MARKETPLACE: Final = _event(
    "order-1010",
    "capture",
    "150.00",
    "marketplace",
    splits=[
        _split("seller-of-crafts", "100.00", marketplace_fee="8.00"),
        _split("seller-of-toys", "50.00", marketplace_fee="0.00"),
    ],
)
_MARKETPLACE_REFUND: Final = _event(
    "refund-1010",
    "refund",
    "100.00",
    "marketplace",
    original_reference="order-1010",
    splits=[_split("seller-of-crafts", "100.00", marketplace_fee="8.00")],
)

# By name: the stage whose topic takes the event, and the event.
EVENT_SAMPLES: Final[dict[str, tuple[Stage, Document]]] = {
    "plain-capture": (Stage.CONFIRMED, _PLAIN),
    "plain-refund": (
        Stage.CONFIRMED,
        _event("refund-1001", "refund", "40.00", original_reference="order-1001"),
    ),
    "fee-percent-and-fixed": (
        Stage.CONFIRMED,
        _event("order-1002", "capture", "80.00", "ticket-shop"),
    ),
    "fee-minimum": (Stage.CONFIRMED, _event("order-1003", "capture", "1.00", "ticket-shop")),
    "fee-maximum": (Stage.CONFIRMED, _event("order-1004", "capture", "5000.00", "ticket-shop")),
    "fee-on-refund": (Stage.CONFIRMED, _event("refund-1002", "refund", "80.00", "ticket-shop")),
    "no-decimals": (Stage.CONFIRMED, _event("order-1005", "capture", "1000", "yen-shop")),
    "three-decimals": (Stage.CONFIRMED, _event("order-1006", "capture", "12.345", "dinar-shop")),
    "marketplace-capture": (Stage.CONFIRMED, _MARKETPLACE),
    "marketplace-refund": (Stage.CONFIRMED, _MARKETPLACE_REFUND),
    "chargeback": (
        Stage.CONFIRMED,
        _event("dispute-1001", "chargeback", "60.00", original_reference="order-1001"),
    ),
    "chargeback-reversal": (
        Stage.CONFIRMED,
        _event("dispute-1001", "chargeback_reversal", "60.00", original_reference="order-1001"),
    ),
    "cashback": (Stage.CONFIRMED, _event("cashback-1001", "cashback", "2.50")),
    "refund-of-an-inactive-merchant": (
        Stage.CONFIRMED,
        _event("refund-1007", "refund", "15", "closed-shop"),
    ),
    "reconciled-capture": (Stage.RECONCILED, _reconciled(_PLAIN)),
    "reconciled-marketplace-capture": (Stage.RECONCILED, _reconciled(_MARKETPLACE)),
    "reconciled-marketplace-refund": (Stage.RECONCILED, _reconciled(_MARKETPLACE_REFUND)),
}
CONTRACT_BY_STAGE: Final = {
    Stage.CONFIRMED: "confirmed-operation",
    Stage.RECONCILED: "reconciled-operation",
}


def split_sample(name: str) -> SplitEvent:
    """What an event sample means, by the real rules and the sample contexts."""
    contexts = [parse_merchant_context(document) for document in CONTEXT_SAMPLES.values()]
    stage, document = EVENT_SAMPLES[name]
    return split(parse_psp_document(document, stage), {item.key: [item] for item in contexts})


def claim_sample(name: str) -> ClaimV1:
    stage, document = EVENT_SAMPLES[name]
    return ClaimV1.of(
        parse_psp_document(document, stage), "2026-03-05T08:15:31Z", split_sample(name)
    )


def segment_record_samples(name: str) -> list[SegmentRecordV1]:
    claim = claim_sample(name)
    return [SegmentRecordV1.of(claim, segment) for segment in claim.segments]


CUT_SAMPLE: Final = Cut(
    datetime(2026, 3, 5, 8, 16, tzinfo=UTC), ("shardId-000000000000", "shardId-000000000001")
)


def balance_document_sample() -> BalanceDocumentV1:
    """What the book shop's balance is after all its samples."""
    segments = [
        segment
        for name in EVENT_SAMPLES
        for segment in split_sample(name).segments
        if segment.merchant_id == "m-books"
    ]
    euro = find_currency("EUR")
    assert euro is not None  # noqa: S101 - ISO 4217 has it
    balances = [
        Balance.from_counters(balance_shop_id, euro, counters)
        for (_, balance_shop_id, _), counters in fold(segments).items()
    ]
    as_of = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
    return balance_document("m-books", as_of, balances, now=SENT_AT)


_DIRECT: Final[Document] = {
    "schema_version": "1",
    "merchant_id": "m-books",
    "balance_shop_id": "bs-books-eur",
    "amount": "50.00",
    "currency": "EUR",
}
DIRECT_SAMPLES: Final[Mapping[str, tuple[Stage, Document]]] = {
    "payout-request": (
        Stage.PAYOUT,
        _DIRECT
        | {
            "payout_id": "payout-1",
            "requested_at": "2026-03-06T08:00:00Z",
            "minimum_amount": "10.00",
        },
    ),
    "payout-return": (
        Stage.PAYOUT,
        _DIRECT
        | {
            "type": "return",
            "payout_id": "payout-1",
            "returned_at": "2026-03-09T08:00:00Z",
            "bank_reference": "bank-return-1",
        },
    ),
    "adjustment": (
        Stage.ADJUSTMENT,
        _DIRECT
        | {
            "adjustment_id": "adjustment-1",
            "direction": "debit",
            "adjusted_at": "2026-03-06T08:00:00Z",
            "reason": "counted twice by the PSP",
            "requested_by": "ops",
        },
    ),
}


def accepted_samples() -> Iterator[tuple[str, str, Document]]:
    """(contract, name, document) of each, in a fixed order."""
    for name, (stage, event) in EVENT_SAMPLES.items():
        yield CONTRACT_BY_STAGE[stage], name, event
    for contract, (_, event) in DIRECT_SAMPLES.items():
        yield contract, "plain", event
    yield from payout_samples()
    for name, context in CONTEXT_SAMPLES.items():
        yield "merchant-context", name, context
    for name in ("plain-capture", "marketplace-capture", "reconciled-capture"):
        yield "claim", name, claim_sample(name).model_dump(mode="json")
        for record in segment_record_samples(name):
            part = f"-{record.part}-of-{record.parts}" if record.parts > 1 else ""
            yield "segment-record", f"{name}{part}", record.model_dump(mode="json")
    yield "cut-record", "two-shards", CutRecordV1.of(CUT_SAMPLE).model_dump(mode="json")
    yield "balance-document", "book-shop", balance_document_sample().model_dump(mode="json")
    yield (
        "balance-document",
        "before-the-first-cut",
        balance_document("m-toys", None, (), now=SENT_AT).model_dump(mode="json"),
    )


@dataclass(frozen=True, slots=True)
class RefusedSample:
    """Raw bytes that are refused with `code`: for one reason each."""

    code: RejectionCode
    raw: bytes
    contract: str = "confirmed-operation"


def _refused(code: RejectionCode, without: str | None = None, **changes: object) -> RefusedSample:
    document = {name: value for name, value in (_PLAIN | changes).items() if name != without}
    return RefusedSample(code, as_json(document))


def as_json(document: Mapping[str, object]) -> bytes:
    """The bytes of a published sample."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


# E_SIZE is the one sample that no file holds: this accepted one, padded with spaces to this size.
SIZE_SAMPLE_OF: Final = "plain-capture"
SIZE_SAMPLE_BYTES: Final = MESSAGE_BYTES_MAX + 1


def refused_samples() -> list[RefusedSample]:
    """One per code, in the order of design §9. E_ID_CONFLICT: once `plain-capture` is known."""
    plain = as_json(_PLAIN)
    record = segment_record_samples("plain-capture")[0].model_dump(mode="json")
    negative_capture = record["body"].replace(",100.00,", ",-100.00,")
    code = RejectionCode
    return [
        RefusedSample(code.SIZE, plain.ljust(SIZE_SAMPLE_BYTES)),
        RefusedSample(code.JSON, b'{"schema_version": "1", "amount": NaN}\n'),
        RefusedSample(code.DUP_KEY, plain.replace(b"{", b'{\n  "amount": "1.00",', 1)),
        _refused(code.DEPTH, splits=[[[[[[[[[[]]]]]]]]]]),
        _refused(code.VERSION, schema_version="2"),
        _refused(code.SCHEMA, without="currency"),
        _refused(code.ID, external_reference="order 1001"),
        _refused(code.AMOUNT, amount=100),
        _refused(code.CURRENCY, currency="EURO"),
        _refused(code.SCALE, amount="100.001"),
        _refused(code.DATE, operation_date="2026-03-05T10:15:30"),
        _refused(code.FUTURE, operation_date="2999-01-01T00:00:00Z"),
        RefusedSample(code.SPLIT_SUM, as_json(_MARKETPLACE | {"amount": "150.01"})),
        _refused(code.MODE, mode="production"),
        _refused(code.UNKNOWN_MERCHANT, shop_id="shop-of-nobody"),
        RefusedSample(
            code.MERCHANT_INACTIVE, as_json(_event("order-1007", "capture", "15", "closed-shop"))
        ),
        _refused(code.NO_BALANCE_SHOP, currency="USD"),
        RefusedSample(
            code.NOT_PAID,
            as_json(DIRECT_SAMPLES["payout-return"][1] | {"payout_id": "payout-of-nobody"}),
            "payout-return",
        ),
        _refused(code.ID_CONFLICT, amount="100.01"),
        RefusedSample(code.RECORD, as_json(record | {"body": negative_capture}), "segment-record"),
    ]
