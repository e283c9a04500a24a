"""The bytes of log objects (design §6): CSV bodies, the same for the same segment."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from falcon_balances.domain.identity import balance_operation_uuid
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_grammar import (
    AMOUNT_DIGITS_MAX,
    COLUMNS,
    FIELDS,
    HEADER,
    LINES_MAX,
    SAME_IN_A_FIRST_REVISION,
    SAME_IN_AN_OBJECT,
)
from falcon_balances.domain.log_keys import LogKey
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import (
    PSP_STAGES,
    SIGN_BY_TYPE,
    TYPES_BY_STAGE,
    BalanceOperation,
    OperationType,
    Segment,
    Stage,
)

# One pattern for a whole row: nearly every row is right and is matched once.
_ROWS: Final = {
    kind: re.compile(",".join(f"(?:{pattern})" for pattern in fields.values()))
    for kind, fields in FIELDS.items()
}
_TYPES: Final[dict[str, OperationType]] = {each.value: each for each in OperationType}
_TYPE: Final = COLUMNS.index("type")
_MINOR_END: Final = 10**AMOUNT_DIGITS_MAX


def csv_body(segment: Segment) -> str:
    """The body: UTF-8, LF, a header, one line per BalanceOperation. No field can contain a comma or
    a quote.
    """
    return body_of_rows(",".join(fields_of(line)) for line in segment.lines)


def body_of_rows(rows: Iterable[str]) -> str:
    return "\n".join((HEADER, *rows)) + "\n"


def fields_of(line: BalanceOperation) -> tuple[str, ...]:
    """The fields of a line, in the order of COLUMNS."""
    return (
        line.uuid,
        line.external_reference,
        str(line.amount),
        line.amount.currency.code,
        line.type.value,
        line.falcon_operation_id,
        rfc3339(line.operation_date),
        line.local_merchant_id,
        line.shop_id,
        line.balance_shop_id,
        line.psp_id,
        line.original_reference,
        str(line.occurrence) if line.occurrence > 1 else "",
        line.bank_reference,
        line.reason_code,
        line.requested_by,
    )


def parse_csv_body(body: str) -> tuple[BalanceOperation, ...]:
    """The lines of a body of `csv_body`. Raises ValueError, naming the line, for anything else.

    An amount's decimals give the currency's exponent, because amounts are at full scale.
    """
    return tuple(_parse_row(number, row, tuple(Stage)) for number, row in rows_of(body))


def rows_of(body: str) -> list[tuple[int, str]]:
    """The rows without the header, each with its line number. Raises ValueError."""
    header, *rows = body.removesuffix("\n").split("\n")
    if header != HEADER or not rows or not body.endswith("\n"):
        raise ValueError("the header or the final line end is missing")
    if len(rows) > LINES_MAX:
        raise ValueError(f"more than {LINES_MAX} lines")
    return list(enumerate(rows, start=2))


def _parse_row(number: int, row: str, stages: Sequence[Stage]) -> BalanceOperation:
    fields = row.split(",")
    if len(fields) != len(COLUMNS):
        raise ValueError(f"line {number}: must have {len(COLUMNS)} columns, has {len(fields)}")
    line_type = _TYPES.get(fields[_TYPE])
    if line_type is None:
        raise ValueError(f"line {number}: unknown type")
    known = [stage for stage in stages if line_type in TYPES_BY_STAGE[stage]]
    if not known:
        raise ValueError(f"line {number}: type does not exist in this stage")
    if not any(_ROWS[stage, line_type].fullmatch(row) for stage in known):
        raise ValueError(f"line {number}: {_wrong_field(fields, FIELDS[known[-1], line_type])}")
    try:
        return line_of(fields, line_type)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error


def _wrong_field(fields: Sequence[str], patterns: Mapping[str, str]) -> str:
    named = zip(patterns.items(), fields, strict=True)
    wrong = next(name for (name, pattern), text in named if not re.fullmatch(pattern, text))
    return f"{wrong} does not match its required format"


def line_of(fields: Sequence[str], line_type: OperationType) -> BalanceOperation:
    """The line made of fields that match the grammar. Raises ValueError for a day that does not
    exist, and for an amount that is zero or has too many digits.
    """
    amount = fields[2]
    whole, _, fraction = amount.partition(".")
    minor = int(whole + fraction)
    if not 0 < abs(minor) < _MINOR_END:
        raise ValueError(f"amount is zero, or has more than {AMOUNT_DIGITS_MAX} digits")
    return BalanceOperation(
        uuid=fields[0],
        external_reference=fields[1],
        amount=Money(minor, Currency(fields[3], len(fraction))),
        type=line_type,
        falcon_operation_id=fields[5],
        operation_date=datetime.fromisoformat(fields[6]),
        local_merchant_id=fields[7],
        shop_id=fields[8],
        balance_shop_id=fields[9],
        psp_id=fields[10],
        original_reference=fields[11],
        occurrence=int(fields[12] or 1),
        bank_reference=fields[13],
        reason_code=fields[14],
        requested_by=fields[15],
    )


def logged_segment(key: str, body: str) -> Segment:
    """The segment of a log object. Raises ValueError unless key and body match the grammar.

    One rule is not checked here: that amounts are at their currency's full scale. It needs the
    currencies (`contracts/log_objects.py`).
    """
    named = LogKey.parse(key)
    segment = Segment(
        named.stage,
        named.merchant_id,
        named.part,
        named.parts,
        tuple(_parse_row(number, row, (named.stage,)) for number, row in rows_of(body)),
        revision=named.revision,
    )
    if LogKey.of(segment) != named:
        raise ValueError("line 2: its operation or day differs from the key's")
    _check_lines(segment)
    return segment


def _check_lines(segment: Segment) -> None:
    """Checks the rules between lines, and between lines and key."""
    first, *_ = segment.lines
    if segment.stage not in PSP_STAGES and len(segment.lines) > 1:
        raise ValueError("line 3: an event of this stage has only one line")
    is_first_revision = segment.revision == 1
    same = SAME_IN_AN_OBJECT + (SAME_IN_A_FIRST_REVISION if is_first_revision else ())
    uuids = expected_uuids(segment.staged, segment.merchant_id, segment.lines)
    for number, (line, uuid) in enumerate(zip(segment.lines, uuids, strict=True), start=2):
        for name in same:
            if _said(line, name) != _said(first, name):
                raise ValueError(f"line {number}: {name} differs from line 2")
        if is_first_revision and line.amount.minor * SIGN_BY_TYPE[line.type] < 0:
            raise ValueError(f"line {number}: amount has the wrong sign for its type")
        if line.uuid != uuid:
            raise ValueError(f"line {number}: uuid is not derived from the line")


def _said(line: BalanceOperation, name: str) -> object:
    """The value of a field; for `currency` only the code, as decimals are checked separately."""
    return line.currency.code if name == "currency" else getattr(line, name)


def expected_uuids(stage: str, merchant_id: str, lines: Sequence[BalanceOperation]) -> list[str]:
    """The uuids that the lines of one segment must have, derived from the lines.

    `stage` includes the revision, as `staged` writes it.
    """
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
