"""Reads a text as a bank statement, and names what is wrong with it."""

import pytest

from falcon_balances.contracts.bank_statement_lines import InvalidBankStatementError
from falcon_balances.contracts.bank_statements import read_bank_statement


def read(text, form=None, name="f.csv"):
    body = text if isinstance(text, bytes) else text.encode()
    return read_bank_statement(name, body, form)


def reads_or_refuses(text):
    try:
        read(text)
    except InvalidBankStatementError as invalid:
        return bool(invalid.problems)
    return True


def problems(text, form=None):
    with pytest.raises(InvalidBankStatementError) as caught:
        read(text, form)
    return [f"{each.place}: {each.reason}" for each in caught.value.problems]
