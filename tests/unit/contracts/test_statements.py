"""Statements as banks and PSPs send them, and everything that can be wrong with one."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.contracts import statements
from falcon_balances.contracts.csv_statements import CsvForm
from falcon_balances.contracts.statement_lines import InvalidStatementError, Statement
from falcon_balances.contracts.statements import read_statement
from falcon_balances.domain.reconciliation import Period, StatementLine

HEAD = "reference,amount,currency,date\n"
DAY = date(2026, 11, 20)
LINE = StatementLine("f.csv:2", ("0012",), None, 100, "EUR", DAY)


def read(text, form=None, name="f.csv"):
    body = text if isinstance(text, bytes) else text.encode()
    return read_statement(name, body, form)


def reads_or_refuses(text):
    try:
        read(text)
    except InvalidStatementError as invalid:
        return bool(invalid.problems)
    return True


def problems(text, form=None):
    with pytest.raises(InvalidStatementError) as caught:
        read(text, form)
    return [f"{each.place}: {each.reason}" for each in caught.value.problems]


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
    assert read(text) == Statement([LINE])


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
        StatementLine("f.csv:2", ("a",), "psp-1", -15, "JPY", DAY),
        StatementLine("f.csv:3", ("b",), "psp-1", 7, "JPY", DAY),
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
    monkeypatch.setattr(statements, "STATEMENT_BYTES_MAX", 1 << 20)
    assert problems(b"a" * (2 << 20)) == ["f.csv: larger than 1 MiB"]


@given(st.one_of(st.text(), st.binary(), st.text().map(lambda rest: HEAD + rest)))
def test_whatever_it_is_it_is_read_or_refused(text):
    body = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    assert reads_or_refuses(body)


# camt.053


def entry(amount="1.00", sign="CRDT", details="", status="<Sts><Cd>BOOK</Cd></Sts>", more=""):
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{status}'
        f"<BookgDt><Dt>2026-11-20</Dt></BookgDt>{more}<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def transaction(reference="0012", amount=None, currency="EUR"):
    amounts = "" if amount is None else f'<Amt Ccy="{currency}">{amount}</Amt>'
    return f"<TxDtls><Refs><EndToEndId>{reference}</EndToEndId></Refs>{amounts}</TxDtls>"


def balance(kind, amount, sign="CRDT"):
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp>"
        f'<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd></Bal>'
    )


PERIOD = (
    "<FrToDt><FrDtTm>2026-11-20T00:00:00Z</FrDtTm><ToDtTm>2026-11-20T23:59:59Z</ToDtTm></FrToDt>"
)


def camt(*entries, head=PERIOD, version="08"):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}">'
        f"<BkToCstmrStmt><Stmt>{head}{''.join(entries)}</Stmt></BkToCstmrStmt></Document>"
    )


@pytest.mark.parametrize("version", ["02", "08", "13"])
def test_a_bank_s_statement_is_its_booked_entries(version):
    text = camt(
        entry(details=transaction()),
        entry("5.00", "DBIT", transaction("p-1"), status="<Sts>BOOK</Sts>"),
        entry("9.00", status="<Sts>PDNG</Sts>"),
        version=version,
    )
    assert read(text) == Statement(
        [
            StatementLine("f.csv, statement 1, entry 1", ("0012",), None, 100, "EUR", DAY),
            StatementLine("f.csv, statement 1, entry 2", ("p-1",), None, -500, "EUR", DAY),
        ],
        Period(DAY, date(2026, 11, 21)),
        pending=1,
    )


def test_an_entry_of_several_transactions_is_several_lines():
    many = transaction("a", "1.00") + transaction("NOTPROVIDED", "2.00")
    more = "<AcctSvcrRef>bank-1</AcctSvcrRef>"
    lines = read(camt(entry("3.00", details=many, more=more))).lines
    assert [(line.references, line.minor) for line in lines] == [
        (("a", "bank-1"), 100),
        (("bank-1",), 200),
    ]
    assert lines[1].place == "f.csv, statement 1, entry 1, transaction 2"


def test_references_are_tried_in_the_order_in_which_they_are_likely():
    details = (
        "<TxDtls><Refs><TxId>tx</TxId><EndToEndId>e2e</EndToEndId></Refs>"
        "<RmtInf><Ustrd>free text</Ustrd><Strd><CdtrRefInf><Ref>rf</Ref></CdtrRefInf></Strd>"
        "</RmtInf></TxDtls>"
    )
    (line,) = read(camt(entry(details=details, more="<NtryRef>n</NtryRef>"))).lines
    assert line.references == ("e2e", "rf", "free text", "tx", "n")


def test_balances_that_the_entries_do_not_lead_to_show_that_one_is_missing():
    opening, closing = balance("OPBD", "10.00"), balance("CLBD", "8.00")
    entries = entry("3.00"), entry("5.00", "DBIT")
    assert read(camt(*entries, head=opening + closing)).lines
    (problem,) = problems(camt(entries[0], head=opening + closing))
    assert problem.endswith("its entries do not lead from the opening to the closing balance")
    overdrawn = balance("PRCD", "1.00", "DBIT") + balance("CLBD", "2.00")
    assert read(camt(entry("3.00"), head=overdrawn)).lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<", "f.csv: not XML"),
        ("<a/>", "f.csv: XML, but not camt.053"),
        ('<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.03"/>', "not camt.053"),
        ('<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>', "no statement"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "not XML"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', "not XML"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        (camt(entry("1,00")), "entry 1: Amt: must be an amount"),
        (camt(entry("-1.00")), "entry 1: Amt: must not have a sign"),
        (camt(entry(sign="")), "entry 1: CdtDbtInd: must be CRDT or DBIT"),
        (camt(entry(status="")), "entry 1: Sts: must be"),
        (camt(entry().replace("EUR", "EURO")), "entry 1: currency"),
        (camt(entry().replace("2026-11-20", "2026-13-20")), "entry 1: BookgDt"),
        (camt(entry().replace("<Amt", "<Amount").replace("</Amt", "</Amount")), "Amt: missing"),
        (camt("<Ntry/>"), "entry 1: Sts"),
        (camt(entry("3.00", details=transaction("a", "1.00") * 2)), "do not add up"),
        (camt(entry("3.00", details=transaction("a") * 2)), "entry 1: Amt: missing"),
        (camt(entry("2.00", details=transaction("a", "1.00", "USD") * 2)), "its currency differs"),
        (
            camt(entry(details=transaction("a" * 201))),
            "EndToEndId: must have at most 200 characters",
        ),
        (camt(head="<FrToDt><FrDtTm>yesterday</FrDtTm></FrToDt>"), "statement 1: FrToDt"),
    ],
)
def test_a_bank_s_statement_that_is_wrong_is_named(text, said):
    (problem,) = problems(text)
    assert said in problem


def test_every_wrong_entry_is_named():
    found = problems(camt(entry("x"), entry(), entry("y")))
    assert [each.partition(": ")[0] for each in found] == [
        "f.csv, statement 1, entry 1",
        "f.csv, statement 1, entry 3",
    ]


def test_an_entity_bomb_and_endless_nesting_are_refused():
    bomb = "<!DOCTYPE a [" + '<!ENTITY a "aaaaaaaaaa">' + "]><a>&a;</a>"
    assert "document type" in problems(bomb)[0]
    problems("<a>" * 200_000)
    problems("<a>" * 200_000 + "</a>" * 200_000)


@given(
    st.lists(
        st.sampled_from(
            [
                *("<Ntry>", "</Ntry>", "<Amt Ccy='EUR'>1</Amt>", "<CdtDbtInd>CRDT</CdtDbtInd>"),
                *("<Sts>BOOK</Sts>", "<BookgDt>", "<Dt>2026-11-20</Dt>", "</BookgDt>", "<TxDtls>"),
                *("</TxDtls>", "<NtryDtls>", "</NtryDtls>", "x", "<Bal/>", "&amp;", "<!--", "-->"),
            ]
        ),
        max_size=20,
    )
)
@settings(max_examples=200)
def test_whatever_a_bank_sends_is_read_or_refused(pieces):
    assert reads_or_refuses(camt("".join(pieces)))
