"""Bank statements as camt.053 (ISO 20022), and everything that can be wrong with one."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_balances.contracts.bank_statement_lines import BankStatement
from falcon_balances.domain.bank_statement_lines import BankStatementLine, Period
from tests.unit.contracts.bank_files import problems, read, reads_or_refuses

DAY = date(2026, 11, 20)


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


@pytest.mark.parametrize(
    ("amount", "indicator", "minor"),
    [
        ("1.00", "CRDT", 100),  # the bank credits the company: money in
        ("1.00", "DBIT", -100),  # the bank debits the company: money out
        ("0.00", "DBIT", 0),
    ],
)
def test_camt053_sign_is_that_of_the_credit_debit_indicator(amount, indicator, minor):
    (line,) = read(camt(entry(amount, indicator))).lines
    assert line.minor == minor


def test_camt053_sign_of_a_transaction_without_an_indicator_is_its_entry_s():
    many = transaction("a", "1.00") + transaction("b", "2.00")
    lines = read(camt(entry("3.00", "DBIT", many))).lines
    assert [line.minor for line in lines] == [-100, -200]


@pytest.mark.parametrize("version", ["02", "08", "13"])
def test_a_bank_s_statement_is_its_booked_entries(version):
    text = camt(
        entry(details=transaction()),
        entry("5.00", "DBIT", transaction("p-1"), status="<Sts>BOOK</Sts>"),
        entry("9.00", status="<Sts>PDNG</Sts>"),
        version=version,
    )
    assert read(text) == BankStatement(
        [
            BankStatementLine("f.csv, statement 1, entry 1", ("0012",), None, 100, "EUR", DAY),
            BankStatementLine("f.csv, statement 1, entry 2", ("p-1",), None, -500, "EUR", DAY),
        ],
        Period(DAY, date(2026, 11, 21)),
        pending=1,
    )


def test_an_entry_of_several_transactions_is_several_lines():
    many = transaction("a", "1.00") + transaction("NOTPROVIDED", "2.00")
    more = "<AcctSvcrRef>bank-1</AcctSvcrRef>"
    lines = read(camt(entry("3.00", details=many, more=more))).lines
    assert [(line.references, line.minor) for line in lines] == [
        (("a",), 100),
        (("bank-1",), 200),
    ]
    assert lines[1].place == "f.csv, statement 1, entry 1, transaction 2"


def test_a_reference_of_more_than_a_hundred_lines_does_not_link_them():
    def one(n):
        refs = f"<EndToEndId>e-{n}</EndToEndId><InstrId>day</InstrId>"
        return entry(details=f"<TxDtls><Refs>{refs}</Refs></TxDtls>")

    few = read(camt(*(one(n) for n in range(100)))).lines
    assert {line.references[1:] for line in few} == {("day",)}
    many = read(camt(*(one(n) for n in range(101)), *[entry(details=transaction("x"))] * 101)).lines
    assert [line.references for line in many[:101]] == [(f"e-{n}",) for n in range(101)]
    assert {line.references for line in many[101:]} == {("x",)}


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
