"""One message at least for every rule of design section 4, each broken in this one way only."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from falcon_balances.adapters.clock import utc_now
from falcon_balances.domain.instants import rfc3339
from tests.e2e.bad_values import (
    ADJUSTMENT,
    BAD_AMOUNTS,
    BAD_CURRENCIES,
    BAD_DATES,
    BAD_IDS,
    BAD_REFERENCES,
    OPENING,
    PSP,
    REQUEST,
    REQUIRED,
    RETURN,
    Row,
    _changed,
    _row,
)
from tests.e2e.events import DATE, Document, confirmed, part, reconciled


@dataclass(frozen=True)
class BadMessage:
    rule: str
    stage: str
    code: str
    text: str


def bad_messages() -> list[BadMessage]:
    """Every one with a reference of its own, so that no two have the same bytes."""
    documents = [
        *_fields(),
        *_ids(),
        *_amounts(),
        *_currencies_and_scales(),
        *_dates(),
        *_splits(),
        *_merchants(),
        *_payouts(),
        *_returns(),
        *_adjustments(),
    ]
    made = [
        BadMessage(rule, stage, code, json.dumps(_numbered(document, number)))
        for number, (rule, stage, code, document) in enumerate(documents)
    ]
    return [*made, *_texts()]


def _numbered(document: Document, number: int) -> Document:
    for field in ("external_reference", "payout_id", "adjustment_id"):
        if document.get(field) == "bad":
            return document | {field: f"bad-{number}"}
    return document


def _event(name: str = "bad", amount: str = "7.00", /, **changes: object) -> Document:
    return confirmed(PSP, "bad", name, amount, **changes)


def _with(document: Document, field: str, value: object) -> Document:
    return document | {field: value}


def _fields() -> Iterator[Row]:
    """E_VERSION, E_SCHEMA, E_MODE."""
    for version in ("2", "", 1, None):
        document = _with(_event(), "schema_version", version)
        yield _row(f"version {version!r}", "E_VERSION", document)
    yield _row("no version", "E_VERSION", _event(schema_version=None))
    for field in REQUIRED:
        yield _row(f"no {field}", "E_SCHEMA", _event(**{field: None}))
        if field != "amount":
            null = _with(_event(), field, None)
            yield _row(f"{field} is null", "E_SCHEMA", null)
            yield _row(f"{field} is a number", "E_SCHEMA", _with(_event(), field, 7))
    for field in ("reconciled_date", "bank_reference"):
        document = reconciled(_event(), **{field: None})
        yield _row(f"no {field}", "E_SCHEMA", document, "reconciled")
    yield _row("a reconciled event", "E_SCHEMA", reconciled(_event()))
    yield _row("unknown field", "E_SCHEMA", _event(note="x"))
    yield _row("unknown type", "E_SCHEMA", _event(type="sale"))
    yield _row("a derived type", "E_SCHEMA", _event(type="psp_fee"))
    yield _row("mode is a number", "E_SCHEMA", _event(mode=1))
    for field in ("mode", "original_reference", "splits"):
        yield _row(f"{field} is null", "E_SCHEMA", _with(_event(), field, None))
    yield _row("a first revision", "E_SCHEMA", _event(revision=1, revised_at=DATE))
    yield _row("a revision without its date", "E_SCHEMA", _event(revision=2))
    yield _row("a first occurrence", "E_SCHEMA", _event(occurrence=1))
    yield _row("the date of no sale", "E_SCHEMA", _event(original_date=DATE))
    for mode in ("live", "production", "TEST", ""):
        yield _row(f"mode {mode!r}", "E_MODE", _event(mode=mode))


def _ids() -> Iterator[Row]:
    for bad in BAD_IDS:
        yield _row(f"shop_id {bad!r}", "E_ID", _event(shop_id=bad))
    for bad in BAD_REFERENCES:
        yield _row(f"external_reference {bad!r}", "E_ID", _event(external_reference=bad))
    for field in ("psp_id", "local_merchant_id"):
        yield _row(f"{field} with a blank", "E_ID", _with(_event(), field, f"a {field}"))
    for field in ("local_merchant_id", "shop_id"):
        split = _with(part("bad", "7.00"), field, "a b")
        yield _row(f"split's {field}", "E_ID", _event(splits=[split]))
    yield _row("original_reference", "E_ID", _event(type="refund", original_reference="a|b"))
    document = reconciled(_event(), bank_reference="a,b")
    yield _row("bank_reference", "E_ID", document, "reconciled")


def _amounts() -> Iterator[Row]:
    for bad in BAD_AMOUNTS:
        yield _row(f"amount {bad!r}", "E_AMOUNT", _with(_event(), "amount", bad))
    for bad in ("0.00", 7):
        splits = [_with(part("bad", ""), "amount", bad)]
        yield _row(f"split's amount {bad!r}", "E_AMOUNT", _event(splits=splits))
    for bad in ("-1.00", 1, None):
        splits = [part("bad", "7.00", marketplace_fee=bad)]
        yield _row(f"marketplace_fee {bad!r}", "E_AMOUNT", _event(splits=splits))


def _currencies_and_scales() -> Iterator[Row]:
    for bad in BAD_CURRENCIES:
        yield _row(f"currency {bad!r}", "E_CURRENCY", _event(currency=bad))
    yield _row("EUR of three decimals", "E_SCALE", _event(amount="7.001"))
    yield _row("EUR with a zero too many", "E_SCALE", _event(amount="7.000"))
    yield _row("JPY with decimals", "E_SCALE", _event("bad-yen", "7.0", currency="JPY"))
    yield _row("BHD of four decimals", "E_SCALE", _event("bad-dinar", "7.0001", currency="BHD"))
    yield _row("split's scale", "E_SCALE", _event(splits=[part("bad", "7.000")]))
    splits = [part("bad", "7.00", marketplace_fee="0.000")]
    yield _row("marketplace_fee's scale", "E_SCALE", _event(splits=splits))


def _dates() -> Iterator[Row]:
    for bad in BAD_DATES:
        yield _row(f"operation_date {bad!r}", "E_DATE", _event(operation_date=bad))
    document = reconciled(_event(), reconciled_date="2026-03-07")
    yield _row("reconciled_date", "E_DATE", document, "reconciled")
    late = rfc3339(utc_now() + timedelta(hours=2))  # tests may run long before it is sent
    yield _row("hours ahead", "E_FUTURE", _event(operation_date=late))
    yield _row("far ahead", "E_FUTURE", _event(operation_date="2999-01-01T00:00:00Z"))
    after = {"type": "refund", "original_date": "2026-03-06T00:00:00Z"}
    yield _row("a sale after its refund", "E_DATE", _event(**after))
    early = OPENING | {"revision": 2, "revised_at": "2026-03-04T00:00:00Z"}
    yield _row("revised before it was made", "E_DATE", early)
    document = reconciled(_event(), reconciled_date=late)
    yield _row("reconciled hours ahead", "E_FUTURE", document, "reconciled")


def _splits() -> Iterator[Row]:
    def row(rule: str, code: str, *splits: Document) -> Row:
        return _row(rule, code, _event(splits=list(splits)))

    yield row("no split in splits", "E_SCHEMA")
    yield _row("splits is an object", "E_SCHEMA", _event(splits=part("bad", "7.00")))
    forty_one = [part("bad", "1.00")] * 41
    yield _row("41 splits", "E_SCHEMA", _event(amount="41.00", splits=forty_one))
    yield row("unknown field in a split", "E_SCHEMA", part("bad", "7.00", note="x"))
    yield row("a split without shop_id", "E_SCHEMA", {"local_merchant_id": "bad", "amount": "7.00"})
    yield row("splits below amount", "E_SPLIT_SUM", part("bad", "6.99"))
    yield row("splits above amount", "E_SPLIT_SUM", part("bad", "7.00"), part("bad", "0.01"))
    above = part("bad", "7.00", marketplace_fee="7.01")
    yield row("marketplace_fee above its amount", "E_SPLIT_SUM", above)


def _merchants() -> Iterator[Row]:
    yield _row("unknown shop", "E_UNKNOWN_MERCHANT", _event(shop_id="shop-nobody"))
    yield _row("unknown local merchant", "E_UNKNOWN_MERCHANT", _event(local_merchant_id="nobody"))
    yield _row("unknown seller", "E_UNKNOWN_MERCHANT", _event(splits=[part("nobody", "7.00")]))
    early = "2025-12-31T23:59:59Z"
    yield _row("before the first context", "E_UNKNOWN_MERCHANT", _event(operation_date=early))
    for kind in ("capture", "cashback"):
        document = _event("bad-closed", type=kind)
        yield _row(f"{kind} when inactive", "E_MERCHANT_INACTIVE", document)
    splits = [part("bad-closed", "7.00")]
    yield _row("an inactive seller", "E_MERCHANT_INACTIVE", _event(splits=splits))
    yield _row("no balance shop", "E_NO_BALANCE_SHOP", _event(currency="USD"))
    unknown = reconciled(_event(shop_id="shop-nobody"))
    yield _row("unknown shop", "E_UNKNOWN_MERCHANT", unknown, "reconciled")
    other = OPENING | {"amount": "2.00"}
    yield _row("known with another content", "E_ID_CONFLICT", other)
    yield _row("known with another content", "E_ID_CONFLICT", reconciled(other), "reconciled")


_DIRECT = (
    ("no version", "E_VERSION", {"schema_version": None}),
    ("unknown field", "E_SCHEMA", {"note": "x"}),
    ("no amount", "E_SCHEMA", {"amount": None}),
    ("no merchant", "E_SCHEMA", {"merchant_id": None}),
    ("merchant_id with a blank", "E_ID", {"merchant_id": "m bad"}),
    ("a negative amount", "E_AMOUNT", {"amount": "-0.10"}),
    ("nothing", "E_AMOUNT", {"amount": "0.00"}),
    ("a number", "E_AMOUNT", {"amount": 1}),
    ("too precise", "E_SCALE", {"amount": "0.100"}),
    ("unknown currency", "E_CURRENCY", {"currency": "ZZZ"}),
    ("unknown merchant", "E_UNKNOWN_MERCHANT", {"merchant_id": "m-nobody"}),
    ("unknown balance shop", "E_NO_BALANCE_SHOP", {"balance_shop_id": "bs-nobody"}),
    ("another merchant's balance", "E_NO_BALANCE_SHOP", {"balance_shop_id": "bs-bad-good"}),
    ("another currency", "E_NO_BALANCE_SHOP", {"currency": "USD"}),
)


def _payouts() -> Iterator[Row]:
    def row(rule: str, code: str, **changes: object) -> Row:
        return _row(rule, code, _changed(REQUEST, **changes), "payout")

    for rule, code, changes in _DIRECT:
        yield row(rule, code, **changes)
    yield row("no payout_id", "E_SCHEMA", payout_id=None)
    yield row("payout_id with a blank", "E_ID", payout_id="a b")
    yield row("no date", "E_SCHEMA", requested_at=None)
    yield row("a day only", "E_DATE", requested_at="2026-03-05")
    yield row("far ahead", "E_FUTURE", requested_at="2999-01-01T00:00:00Z")
    early = {"valid_until": "2026-03-05T10:15:29Z"}
    yield row("valid until before it was made", "E_DATE", **early)
    yield row("minimum_amount of nothing", "E_AMOUNT", minimum_amount="0.00")
    yield row("minimum_amount above amount", "E_AMOUNT", minimum_amount="0.51")
    yield row("minimum_amount too precise", "E_SCALE", minimum_amount="0.001")
    yield row("live", "E_MODE", mode="live")
    yield row("unknown type", "E_SCHEMA", type="request")
    yield row("known with another amount", "E_ID_CONFLICT", payout_id="known", amount="0.40")
    minimum = {"payout_id": "known", "minimum_amount": "0.10"}
    yield row("known with a minimum", "E_ID_CONFLICT", **minimum)


def _returns() -> Iterator[Row]:
    def row(rule: str, code: str, **changes: object) -> Row:
        return _row(f"return: {rule}", code, _changed(RETURN, **changes), "payout")

    for rule, code, changes in _DIRECT:
        yield row(rule, code, **changes)
    yield row("no bank_reference", "E_SCHEMA", bank_reference=None)
    yield row("a minimum_amount", "E_SCHEMA", minimum_amount="0.10")
    yield row("far ahead", "E_FUTURE", returned_at="2999-01-01T00:00:00Z")
    yield row("never paid", "E_NOT_PAID")
    more = {"payout_id": "known", "return_id": "too-much", "amount": "0.51"}
    yield row("more than was paid", "E_NOT_PAID", **more)
    other = {"payout_id": "known", "merchant_id": "m-bad-good", "balance_shop_id": "bs-bad-good"}
    yield row("to another balance", "E_NOT_PAID", **other)
    more = {"payout_id": "known", "return_id": "second", "amount": "0.50"}
    yield row("with another more than was paid", "E_NOT_PAID", **more)
    yield row("return_id with a blank", "E_ID", return_id="a b")
    yield row("a second time", "E_ID_CONFLICT", payout_id="known", amount="0.30")


def _adjustments() -> Iterator[Row]:
    def row(rule: str, code: str, **changes: object) -> Row:
        return _row(rule, code, _changed(ADJUSTMENT, **changes), "adjustment")

    for rule, code, changes in _DIRECT:
        yield row(rule, code, **changes)
    yield row("no reason", "E_SCHEMA", reason=None)
    yield row("an empty reason", "E_SCHEMA", reason="")
    yield row("a reason of blanks", "E_SCHEMA", reason="  ")
    yield row("a reason of 201 characters", "E_SCHEMA", reason="x" * 201)
    yield row("a reason of two lines", "E_SCHEMA", reason="a\nb")
    yield row("no direction", "E_SCHEMA", direction=None)
    yield row("unknown direction", "E_SCHEMA", direction="up")
    yield row("nobody's", "E_SCHEMA", requested_by=None)
    yield row("corrects no id of ours", "E_ID", corrects="order-1")
    yield row("far ahead", "E_FUTURE", adjusted_at="2999-01-01T00:00:00Z")
    yield row("known with another amount", "E_ID_CONFLICT", adjustment_id="known", amount="0.20")


def _texts() -> Iterator[BadMessage]:
    """What no JSON writer would make: E_SIZE, E_JSON, E_DUP_KEY, E_DEPTH."""
    plain = json.dumps(_event())
    deep: Document = {"splits": [[[[[[[[[[]]]]]]]]]]}
    for rule, code, text in (
        ("64 KiB and one byte", "E_SIZE", plain.ljust(64 * 1024 + 1)),
        ("64 KiB of something else", "E_SIZE", "x" * (64 * 1024 + 2)),
        ("no JSON", "E_JSON", "hello"),
        ("cut off", "E_JSON", plain[:-1]),
        ("something behind", "E_JSON", plain + "x"),
        ("two objects", "E_JSON", plain + plain),
        ("single quotes", "E_JSON", plain.replace('"', "'")),
        ("a comma too many", "E_JSON", plain.replace("}", ",}")),
        ("NaN", "E_JSON", plain.replace('"7.00"', "NaN")),
        ("Infinity", "E_JSON", plain.replace('"7.00"', "-Infinity")),
        ("an array", "E_JSON", f"[{plain}]"),
        ("a string", "E_JSON", json.dumps(plain)),
        ("null", "E_JSON", "null"),
        ("half a surrogate pair", "E_JSON", plain.replace("7.00", "\\ud800")),
        ("a byte order mark", "E_JSON", "\ufeff" + plain),
        ("a key twice", "E_DUP_KEY", plain.replace("{", '{"amount": "1.00", ', 1)),
        ("the same key and value twice", "E_DUP_KEY", plain.replace("{", '{"amount": "7.00", ', 1)),
        ("a key twice, once escaped", "E_DUP_KEY", plain.replace("{", '{"\\u0061mount": "1", ', 1)),
        ("too deep", "E_DEPTH", json.dumps(_event() | deep)),
        ("far too deep", "E_DEPTH", '{"splits": ' + "[" * 5_000 + "]" * 5_000 + "}"),
    ):
        yield BadMessage(f"confirmed: {rule}", "confirmed", code, text)
