"""Bank statements, from banks and PSPs: a CSV with named columns, or camt.053 (ISO 20022)."""

from typing import Final

from falcon_balances.contracts.bank_statement_lines import BankStatement, invalid
from falcon_balances.contracts.bank_statements_csv import CsvForm, read_csv
from falcon_balances.contracts.camt053 import read_camt053

BANK_STATEMENT_BYTES_MAX: Final = 64 << 20


def read_bank_statement(name: str, body: bytes, form: CsvForm | None = None) -> BankStatement:
    """The bank statement in `body`. Errors call it `name`. Raises InvalidBankStatementError."""
    if len(body) > BANK_STATEMENT_BYTES_MAX:
        raise invalid(name, f"larger than {BANK_STATEMENT_BYTES_MAX >> 20} MiB")
    if body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return read_camt053(name, body)
    return read_csv(name, body, form or CsvForm())
