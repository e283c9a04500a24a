"""Bank statements as CSV, and everything that can be wrong with one."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from falcon_balances.contracts import bank_statements
from falcon_balances.contracts.bank_statement_lines import BankStatement
from falcon_balances.contracts.bank_statements_csv import CsvForm
from falcon_balances.domain.bank_statement_lines import BankStatementLine
from tests.unit.contracts.bank_files import problems, read, reads_or_refuses

HEAD = "reference,amount,currency,date\n"
DAY = date(2026, 11, 20)
LINE = BankStatementLine("f.csv:2", ("0012",), None, 100, "EUR", DAY)


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "0012,1.00,EUR,2026-11-20\n",
        HEAD + "0012,1.00,EUR,2026-11-20",
        HEAD + "0012,1,EUR,2026-11-20\n",
        HEAD + "0012,+1.0,EUR,2026-11-20\n",
        HEAD + ' 0012 ,"1.00",EUR,2026-11-20\n\n',
        "\ufeff" + HEAD + "0012,1.00,EUR,2026-11-20\n",
        (HEAD + "0012,1.00,EUR,2026-11-20\n").replace("\n", "\r\n"),
        HEAD + "0012,1.00,EUR,2026-11-20T23:59:59Z\n",
        HEAD + "0012,1.00,EUR,2026-11-21T01:30:00+02:00\n",
        HEAD + "0012,1.00,EUR,2026-11-20 23:30:00\n",
        "note,date,currency,amount,reference\nx y,2026-11-20,EUR,1.00,0012\n",
    ],
)
def test_one_line_in_many_forms(text):
    assert read(text) == BankStatement([LINE])


@pytest.mark.parametrize("reference", ["0012", "NA", "1e5", "null", "-", "=1+1", "1.0", "Ünïcode"])
def test_references_stay_the_texts_that_they_are(reference):
    (line,) = read(f"{HEAD}{reference},1.00,EUR,2026-11-20\n").lines
    assert line.references == (reference,)


def test_a_line_without_a_reference_is_one_that_nothing_of_ours_can_match():
    (line,) = read(f"{HEAD},1.00,EUR,2026-11-20\n").lines
    assert line.references == ()


def test_columns_by_other_names_a_currency_for_all_and_another_delimiter():
    form = CsvForm({"reference": "Merchant Ref", "date": "Booked"}, "JPY", ";")
    text = (
        "Booked;Merchant Ref;credit;debit;psp_id\n2026-11-20;a;;15;psp-1\n2026-11-20;b;7;;psp-1\n"
    )
    assert read(text, form).lines == [
        BankStatementLine("f.csv:2", ("a",), "psp-1", -15, "JPY", DAY),
        BankStatementLine("f.csv:3", ("b",), "psp-1", 7, "JPY", DAY),
    ]


def test_a_line_may_say_whose_payout_it_is():
    text = f"{HEAD.strip()},merchant_id\np-1,1.00,EUR,2026-11-20,m-1\np-1,2.00,EUR,2026-11-20,\n"
    assert [each.merchant_id for each in read(text).lines] == ["m-1", None]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,1.005,EUR,2026-11-20", "amount: must have at most 2 decimals"),
        ("a,1.5,JPY,2026-11-20", "amount: must have at most 0 decimals"),
        *(
            (f"a,{amount},EUR,2026-11-20", "amount: must be an amount such as 1234.50 or -1234.50")
            for amount in [
                *("", "1e5", "NaN", "--1", "1.", ".5", "01.00", "1 000.00", "(1.00)", "1.00-"),
                *("0x10", "\u0661", "\u22121.00", "1" * 16, "1.00 EUR", "€1"),
            ]
        ),
        ('a,"1,00",EUR,2026-11-20', "amount: must be an amount such as 1234.50 or -1234.50"),
        ("a,1.00,EURO,2026-11-20", "currency: must be an ISO 4217 code, such as EUR"),
        ("a,1.00,eur,2026-11-20", "currency: must be an ISO 4217 code, such as EUR"),
        ("a,1.00,,2026-11-20", "currency: must be an ISO 4217 code, such as EUR"),
        *(
            (f"a,1.00,EUR,{day}", "date: must be a date such as 2026-11-20, or RFC 3339")
            for day in ["", "20.11.2026", "2026-02-30", "2026-11-20T25:00:00Z", "20261120", "NaT"]
        ),
        ("a,1.00,EUR", "must have 4 columns, has 3"),
        ("a,1.00,EUR,2026-11-20,more", "must have 4 columns, has 5"),
        (f"{'a' * 201},1.00,EUR,2026-11-20", "reference: must have at most 200 characters"),
        ("a\x1b[31m,1.00,EUR,2026-11-20", "reference: must not contain invisible characters"),
        ("a\u202eb,1.00,EUR,2026-11-20", "reference: must not contain invisible characters"),
        ("a\x00,1.00,EUR,2026-11-20", "reference: must not contain invisible characters"),
    ],
)
def test_a_line_that_is_wrong_is_named_and_its_text_is_not_repeated(row, said):
    good = "b,1.00,EUR,2026-11-20"
    assert problems(f"{HEAD}{good}\n{row}\n{good}\n") == [f"f.csv:3: {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column for reference, date, currency, amount (or credit and debit)"),
        ("a;b\n", "no column for reference"),
        (
            "reference;amount;currency;date\na;1.00;EUR;2026-11-20\n",
            "check its name and the delimiter",
        ),
        ("reference,date,currency,credit\n", "no column for amount (or credit and debit)"),
        ("reference,date,currency,amount,credit\n", "give either amount, or credit and debit"),
        ("reference,date,currency,amount,amount\n", "two columns are given for amount"),
        (HEAD.encode("utf-16"), "not UTF-8"),
        ((HEAD + "ä,1.00,EUR,2026-11-20\n").encode("latin-1"), "f.csv:2: not UTF-8"),
        (HEAD + 'a,"1.00,EUR,2026-11-20\n', "not CSV"),
        (HEAD + '"a"b,1.00,EUR,2026-11-20\n', "not CSV"),
        (HEAD + "a" * 200_000, "not CSV"),
        ("reference,date,currency,credit,debit\na,2026-11-20,EUR,1.00,1.00\n", "one of them"),
        ("reference,date,currency,credit,debit\na,2026-11-20,EUR,,\n", "one of them"),
        ("reference,date,currency,credit,debit\na,2026-11-20,EUR,-1.00,\n", "must not have a sign"),
    ],
)
def test_a_file_that_is_wrong_is_named(text, said):
    (problem,) = problems(text)
    assert problem.startswith("f.csv:")
    assert said in problem


def test_a_file_of_nothing_but_wrong_lines_ends_after_a_hundred():
    assert len(problems(HEAD + "a,b,c,d\n" * 5000)) == 100


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(bank_statements, "BANK_STATEMENT_BYTES_MAX", 1 << 20)
    assert problems(b"a" * (2 << 20)) == ["f.csv: larger than 1 MiB"]


@given(st.one_of(st.text(), st.binary(), st.text().map(lambda rest: HEAD + rest)))
def test_whatever_it_is_it_is_read_or_refused(text):
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    assert reads_or_refuses(body)
