"""What the bad messages are made of: good ones of each kind, and values that no field may have."""

from tests.e2e.events import DATE, FOR_EVER, Document, confirmed, context, direct, reconciled

PSP = "bad-psp"
OPENING = confirmed(PSP, "known", "bad", "1.00")
REQUEST = direct("bad", "payout_id", "known", "0.50", requested_at=DATE, valid_until=FOR_EVER)
RETURN = direct(
    *("bad", "payout_id", "known", "0.20"), type="return", returned_at=DATE, bank_reference="bank-1"
)
ADJUSTMENT = direct(
    *("bad", "adjustment_id", "known", "0.10"),
    direction="credit",
    adjusted_at=DATE,
    reason="paid twice",
    reason_code="double_booking",
    requested_by="ops",
)


# Sent before the bad ones, each when what lies before it is counted.
OPENINGS = (
    ("confirmed", OPENING),
    ("reconciled", reconciled(OPENING)),
    ("payout", REQUEST),
    ("payout", RETURN),
    ("adjustment", ADJUSTMENT),
)
MERCHANTS = [
    context(PSP, "bad"),
    context(PSP, "bad-yen", "JPY"),
    context(PSP, "bad-dinar", "BHD"),
    context(PSP, "bad-closed", status="inactive"),
    context(PSP, "bad-good"),
]
REQUIRED = (
    "psp_id",
    "external_reference",
    "type",
    "amount",
    "currency",
    "operation_date",
    "local_merchant_id",
    "shop_id",
)
BAD_IDS = (
    "",
    " a",
    "a b",
    "-a",
    ".a",
    "a" * 65,
    "caf\u00e9",
    "\uff11",
    "a\n",
    "a/b",
    "a,b",
    'a"b',
    "a|b",
)
BAD_REFERENCES = (
    *("", " a", "a ", "a" * 129, "caf\u00e9", "a\tb", "a\n", 'a"b', "a,b", "a\\b", "a|b"),
    *("=a", "+a", "-a", "@a"),
)
BAD_AMOUNTS: tuple[object, ...] = (
    *("0", "0.00", "-1.00", "+1.00", "01.00", ".50", "1.", "1e2", "1_000", "1,000.00", " 1.00"),
    *("1.00\n", "", "abc", "NaN", "\uff11\uff10", "1" * 16, "0x10"),
    *(100, 100.5, True, None, ["1.00"]),
)
BAD_CURRENCIES = ("EURO", "eur", "ZZZ", "XAU", "XXX", "", "\u20acUR", "EUR ")
BAD_DATES = (
    *("2026-03-05", "2026-03-05T10:15:30", "2026-03-05 10:15:30Z", "2026-02-30T00:00:00Z"),
    *("2026-03-05T24:00:00Z", "2026-03-05T10:15:60Z", "2026-03-05T10:15:30.1234567890Z"),
    *("2026-03-05T10:15:30+2:00", "2026-03-05T10:15:30+24:00", "05.03.2026", "", "1772705730"),
    "\uff12026-03-05T10:15:30Z",
)


Row = tuple[str, str, str, Document]


def _row(rule: str, code: str, document: Document, stage: str = "confirmed") -> Row:
    return f"{stage}: {rule}", stage, code, document


def _changed(document: Document, **changes: object) -> Document:
    """A field changed to None is left out."""
    name = next(field for field in ("payout_id", "adjustment_id") if field in document)
    changed = document | {name: "bad"} | changes
    return {field: value for field, value in changed.items() if value is not None}
