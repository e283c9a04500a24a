"""The transaction log's bytes (design §6): keys and CSV bodies, the same for the same segment."""

import re
from datetime import datetime
from typing import Final

from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import BalanceOperation, OperationType, Segment, Stage

COLUMNS: Final = (
    "uuid",
    "external_reference",
    "amount",
    "currency",
    "type",
    "falcon_operation_id",
    "operation_date",
    "local_merchant_id",
    "shop_id",
    "balance_shop_id",
    "psp_id",
)
HEADER: Final = ",".join(COLUMNS)
# Fifteen digits before the point, as an event has them, and room for what fees add to them.
AMOUNT_DIGITS_MAX: Final = 19
_AMOUNT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_KEY = re.compile(
    r"(?P<stage>confirmed|reconciled|payout|adjustment)/"
    r"merchant_id=(?P<merchant_id>[A-Za-z0-9][A-Za-z0-9._:-]{0,63})/"
    r"date=[0-9]{4}-[0-9]{2}-[0-9]{2}/[0-9a-f-]{36}"
    r"(\.(?P<part>[0-9]{1,4})-of-(?P<parts>[0-9]{1,4}))?\.csv\Z"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")


def log_key(segment: Segment) -> str:
    """`{stage}/merchant_id=…/date=…/{operation_id}.csv`, numbered if merchants are many."""
    part = f".{segment.part}-of-{segment.parts}" if segment.parts > 1 else ""
    day = rfc3339(segment.booked_at)[:10]
    return (
        f"{segment.stage}/merchant_id={segment.merchant_id}/date={day}/"
        f"{segment.falcon_operation_id}{part}.csv"
    )


def csv_body(segment: Segment) -> str:
    """UTF-8, LF, a header, a line per BalanceOperation. No field can hold a comma or a quote."""
    rows = [HEADER]
    rows += [
        ",".join(
            (
                line.uuid,
                line.external_reference,
                str(line.amount),
                line.amount.currency.code,
                line.type,
                line.falcon_operation_id,
                rfc3339(line.operation_date),
                line.local_merchant_id,
                line.shop_id,
                line.balance_shop_id,
                line.psp_id,
            )
        )
        for line in segment.lines
    ]
    return "\n".join(rows) + "\n"


def parse_csv_body(body: str) -> tuple[BalanceOperation, ...]:
    """Read what `csv_body` wrote, and nothing else: raises ValueError naming the line.

    An amount's decimals say the exponent, for amounts are at full scale.
    """
    header, *rows = body.removesuffix("\n").split("\n")
    if header != HEADER or not rows or not body.endswith("\n"):
        raise ValueError("header or line end missing")
    return tuple(_parse_row(number, row) for number, row in enumerate(rows, start=2))


def _parse_row(number: int, row: str) -> BalanceOperation:
    fields = row.split(",")
    if len(fields) != len(COLUMNS):
        raise ValueError(f"line {number}: {len(fields)} columns")
    uuid, reference, amount, currency, kind, operation_id, date, merchant, shop, balance, psp = (
        fields
    )
    if not _AMOUNT.match(amount) or not _DATE.match(date):
        raise ValueError(f"line {number}: amount or operation_date")
    whole, _, fraction = amount.partition(".")
    if len(whole + fraction) > AMOUNT_DIGITS_MAX + amount.startswith("-"):
        raise ValueError(f"line {number}: an amount of more than {AMOUNT_DIGITS_MAX} digits")
    return BalanceOperation(
        uuid=uuid,
        external_reference=reference,
        amount=Money(int(whole + fraction), Currency(currency, len(fraction))),
        type=OperationType(kind),
        falcon_operation_id=operation_id,
        operation_date=datetime.fromisoformat(date),
        local_merchant_id=merchant,
        shop_id=shop,
        balance_shop_id=balance,
        psp_id=psp,
    )


def logged_segment(key: str, body: str) -> Segment:
    """What an object of the log says; raises ValueError unless its key is the one of its lines."""
    parsed = _KEY.match(key)
    if parsed is None:
        raise ValueError("no key of the log")
    segment = Segment(
        Stage(parsed["stage"]),
        parsed["merchant_id"],
        int(parsed["part"] or 1),
        int(parsed["parts"] or 1),
        parse_csv_body(body),
    )
    if log_key(segment) != key or segment.part > segment.parts:
        raise ValueError("the key does not say what its lines say")
    for number, line in enumerate(segment.lines, start=2):
        if line.falcon_operation_id != segment.falcon_operation_id:
            raise ValueError(f"line {number}: another operation than its key's")
        if line.operation_date.date() != segment.booked_at.date():
            raise ValueError(f"line {number}: another day than its key's")
    return segment


def merchant_of(key: str) -> str | None:
    """Whose log object a key is; None for what is no key of the log."""
    parsed = _KEY.match(key)
    return None if parsed is None else parsed["merchant_id"]


def expected_uuids(
    stage: Stage, merchant_id: str, lines: tuple[BalanceOperation, ...]
) -> list[str]:
    """The uuids that lines of one segment must bear: derived again from what they say."""
    seen: dict[tuple[str, OperationType], int] = {}
    expected = []
    for line in lines:
        kind = (line.balance_shop_id, line.type)
        n = seen.get(kind, 0)
        seen[kind] = n + 1
        expected.append(
            balance_operation_uuid(line.falcon_operation_id, stage, merchant_id, *kind, n)
        )
    return expected
