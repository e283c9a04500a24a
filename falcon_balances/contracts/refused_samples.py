"""Published samples of refused messages: raw bytes with their code."""

from dataclasses import dataclass, replace
from typing import Final

from falcon_balances.contracts.decoding import MESSAGE_BYTES_MAX
from falcon_balances.contracts.samples import (
    DIRECT_SAMPLES,
    MARKETPLACE,
    PLAIN,
    an_event,
    as_json,
    segment_record_samples,
)
from falcon_balances.domain.errors import RejectionCode


@dataclass(frozen=True, slots=True)
class RefusedSample:
    """Raw bytes that are refused with `code`, for one reason only."""

    code: RejectionCode
    raw: bytes
    contract: str = "confirmed-operation"
    name: str = ""
    """Distinguishes several samples of one code."""


def _refused(code: RejectionCode, without: str | None = None, **changes: object) -> RefusedSample:
    document = {name: value for name, value in (PLAIN | changes).items() if name != without}
    return RefusedSample(code, as_json(document))


def _named(name: str, code: RejectionCode, **changes: object) -> RefusedSample:
    return replace(_refused(code, None, **changes), name=name)


def _wrongly_numbered() -> list[RefusedSample]:
    """Wrong occurrences and revisions: number 1 is never written, and a revision needs its date."""
    dated = {"revised_at": "2026-03-08T09:00:00Z"}
    schema = RejectionCode.SCHEMA
    return [
        *(
            _named(f"{field}-{said}", schema, **{field: number}, **more)
            for field, more in (("occurrence", {}), ("revision", dated))
            for said, number in (("1", 1), ("0", 0), ("100", 100), ("text", "2"))
        ),
        _named("revision-without-revised-at", schema, revision=2),
        _named("revised-at-without-revision", schema, **dated),
        _named("original-date-of-a-capture", schema, original_date="2026-03-01T00:00:00Z"),
    ]


def _wrong_references() -> list[RefusedSample]:
    """One sample at each limit of what a reference may contain."""
    edges = {
        "empty": "",
        "too-long": "r" * 129,
        "space-before": " order-1001",
        "space-behind": "order-1001 ",
        "quote": 'order"1001',
        "comma": "order,1001",
        "backslash": "order\\1001",
        "bar": "order|1001",
        "control": "order\t1001",
        "not-ascii": "commande-n\u00ba1001",
        "equals": "=order",
        "plus": "+order",
        "minus": "-order",
        "at": "@order",
    }
    return [
        _named(f"reference-{name}", RejectionCode.ID, external_reference=text)
        for name, text in edges.items()
    ]


# The E_SIZE sample is not stored: it is this accepted sample, padded with spaces to this size.
SIZE_SAMPLE_OF: Final = "plain-capture"
SIZE_SAMPLE_BYTES: Final = MESSAGE_BYTES_MAX + 1


def refused_samples() -> list[RefusedSample]:
    """The samples in the order of design §9, at least one per code. E_ID_CONFLICT applies once
    `plain-capture` is known; E_REVISION twenty hours later, if its second revision has not arrived.
    """
    plain = as_json(PLAIN)
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
        *_wrongly_numbered(),
        _refused(code.ID, shop_id="shop 5553"),
        *_wrong_references(),
        _refused(code.AMOUNT, amount=100),
        _named("zero-in-a-first-revision", code.AMOUNT, amount="0.00"),
        _refused(code.CURRENCY, currency="EURO"),
        _refused(code.SCALE, amount="100.001"),
        _refused(code.DATE, operation_date="2026-03-05T10:15:30"),
        _named(
            "original-after-the-refund",
            code.DATE,
            type="refund",
            original_date="2026-03-05T10:15:31+02:00",
        ),
        _named("before-2000", code.DATE, operation_date="1999-12-31T23:59:59Z"),
        _named("leap-second", code.DATE, operation_date="2016-12-31T23:59:60Z"),
        _refused(code.FUTURE, operation_date="2999-01-01T00:00:00Z"),
        RefusedSample(code.SPLIT_SUM, as_json(MARKETPLACE | {"amount": "150.01"})),
        _refused(code.MODE, mode="production"),
        _refused(code.UNKNOWN_MERCHANT, shop_id="shop-of-nobody"),
        RefusedSample(
            code.MERCHANT_INACTIVE,
            as_json(an_event("order-1007", "capture", "15", "closed-shop")),
        ),
        _refused(code.NO_BALANCE_SHOP, currency="USD"),
        RefusedSample(
            code.NOT_PAID,
            as_json(DIRECT_SAMPLES["payout-return"][1] | {"payout_id": "payout-of-nobody"}),
            "payout-return",
        ),
        _refused(code.REVISION, revision=3, revised_at="2026-03-09T09:00:00Z"),
        _refused(code.ID_CONFLICT, amount="100.01"),
        RefusedSample(code.RECORD, as_json(record | {"body": negative_capture}), "segment-record"),
    ]
