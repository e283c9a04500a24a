"""Objects of the log, right and wrong, that every reader must answer alike."""

from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.log_grammar import COLUMNS, HEADER

OPERATION = uuid5_text("an operation")
OTHER = uuid5_text("another operation")
DAY = "2026-11-20"
PSP = {
    "external_reference": "order-1",
    "amount": "100.00",
    "currency": "EUR",
    "type": "capture",
    "falcon_operation_id": OPERATION,
    "operation_date": f"{DAY}T10:15:30Z",
    "local_merchant_id": "5553",
    "shop_id": "shop-a",
    "balance_shop_id": "bs-1",
    "psp_id": "psp-1",
}
BANK = {"bank_reference": "bank 1/2"}
DIRECT = {name: text for name, text in PSP.items() if name[:3] not in {"loc", "sho", "psp"}}
WITHDRAWAL = DIRECT | {"type": "withdrawal", "amount": "-5.00"}
RETURN = DIRECT | BANK | {"type": "withdrawal_reversal", "original_reference": "return-1"}
ADJUSTMENT = DIRECT | {
    "type": "adjustment",
    "original_reference": OTHER,
    "reason_code": "double_booking",
    "requested_by": "ops",
}
FEE = PSP | {"type": "psp_fee", "amount": "-1.00"}


def key_of(stage="confirmed", end="", merchant="m-1", day=DAY, operation=OPERATION):
    return f"{stage}/merchant_id={merchant}/date={day}/{operation}{end}.csv"


def body_of(stage, *lines, header=HEADER):
    """With the uuids that follow, unless a line says another. `stage` with its revision."""
    seen: dict[tuple[str, str], int] = {}
    rows = [header]
    for line in lines:
        kind = (line["balance_shop_id"], line["type"])
        n = seen.get(kind, 0)
        seen[kind] = n + 1
        uuid = uuid5_text(f"{line['falcon_operation_id']}|{stage}|m-1|{'|'.join(kind)}|{n}")
        said = {"uuid": uuid, **line}
        rows.append(",".join(said.get(name, "") for name in COLUMNS))
    return ("\n".join(rows) + "\n").encode()


def one(stage="confirmed", end="", base=PSP, **changes):
    """An object of one line: `stage` with its revision, what its key ends with, what it says."""
    return key_of(stage.partition(".")[0], end), body_of(stage, base | changes)


