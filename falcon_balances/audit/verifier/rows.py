"""Checks rows of the log's objects: their columns, and what each can contain.

Written from the documentation, separately from the code that writes the log.
"""

import re

from .findings import NotWrittenSoError
from .keys import ID_PATTERN, MERCHANT_PATTERN

HEADER = (
    "uuid,external_reference,amount,currency,type,falcon_operation_id,operation_date,"
    "local_merchant_id,shop_id,balance_shop_id,psp_id,original_reference,occurrence,"
    "bank_reference,reason_code,requested_by"
)
COLUMNS = HEADER.split(",")
BODY_MAX_BYTES = 300_000
LINES_MAX = 320
# All ids have one format. A reference is printable ASCII without `"`, `,`, `\` and `|`, with spaces
# only inside, and does not begin like a formula of a spreadsheet.
NAME = MERCHANT_PATTERN
REFERENCE = r"(?=[^,]{1,128}(?:,|\Z))(?![ =+@-])[ !#-+.-\[\]-{}~-]+(?<! )"
FORMS = {
    "uuid": ID_PATTERN,
    "amount": r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]{1,4})?",
    "currency": "[A-Z]{3}",
    "falcon_operation_id": ID_PATTERN,
    "operation_date": (
        "[2-9][0-9]{3}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
    ),
    "balance_shop_id": NAME,
}
PSP_FORMS = FORMS | {
    "external_reference": REFERENCE,
    "local_merchant_id": NAME,
    "shop_id": NAME,
    "psp_id": NAME,
    "original_reference": f"(?:{REFERENCE})?",
    "occurrence": "(?:[2-9]|[1-9][0-9])?",
}
# By stage and type: the sign of an unrevised amount ("" for either), and the formats of the
# columns; other columns are empty.
PSP_SIGNS = {
    "capture": "+",
    "cashback": "+",
    "chargeback_reversal": "+",
    "refund": "-",
    "chargeback": "-",
    "psp_fee": "-",
    "marketplace_fee": "",
}
DIRECT = FORMS | {"external_reference": NAME}
ROWS = {
    **{("confirmed", kind): (sign, PSP_FORMS) for kind, sign in PSP_SIGNS.items()},
    **{
        ("reconciled", kind): (sign, PSP_FORMS | {"bank_reference": REFERENCE})
        for kind, sign in PSP_SIGNS.items()
    },
    ("payout", "withdrawal"): ("-", DIRECT),
    ("payout", "withdrawal_reversal"): (
        "+",
        DIRECT | {"original_reference": f"(?:{NAME})?", "bank_reference": REFERENCE},
    ),
    ("adjustment", "adjustment"): (
        "",
        DIRECT
        | {
            "original_reference": f"(?:{ID_PATTERN})?",
            "reason_code": NAME,
            "requested_by": NAME,
        },
    ),
}
TYPES: dict[str, set[str]] = {}
for _stage, _kind in ROWS:
    TYPES.setdefault(_stage, set()).add(_kind)


def _pattern(kind: str, forms: dict[str, str]) -> str:
    return ",".join((forms | {"type": kind}).get(name, "") for name in COLUMNS)


READERS = {each: re.compile(_pattern(each[1], forms)) for each, (_, forms) in ROWS.items()}
SIGNS = {each: sign for each, (sign, _) in ROWS.items()}
# The same in all lines of an object; the last three can change in a revision.
SAME = [
    COLUMNS.index(name)
    for name in (
        "external_reference",
        "falcon_operation_id",
        "operation_date",
        "psp_id",
        "occurrence",
        "reason_code",
        "requested_by",
    )
]
SAME_UNLESS_REVISED = [
    COLUMNS.index(name) for name in ("currency", "original_reference", "bank_reference")
]


def fields_of(number: int, row: str, stage: str) -> list[str]:
    """The checked fields of a row. Raises NotWrittenSoError."""
    fields = row.split(",")
    if len(fields) != len(COLUMNS):
        raise NotWrittenSoError(
            f"line {number}: must have {len(COLUMNS)} columns, has {len(fields)}"
        )
    reader = READERS.get((stage, fields[4]))
    if reader is None:
        raise NotWrittenSoError(f"line {number}: type does not exist in this stage")
    if not reader.fullmatch(row):
        raise NotWrittenSoError(f"line {number}: a field does not match its required format")
    return fields


def check_sign(number: int, stage: str, kind: str, minor: int, *, revised: bool) -> None:
    """Checks that an amount is not zero, and that its sign is that of its type unless it was
    revised. Raises NotWrittenSoError.
    """
    sign = "" if revised else SIGNS[stage, kind]
    if minor == 0 or (sign == "+" and minor < 0) or (sign == "-" and minor > 0):
        raise NotWrittenSoError(
            f"line {number}: amount is zero, or has the wrong sign for its type"
        )


def check_same(rows: list[list[str]], *, revised: bool) -> None:
    """Checks that fields of the event are the same in all lines. Raises NotWrittenSoError."""
    first, *others = rows
    places = SAME if revised else SAME + SAME_UNLESS_REVISED
    for number, fields in enumerate(others, start=3):
        for place in places:
            if fields[place] != first[place]:
                raise NotWrittenSoError(f"line {number}: {COLUMNS[place]} differs from line 2")


def rows_of(body: bytes) -> list[str]:
    """The rows without the header. Raises NotWrittenSoError."""
    if len(body) > BODY_MAX_BYTES:
        raise NotWrittenSoError("larger than a log object can be")
    try:
        header, *rows = body.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        number = body.count(b"\n", 0, error.start) + 1
        raise NotWrittenSoError(f"line {number}: a character that no field may contain") from error
    if header != HEADER or len(rows) < 2 or rows.pop() != "":  # noqa: PLR2004
        raise NotWrittenSoError("the header or the final line end is missing")
    if len(rows) > LINES_MAX:
        raise NotWrittenSoError(f"more than {LINES_MAX} lines")
    return rows
