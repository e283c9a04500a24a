"""One object of the log, looked at closely: is it, byte for byte, what the log's writer writes?"""

import re
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.log_format import csv_body, logged_segment
from falcon_balances.domain.operations import TYPES_BY_STAGE, BalanceOperation, Segment, Stage

T = TypeVar("T")

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
# Fields are made of what ids are made of (design §4), and so are amounts and dates.
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9._:,-]")
_NO_ID: Final = re.compile(r"[^A-Za-z0-9]")


class FlawedObjectError(ValueError):
    """Says the line, where there is one, and what is wrong; never what the line holds."""


def read_strictly(key: str, body: bytes) -> Segment:
    """The segment, only if writing it again gives the same key and the same bytes.

    Raises FlawedObjectError.
    """
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError as error:
        number = body.count(b"\n", 0, error.start) + 1
        raise FlawedObjectError(f"line {number}: a character that no field has") from error
    rows = text.removesuffix("\n").split("\n")
    _check(1, rows, lambda row: _FOREIGN.search(row) and "a character that no field has")
    try:
        segment = logged_segment(key, text)
    except ValueError as error:
        raise FlawedObjectError(str(error)) from error
    _check(2, segment.lines, lambda line: _flaw(segment.stage, line))
    again = csv_body(segment).split("\n")
    pairs = zip(rows, again, strict=False)
    _check(1, pairs, lambda pair: pair[0] != pair[1] and "written in another way")
    return segment


def _check(first: int, things: Iterable[T], flaw_of: Callable[[T], object]) -> None:
    for number, thing in enumerate(things, start=first):
        if flaw := flaw_of(thing):
            raise FlawedObjectError(f"line {number}: {flaw}")


def _flaw(stage: Stage, line: BalanceOperation) -> str | None:
    if line.type not in TYPES_BY_STAGE[stage]:
        return "a type that its stage does not have"
    ids = (line.external_reference, line.local_merchant_id, line.shop_id, line.balance_shop_id)
    if any(_NO_ID.match(each) for each in (*ids, line.psp_id)):
        return "an id that begins with neither letter nor digit"
    currency = written_currency(line.amount.currency.code)
    if currency is None:
        return "a currency that there is not"
    if currency != line.amount.currency:
        return "an amount that is not at its currency's full scale"
    return None if _UUID.match(line.uuid) else "uuid"
