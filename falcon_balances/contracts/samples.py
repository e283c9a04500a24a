"""Published samples: a small world in which each of them is accepted.

They name no real people or companies. A published accepted sample never changes: add another one
instead.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.context_samples import CONTEXT_SAMPLES, Document
from falcon_balances.contracts.currencies import find_currency
from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.payout_samples import payout_samples
from falcon_balances.contracts.psp_operations import parse_psp_document
from falcon_balances.contracts.stream_records import CutRecordV1, SegmentRecordV1
from falcon_balances.domain.balances import Balance, fold
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.operations import PspOperation, Stage
from falcon_balances.domain.splitting import SplitEvent, split

# The time at which the sample messages were sent, for E_FUTURE.
SENT_AT: Final = datetime(2026, 11, 20, 10, 15, 30, tzinfo=UTC)


def an_event(
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


PLAIN: Final = an_event("order-1001", "capture", "100.00")
MARKETPLACE: Final = an_event(
    "order-1010",
    "capture",
    "150.00",
    "marketplace",
    splits=[
        _split("seller-of-crafts", "100.00", marketplace_fee="8.00"),
        _split("seller-of-toys", "50.00", marketplace_fee="0.00"),
    ],
)
_MARKETPLACE_REFUND: Final = an_event(
    "refund-1010",
    "refund",
    "100.00",
    "marketplace",
    original_reference="order-1010",
    splits=[_split("seller-of-crafts", "100.00", marketplace_fee="8.00")],
)

# By name: the stage of the event's topic, and the event.
EVENT_SAMPLES: Final[dict[str, tuple[Stage, Document]]] = {
    "plain-capture": (Stage.CONFIRMED, PLAIN),
    "plain-refund": (
        Stage.CONFIRMED,
        an_event("refund-1001", "refund", "40.00", original_reference="order-1001"),
    ),
    "fee-percent-and-fixed": (
        Stage.CONFIRMED,
        an_event("order-1002", "capture", "80.00", "ticket-shop"),
    ),
    "fee-minimum": (
        Stage.CONFIRMED,
        an_event("order-1003", "capture", "1.00", "ticket-shop"),
    ),
    "fee-maximum": (
        Stage.CONFIRMED,
        an_event("order-1004", "capture", "5000.00", "ticket-shop"),
    ),
    "fee-on-refund": (
        Stage.CONFIRMED,
        an_event("refund-1002", "refund", "80.00", "ticket-shop"),
    ),
    "no-decimals": (Stage.CONFIRMED, an_event("order-1005", "capture", "1000", "yen-shop")),
    "three-decimals": (
        Stage.CONFIRMED,
        an_event("order-1006", "capture", "12.345", "dinar-shop"),
    ),
    "marketplace-capture": (Stage.CONFIRMED, MARKETPLACE),
    "marketplace-refund": (Stage.CONFIRMED, _MARKETPLACE_REFUND),
    "chargeback": (
        Stage.CONFIRMED,
        an_event("dispute-1001", "chargeback", "60.00", original_reference="order-1001"),
    ),
    "chargeback-reversal": (
        Stage.CONFIRMED,
        an_event("dispute-1001", "chargeback_reversal", "60.00", original_reference="order-1001"),
    ),
    "cashback": (Stage.CONFIRMED, an_event("cashback-1001", "cashback", "2.50")),
    "refund-of-an-inactive-merchant": (
        Stage.CONFIRMED,
        an_event("refund-1007", "refund", "15", "closed-shop"),
    ),
    "original-date": (
        Stage.CONFIRMED,
        an_event(
            "refund-1003",
            "refund",
            "8.00",
            "ticket-shop",
            original_reference="order-1002",
            original_date="2026-03-01T10:00:00+02:00",
        ),
    ),
    "odd-reference": (Stage.CONFIRMED, an_event("#1008/A 'gift' [x]", "capture", "3.00")),
    "second-dispute": (
        Stage.CONFIRMED,
        an_event(
            "dispute-1001", "chargeback", "60.00", original_reference="order-1001", occurrence=2
        ),
    ),
    "settled-short": (
        Stage.CONFIRMED,
        PLAIN | {"amount": "90.00", "revision": 2, "revised_at": "2026-03-08T09:00:00Z"},
    ),
    "void": (
        Stage.CONFIRMED,
        PLAIN | {"amount": "0.00", "revision": 3, "revised_at": "2026-03-09T09:00:00Z"},
    ),
    "reconciled-capture": (Stage.RECONCILED, _reconciled(PLAIN)),
    "reconciled-marketplace-capture": (Stage.RECONCILED, _reconciled(MARKETPLACE)),
    "reconciled-marketplace-refund": (Stage.RECONCILED, _reconciled(_MARKETPLACE_REFUND)),
}
# For each revision among the samples, the sample that it revises.
_REVISES: Final = {"settled-short": "plain-capture", "void": "settled-short"}
CONTRACT_BY_STAGE: Final = {
    Stage.CONFIRMED: "confirmed-operation",
    Stage.RECONCILED: "reconciled-operation",
}


def split_sample(name: str) -> SplitEvent:
    """An event sample as the real rules split it in the sample contexts: its whole truth."""
    contexts = [parse_merchant_context(document) for document in CONTEXT_SAMPLES.values()]
    return split(_operation_sample(name), {item.key: [item] for item in contexts})


def _operation_sample(name: str) -> PspOperation:
    stage, document = EVENT_SAMPLES[name]
    return parse_psp_document(document, stage)


def claim_sample(name: str) -> ClaimV1:
    claim = ClaimV1.of(_operation_sample(name), "2026-03-05T08:15:31Z", split_sample(name))
    revised = _REVISES.get(name)
    return claim if revised is None else claim.revising(claim_sample(revised))


# The example of https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
VERSION_ID_SAMPLE: Final = "3sL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRcxv3vjVBH40Nr8X8gdRQBPUMLUo"


def segment_record_samples(name: str) -> list[SegmentRecordV1]:
    claim = claim_sample(name)
    return [SegmentRecordV1.of(claim, segment, VERSION_ID_SAMPLE) for segment in claim.segments]


CUT_SAMPLE: Final = Cut(
    datetime(2026, 3, 5, 8, 16, tzinfo=UTC), ("shardId-000000000000", "shardId-000000000001")
)


def balance_document_sample() -> BalanceDocumentV1:
    """The book shop's balance after all its samples."""
    segments = [
        record.to_segment()
        for name in EVENT_SAMPLES
        for record in segment_record_samples(name)
        if record.merchant_id == "m-books"
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
            "reason_code": "double_booking",
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
    for name in ("plain-capture", "marketplace-capture", "reconciled-capture", "void"):
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


def as_json(document: Mapping[str, object]) -> bytes:
    """A published sample as bytes."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
