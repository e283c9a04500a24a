"""Statements of banks and PSPs: a CSV with named columns, or camt.053 (ISO 20022).

A statement is read whole or not at all: what has one line that cannot be understood would make
others look missing. Every line that is wrong is named by its place.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from io import StringIO
from itertools import islice
from typing import Final, NamedTuple

from falcon_balances.contracts.currencies import find_currency, written_currency
from falcon_balances.domain.errors import RejectedOperation
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.money import Currency, minor_units
from falcon_balances.domain.reconciliation import Period, StatementLine

STATEMENT_BYTES_MAX: Final = 64 << 20
REFERENCE_LENGTH_MAX: Final = 200
_PROBLEMS_MAX: Final = 100
_AMOUNT = re.compile(r"[+-]?(0|[1-9][0-9]{0,14})(\.[0-9]+)?\Z")
# A local time without its offset: the day is as good as any, for dates are never exact.
_LOCAL_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})([T ][0-9:.]{5,15})?\Z")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
REQUIRED: Final = ("reference", "date")
COLUMNS: Final = (*REQUIRED, "amount", "credit", "debit", "currency", "psp_id")


class Problem(NamedTuple):
    place: str
    reason: str


class InvalidStatementError(ValueError):
    """Nothing of the statement was taken. Reasons name fields, never what they hold."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{place}: {reason}" for place, reason in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Statement:
    """`period`: what it says of itself. `pending`: entries that are not booked yet, left out."""

    lines: Sequence[StatementLine]
    period: Period = field(default_factory=Period)
    pending: int = 0


@dataclass(frozen=True, slots=True)
class CsvForm:
    """`names`: how the file calls our columns, where it calls them otherwise."""

    names: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    delimiter: str = ","

    def name(self, column: str) -> str:
        return self.names.get(column, column)


def read_statement(name: str, body: bytes, form: CsvForm | None = None) -> Statement:
    """`name`: what places are called by. Raises InvalidStatementError."""
    if len(body) > STATEMENT_BYTES_MAX:
        raise invalid(name, f"larger than {STATEMENT_BYTES_MAX >> 20} MiB")
    if body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        from falcon_balances.contracts.camt053 import read_camt053  # noqa: PLC0415 - seldom needed

        return read_camt053(name, body)
    return _Csv(name, body, form or CsvForm()).read()


def invalid(place: str, reason: str) -> InvalidStatementError:
    return InvalidStatementError([Problem(place, reason)])


def named_problems(problems: Iterator[Problem]) -> None:
    """Raises InvalidStatementError where there is any; the first hundred of them."""
    if found := list(islice(problems, _PROBLEMS_MAX)):
        raise InvalidStatementError(found)


