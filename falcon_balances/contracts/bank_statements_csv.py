"""Reads a bank statement in CSV: named columns, a line for each movement, as PSPs offer it."""

import csv
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from typing import Final

from falcon_balances.contracts.bank_statement_lines import (
    PROBLEMS_MAX,
    BankStatement,
    BankStatementFlaw,
    InvalidBankStatementError,
    amount_of,
    currency_of,
    day_of,
    invalid,
    reference_of,
)
from falcon_balances.domain.bank_statement_lines import BankStatementLine
from falcon_balances.domain.money import Currency

REQUIRED: Final = ("reference", "date")
COLUMNS: Final = (*REQUIRED, "amount", "credit", "debit", "currency", "psp_id", "merchant_id")


@dataclass(frozen=True, slots=True)
class CsvForm:
    """`names`: the file's names of our columns; columns that have our own names are left out."""

    names: Mapping[str, str] = field(default_factory=dict)
    currency: str | None = None
    delimiter: str = ","

    def name(self, column: str) -> str:
        return self.names.get(column, column)


def read_csv(name: str, body: bytes, form: CsvForm) -> BankStatement:
    """The bank statement in a CSV file. Raises InvalidBankStatementError."""
    return _Csv(name, body, form).read()


class _Csv:
    def __init__(self, name: str, body: bytes, form: CsvForm) -> None:
        self._name = name
        self._body = body
        self._form = form
        self._problems: list[BankStatementFlaw] = []

    def read(self) -> BankStatement:
        # The CSV reader finds line ends itself; other line breaks of Unicode stay in their field.
        text = StringIO(self._decoded(), newline="")
        rows = csv.reader(text, delimiter=self._form.delimiter, strict=True)
        lines: list[BankStatementLine] = []
        try:
            header = [each.strip() for each in next(rows, [])]
            columns = self._columns(header)
            for row in rows:
                if row and len(self._problems) < PROBLEMS_MAX:
                    self._add(f"{self._name}:{rows.line_num}", header, columns, row, lines)
        except csv.Error as error:
            raise invalid(f"{self._name}:{rows.line_num}", f"not CSV: {error}") from error
        if self._problems:
            raise InvalidBankStatementError(self._problems)
        return BankStatement(lines)

    def _decoded(self) -> str:
        try:
            return self._body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            number = self._body.count(b"\n", 0, error.start) + 1
            raise invalid(f"{self._name}:{number}", "not UTF-8: save it as UTF-8") from error

    def _columns(self, header: Sequence[str]) -> dict[str, int]:
        """The position of each of our columns; other columns are ignored."""
        names = {column: self._form.name(column) for column in COLUMNS}
        for column, name in names.items():
            if header.count(name) > 1:
                raise invalid(f"{self._name}:1", f"two columns are given for {column}")
        found = {column: header.index(name) for column, name in names.items() if name in header}
        if "amount" in found and {"credit", "debit"} & found.keys():
            raise invalid(f"{self._name}:1", "give either amount, or credit and debit")
        if missing := self._missing(found.keys()):
            raise invalid(
                f"{self._name}:1",
                f"no column for {', '.join(missing)}: check its name and the delimiter",
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
        lines: list[BankStatementLine],
    ) -> None:
        if len(row) != len(header):
            self._problems.append(
                BankStatementFlaw(place, f"must have {len(header)} columns, has {len(row)}")
            )
            return
        fields = {column: row[at].strip() for column, at in columns.items()}
        try:
            lines.append(self._line(place, fields))
        except ValueError as error:
            self._problems.append(BankStatementFlaw(place, str(error)))

    def _line(self, place: str, fields: Mapping[str, str]) -> BankStatementLine:
        currency = currency_of(fields.get("currency", self._form.currency or ""))
        reference = reference_of(fields["reference"], "reference")
        psp_id, merchant_id = fields.get("psp_id"), fields.get("merchant_id")
        return BankStatementLine(
            place,
            (reference,) if reference else (),
            None if psp_id is None else reference_of(psp_id, "psp_id"),
            _minor(fields, currency),
            currency.code,
            day_of(fields["date"], "date"),
            reference_of(merchant_id, "merchant_id") if merchant_id else None,
        )


def _minor(fields: Mapping[str, str], currency: Currency) -> int:
    if "amount" in fields:
        return amount_of(fields["amount"], "amount", currency)
    sides = [name for name in ("credit", "debit") if fields[name]]
    if len(sides) != 1:
        raise ValueError("credit, debit: give exactly one of them")
    minor = amount_of(fields[sides[0]], sides[0], currency)
    if minor < 0:
        raise ValueError(f"{sides[0]}: must not have a sign: the column gives it")
    return minor if sides[0] == "credit" else -minor
