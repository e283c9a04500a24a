"""Checks objects of the log, and returns what each of their lines adds."""

import re
from datetime import datetime
from hashlib import sha1
from uuid import NAMESPACE_URL, uuid5

from .currencies import DECIMALS
from .findings import NotWrittenSoError
from .keys import staged
from .rows import check_same, check_sign, fields_of, rows_of
from .sums import Item

# Minus zero is not an amount.
AMOUNT = re.compile(r"(?!-[0.]+\Z)(-?(?:0|[1-9][0-9]{0,37}))(?:\.([0-9]{1,4}))?\Z")
# In minor units: 19 digits for a line, 38 for a sum.
LINE_MAX = 10**19
SUM_MAX = 10**38
# The hash of the namespace: computing it once and copying it for each name is faster.
IDS = sha1(uuid5(NAMESPACE_URL, "urn:falcon:balances").bytes, usedforsecurity=False)
VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


def read_amount(text: str, limit: int) -> tuple[int, int]:
    """Minor units and decimals of an amount. Raises NotWrittenSoError."""
    written = AMOUNT.match(text)
    if written is None:
        raise NotWrittenSoError("an amount does not have the required form")
    whole, fraction = written.groups("")
    minor = int(whole + fraction)
    if abs(minor) >= limit:
        raise NotWrittenSoError("an amount has too many digits")
    return minor, len(fraction)


def lines_of_body(named: re.Match[str], body: bytes) -> list[Item]:
    """What each line of an object adds, after checking all of them. Raises NotWrittenSoError."""
    stage, merchant, day, operation = named.group("stage", "merchant", "day", "operation")
    prefix = f"{operation}|{staged(named)}|{merchant}"
    revised = named["revision"] is not None
    rows = [fields_of(number, row, stage) for number, row in enumerate(rows_of(body), start=2)]
    check_same(rows, revised=revised)
    if stage in {"payout", "adjustment"} and len(rows) > 1:
        raise NotWrittenSoError("line 3: an event of this stage has only one line")
    if rows[0][5] != operation or rows[0][6][:10] != day or not is_date(rows[0][6]):
        raise NotWrittenSoError(
            "line 2: its operation or day differs from the key's, or the day does not exist"
        )
    lines: list[Item] = []
    numbers: dict[tuple[str, str], int] = {}
    for number, fields in enumerate(rows, start=2):
        uuid, amount, currency, kind, shop = (fields[place] for place in (0, 2, 3, 4, 9))
        try:
            minor, decimals = read_amount(amount, LINE_MAX)
        except NotWrittenSoError as error:
            raise NotWrittenSoError(f"line {number}: {error}") from error
        if DECIMALS.get(currency) != decimals:
            raise NotWrittenSoError(
                f"line {number}: unknown currency, or amount does not have its decimals"
            )
        check_sign(number, stage, kind, minor, revised=revised)
        each = shop, kind
        n = numbers.get(each, 0)
        numbers[each] = n + 1
        if uuid != line_uuid(f"{prefix}|{shop}|{kind}|{n}"):
            raise NotWrittenSoError(f"line {number}: uuid is not derived from the line")
        lines.append(((shop, currency, stage, kind), (minor, decimals, 1)))
    return lines


def is_date(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def line_uuid(name: str) -> str:
    """The text of the UUID version 5 (RFC 9562), made without a UUID object, for speed."""
    named = IDS.copy()
    named.update(name.encode())
    text = named.hexdigest()
    variant = VARIANTS[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"