LONGEST = "r" * 128
GOOD = {
    "a capture": one(),
    "a capture with its fee": (key_of(), body_of("confirmed", PSP, FEE)),
    "two lines of a kind": (key_of(), body_of("confirmed", PSP, PSP | {"amount": "1.00"})),
    "reconciled": one("reconciled", base=PSP | BANK),
    "a part": one(end=".2-of-3"),
    "a revision": one("confirmed.2", ".r2", amount="-100.00"),
    "the last revision": one("reconciled.99", ".r99", base=PSP | BANK, amount="0.01"),
    "a part of a revision": one("confirmed.2", ".r2.1-of-2"),
    "a refund": one(type="refund", amount="-5.00", original_reference="order 0"),
    "a second dispute": one(type="chargeback", amount="-5.00", occurrence="2"),
    "the last occurrence": one(occurrence="99"),
    "the longest reference": one(external_reference=LONGEST),
    "a reference of odd characters": one(external_reference="#1/'A' [x]{}~!$%&()*;<>?^_`"),
    "a reference with what it may not begin with": one(external_reference="a=b+c-d@e f"),
    "a longest id": one(shop_id="s" * 64),
    "yen": one(currency="JPY", amount="100"),
    "dinar": one(currency="BHD", amount="0.001"),
    "a large amount": one(amount="12345678901234567.89"),
    "a withdrawal": one("payout", base=WITHDRAWAL),
    "a return": one("payout", base=RETURN),
    "the only return": one("payout", base=RETURN | {"original_reference": ""}),
    "an adjustment": one("adjustment", base=ADJUSTMENT),
    "a debit": one("adjustment", base=ADJUSTMENT, amount="-100.00", original_reference=""),
    "a marketplace fee": one(type="marketplace_fee"),
    "a marketplace fee that is paid": one(type="marketplace_fee", amount="-3.00"),
    "a revision of two bank lines": (
        key_of("reconciled", ".r2"),
        body_of(
            "reconciled.2",
            PSP | {"bank_reference": "new"},
            PSP | {"bank_reference": "old", "amount": "-100.00"},
        ),
    ),
}
BODY = body_of("confirmed", PSP)
WRONG = {
    "a refund of +5.00": one(type="refund", amount="5.00"),
    "a capture below zero": one(amount="-100.00"),
    "a fee that is earned": one(type="psp_fee"),
    "a withdrawal of +5.00": one("payout", base=WITHDRAWAL, amount="5.00"),
    "a return below zero": one("payout", base=RETURN, amount="-5.00"),
    "zero": one(amount="0.00"),
    "zero in a revision": one("confirmed.2", ".r2", amount="0.00"),
    "minus zero": one(amount="-0.00"),
    "007": one(amount="007.00"),
    "a plus": one(amount="+100.00"),
    "no whole number": one(amount=".50"),
    "no fraction": one(amount="100."),
    "an exponent": one(amount="1e2"),
    "a space": one(amount=" 100.00"),
    "20 digits": one(amount="123456789012345678.90"),
    "too few decimals": one(amount="100.0"),
    "too many decimals": one(amount="100.000"),
    "yen with decimals": one(currency="JPY"),
    "no currency": one(currency="XXX"),
    "a small currency": one(currency="eur"),
    "a reference of 129": one(external_reference=LONGEST + "r"),
    "no reference": one(external_reference=""),
    "a space before": one(external_reference=" a"),
    "a space behind": one(external_reference="a "),
    "a quote": one(external_reference='a"b'),
    "a quoted field": one(external_reference='"a"'),
    "a backslash": one(external_reference="a\\b"),
    "a bar": one(external_reference="a|b"),
    "a tab": one(external_reference="a\tb"),
    "a delete": one(external_reference="a\x7fb"),
    "a formula": one(external_reference="=a"),
    "a plus before": one(external_reference="+a"),
    "a minus before": one(external_reference="-a"),
    "an at before": one(external_reference="@a"),
    "an original of 129": one(original_reference=LONGEST + "r"),
    "an id of 65": one(shop_id="s" * 65),
    "an id with a space": one(shop_id="a b"),
    "an id that begins with a point": one(psp_id=".a"),
    "a balance without name": one(balance_shop_id=""),
    "a balance with a slash": one(balance_shop_id="a/b"),
    "occurrence 1 written out": one(occurrence="1"),
    "occurrence 0": one(occurrence="0"),
    "occurrence 02": one(occurrence="02"),
    "occurrence 100": one(occurrence="100"),
    "a bank reference where none is yet": one(bank_reference="bank-1"),
    "reconciled without the bank": one("reconciled"),
    "a reason in a capture": one(reason_code="why"),
    "a requester in a capture": one(requested_by="ops"),
    "a capture without shop": one(shop_id=""),
    "a capture without psp": one(psp_id=""),
    "an adjustment with psp_id": one("adjustment", base=ADJUSTMENT, psp_id="psp-1"),
    "an adjustment without reason": one("adjustment", base=ADJUSTMENT, reason_code=""),
    "an adjustment without requester": one("adjustment", base=ADJUSTMENT, requested_by=""),
    "it corrects what is no operation": one("adjustment", base=ADJUSTMENT, original_reference="a"),
    "an adjustment that occurred twice": one("adjustment", base=ADJUSTMENT, occurrence="2"),
    "a withdrawal with a shop": one("payout", base=WITHDRAWAL, shop_id="s"),
    "a withdrawal with a bank line": one("payout", base=WITHDRAWAL | BANK),
    "a payout_id with a space": one("payout", base=WITHDRAWAL, external_reference="a b"),
    "a return without bank": one("payout", base=RETURN, bank_reference=""),
    "a type of another stage": one(base=WITHDRAWAL),
    "a capture in payouts": one("payout"),
    "an unknown type": one(type="gift"),
    "a large type": one(type="Capture"),
    "a day that there is not": one(operation_date="2026-02-30T10:15:30Z"),
    "another offset": one(operation_date=f"{DAY}T10:15:30+00:00"),
    "a leap second": one(operation_date=f"{DAY}T23:59:60Z"),
    "hour 24": one(operation_date=f"{DAY}T24:00:00Z"),
    "another day than the key's": one(operation_date="2026-11-21T10:15:30Z"),
    "before the year 2000": (
        key_of(day="1999-12-31"),
        body_of("confirmed", PSP | {"operation_date": "1999-12-31T10:15:30Z"}),
    ),
    "another operation than the key's": one(falcon_operation_id=OTHER),
    "an operation that no name makes": (
        key_of(operation=(made := "0b5d2a3c-1111-4222-8333-444455556666")),
        body_of("confirmed", PSP | {"falcon_operation_id": made}),
    ),
    "a uuid that does not follow": one(uuid=OTHER),
    "a large uuid": one(uuid=OTHER.upper()),
    "a uuid of another stage": (key_of("reconciled"), body_of("confirmed", PSP | BANK)),
    "a uuid of another revision": (key_of(end=".r2"), BODY),
    "a uuid of another merchant": (key_of(merchant="m-2"), BODY),
    "lines in another order": (
        key_of(),
        HEADER.encode()
        + b"\n"
        + b"\n".join(body_of("confirmed", PSP, PSP).split(b"\n")[2:0:-1])
        + b"\n",
    ),
    "two references": (
        key_of(),
        body_of("confirmed", PSP, FEE | {"external_reference": "order-2"}),
    ),
    "two instants": (
        key_of(),
        body_of("confirmed", PSP, FEE | {"operation_date": f"{DAY}T10:15:31Z"}),
    ),
    "two psps": (key_of(), body_of("confirmed", PSP, FEE | {"psp_id": "psp-2"})),
    "two occurrences": (key_of(), body_of("confirmed", PSP, FEE | {"occurrence": "2"})),
    "two bank lines in a first revision": (
        key_of("reconciled"),
        body_of("reconciled", PSP | BANK, FEE | {"bank_reference": "b"}),
    ),
    "two withdrawals": (key_of("payout"), body_of("payout", WITHDRAWAL, WITHDRAWAL)),
    "key 3-of-2": one(end=".3-of-2"),
    "key 1-of-1": one(end=".1-of-1"),
    "key 0-of-2": one(end=".0-of-2"),
    "key 01-of-2": one(end=".01-of-2"),
    "key r1": one("confirmed.1", ".r1"),
    "key r0": one("confirmed.0", ".r0"),
    "key r02": one("confirmed.2", ".r02"),
    "key r100": one("confirmed.100", ".r100"),
    "a revision behind a part": one("confirmed.2", ".1-of-2.r2"),
    "a payout that is revised": one("payout.2", ".r2", base=WITHDRAWAL),
    "an adjustment that is revised": one("adjustment.2", ".r2", base=ADJUSTMENT),
    "a merchant of 65": (key_of(merchant="m" * 65), BODY),
    "a stage that there is not": (key_of("blocked"), BODY),
    "no csv": (key_of().replace(".csv", ".txt"), BODY),
    "CRLF": (key_of(), BODY.replace(b"\n", b"\r\n")),
    "no last line end": (key_of(), BODY[:-1]),
    "an empty line at the end": (key_of(), BODY + b"\n"),
    "a byte order mark": (key_of(), b"\xef\xbb\xbf" + BODY),
    "15 columns": (key_of(), BODY.replace(b",\n", b"\n")),
    "17 columns": (key_of(), BODY.replace(b",\n", b",,\n")),
    "the old header": (key_of(), body_of("confirmed", PSP, header=HEADER[: HEADER.index(",ori")])),
    "no header": (key_of(), BODY[len(HEADER) + 1 :]),
    "no lines": (key_of(), HEADER.encode() + b"\n"),
    "nothing": (key_of(), b""),
    "not ASCII": (key_of(), BODY.replace(b"order-1", "ordér".encode())),
    "321 lines": (key_of(), body_of("confirmed", *[PSP] * 321)),
}