class _Csv:
    def __init__(self, name: str, body: bytes, form: CsvForm) -> None:
        self._name = name
        self._body = body
        self._form = form
        self._problems: list[Problem] = []

    def read(self) -> Statement:
        # Line ends are CSV's own business: what else Unicode takes for one stays in its field.
        text = StringIO(self._decoded(), newline="")
        rows = csv.reader(text, delimiter=self._form.delimiter, strict=True)
        lines: list[StatementLine] = []
        try:
            header = [each.strip() for each in next(rows, [])]
            columns = self._columns(header)
            for row in rows:
                if row and len(self._problems) < _PROBLEMS_MAX:
                    self._add(f"{self._name}:{rows.line_num}", header, columns, row, lines)
        except csv.Error as error:
            raise invalid(f"{self._name}:{rows.line_num}", f"not CSV: {error}") from error
        if self._problems:
            raise InvalidStatementError(self._problems)
        return Statement(lines)

    def _decoded(self) -> str:
        try:
            return self._body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            number = self._body.count(b"\n", 0, error.start) + 1
            raise invalid(f"{self._name}:{number}", "not UTF-8: save it as UTF-8") from error

    def _columns(self, header: Sequence[str]) -> dict[str, int]:
        """Which of ours is where. Others are not looked at."""
        names = {column: self._form.name(column) for column in COLUMNS}
        for column, name in names.items():
            if header.count(name) > 1:
                raise invalid(f"{self._name}:1", f"the column for {column} is there twice")
        found = {column: header.index(name) for column, name in names.items() if name in header}
        if "amount" in found and {"credit", "debit"} & found.keys():
            raise invalid(f"{self._name}:1", "amount, or credit and debit: not both")
        if missing := self._missing(found.keys()):
            raise invalid(
                f"{self._name}:1",
                f"no column for {', '.join(missing)}: is its name another, or the delimiter?",
            )
        return found

    def _missing(self, found: Collection[str]) -> list[str]:
        wanted = {*REQUIRED, *self._form.names}
        if self._form.currency is None:
            wanted.add("currency")
        missing: list[str] = [each for each in COLUMNS if each in wanted and each not in found]
        if "amount" not in found and not {"credit", "debit"} <= set(found):
            missing.append("amount (or credit and debit)")
        return missing

    def _add(
        self,
        place: str,
        header: Sequence[str],
        columns: Mapping[str, int],
        row: Sequence[str],
        lines: list[StatementLine],
    ) -> None:
        if len(row) != len(header):
            self._problems.append(Problem(place, f"{len(row)} columns, not {len(header)}"))
            return
        fields = {column: row[at].strip() for column, at in columns.items()}
        try:
            lines.append(self._line(place, fields))
        except ValueError as error:
            self._problems.append(Problem(place, str(error)))

    def _line(self, place: str, fields: Mapping[str, str]) -> StatementLine:
        currency = currency_of(fields.get("currency", self._form.currency or ""))
        reference = reference_of(fields["reference"], "reference")
        psp_id = fields.get("psp_id")
        return StatementLine(
            place,
            (reference,) if reference else (),
            None if psp_id is None else reference_of(psp_id, "psp_id"),
            _minor(fields, currency),
            currency.code,
            day_of(fields["date"], "date"),
        )


def _minor(fields: Mapping[str, str], currency: Currency) -> int:
    if "amount" in fields:
        return amount_of(fields["amount"], "amount", currency)
    sides = [name for name in ("credit", "debit") if fields[name]]
    if len(sides) != 1:
        raise ValueError("credit, debit: one of them, and not both")
    minor = amount_of(fields[sides[0]], sides[0], currency)
    if minor < 0:
        raise ValueError(f"{sides[0]}: the column says the sign, so the amount has none")
    return minor if sides[0] == "credit" else -minor


def amount_of(text: str, name: str, currency: Currency) -> int:
    """Minor units of a signed amount. Raises ValueError, which names the field."""
    if not _AMOUNT.match(text):
        raise ValueError(f"{name}: not an amount such as 1234.50 or -1234.50")
    try:
        minor = minor_units(text.lstrip("+-"), currency.exponent, name)
    except RejectedOperation as rejected:
        raise ValueError(rejected.reason) from rejected
    return -minor if text.startswith("-") else minor


def currency_of(code: str) -> Currency:
    currency = find_currency(code) or written_currency(code)
    if currency is None:
        raise ValueError("currency: no code of ISO 4217, such as EUR")
    return currency


def day_of(text: str, name: str) -> date:
    """A day as it is, an instant in UTC."""
    try:
        if local := _LOCAL_DATE.match(text):
            return date.fromisoformat(local[1])
        return parse_rfc3339(text).date()
    except ValueError:
        raise ValueError(f"{name}: not a date such as 2026-11-20, or RFC 3339") from None


def reference_of(text: str, name: str) -> str:
    if len(text) > REFERENCE_LENGTH_MAX:
        raise ValueError(f"{name}: longer than {REFERENCE_LENGTH_MAX} characters")
    if _UNSEEN.search(text):
        raise ValueError(f"{name}: holds characters that nobody can see")
    return text
