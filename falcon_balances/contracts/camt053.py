"""Reads camt.053 (ISO 20022 BankToCustomerStatement): the booked entries of a bank statement.

https://www.iso20022.org/catalogue-messages - any version: the elements that are read exist in all
of them.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

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
from falcon_balances.domain.bank_statement_lines import (
    BankStatementLine,
    Period,
    following,
    spanning,
    without_common_references,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAMESPACE: Final = "{urn:iso:std:iso:20022:tech:xsd:camt.053."
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
# Banks write these where an entry has no reference.
_NO_REFERENCE: Final = {"", "NOTPROVIDED", "NONREF", "NOTGIVEN"}
_REFERENCES: Final = (
    "{*}Refs/{*}EndToEndId",
    "{*}RmtInf/{*}Strd/{*}CdtrRefInf/{*}Ref",
    "{*}RmtInf/{*}Ustrd",
    "{*}Refs/{*}InstrId",
    "{*}Refs/{*}TxId",
    "{*}Refs/{*}AcctSvcrRef",
)
_BOOKED: Final = "BOOK"
_NOT_BOOKED: Final = ("PDNG", "INFO", "FUTR")


def read_camt053(name: str, body: bytes) -> BankStatement:
    """The bank statement in camt.053. Raises InvalidBankStatementError, also if entries do not add
    up to balances, or transactions to their entry.
    """
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except DefusedXmlException as error:
        raise invalid(name, "XML must not have a document type declaration") from error
    except (ParseError, LookupError, ValueError) as error:
        raise invalid(name, f"not XML: {error}") from error
    if not root.tag.startswith(_NAMESPACE):
        raise invalid(name, "XML, but not camt.053")
    lines: list[BankStatementLine] = []
    problems: list[BankStatementFlaw] = []
    periods: list[Period] = []
    pending = 0
    statements = root.findall("{*}BkToCstmrStmt/{*}Stmt")
    if not statements:
        raise invalid(name, "the file holds no statement")
    for number, element in enumerate(statements, start=1):
        one = _Camt053Statement(f"{name}, statement {number}", element)
        problems += one.read()
        lines += one.lines
        pending += one.pending
        periods.append(one.period)
    if problems:
        raise InvalidBankStatementError(problems[:PROBLEMS_MAX])
    return BankStatement(without_common_references(lines), spanning(periods), pending)


class _Camt053Statement:
    def __init__(self, place: str, element: "Element") -> None:
        self._place = place
        self._element = element
        self.lines: list[BankStatementLine] = []
        self.pending = 0
        self.period = Period()

    def read(self) -> Iterator[BankStatementFlaw]:
        try:
            self.period = _period(self._element)
        except ValueError as error:
            yield BankStatementFlaw(self._place, str(error))
        for number, entry in enumerate(self._element.findall("{*}Ntry"), start=1):
            place = f"{self._place}, entry {number}"
            try:
                self._add(place, entry)
            except InvalidBankStatementError as error:
                yield from error.problems
            except ValueError as error:
                yield BankStatementFlaw(place, str(error))
        try:
            self._check_balances()
        except ValueError as error:
            yield BankStatementFlaw(self._place, str(error))

    def _add(self, place: str, entry: "Element") -> None:
        status = _text(entry, "{*}Sts/{*}Cd") or _text(entry, "{*}Sts")
        if status in _NOT_BOOKED:
            self.pending += 1
            return
        if status != _BOOKED:
            raise ValueError("Sts: must be BOOK, PDNG, INFO or FUTR")
        minor, code = _signed(entry, entry.find("{*}Amt"))
        booked = _text(entry, "{*}BookgDt/{*}Dt") or _text(entry, "{*}BookgDt/{*}DtTm")
        day = day_of(booked, "BookgDt")
        of_entry = _references(entry, ("{*}NtryRef", "{*}AcctSvcrRef"))
        details = entry.findall("{*}NtryDtls/{*}TxDtls")
        if len(details) <= 1:
            found = _references(details[0], _REFERENCES) if details else ()
            line = BankStatementLine(place, (*found, *of_entry), None, minor, code, day)
            self.lines.append(line)
            return
        parts = []
        for number, each in enumerate(details, start=1):
            amount = each.find("{*}Amt")
            if amount is None:
                amount = each.find("{*}AmtDtls/{*}TxAmt/{*}Amt")
            part, part_code = _signed(each, amount, entry)
            if part_code != code:
                raise ValueError(f"transaction {number}: its currency differs from its entry's")
            parts.append(
                BankStatementLine(
                    f"{place}, transaction {number}",
                    # The entry's own would make one case of all its transactions.
                    _references(each, _REFERENCES) or of_entry,
                    None,
                    part,
                    code,
                    day,
                )
            )
        if sum(part.minor for part in parts) != minor:
            raise ValueError("its transactions do not add up to its amount")
        self.lines += parts

    def _check_balances(self) -> None:
        """Checks opening balance plus booked entries against the closing balance, so no entry is
        missing.
        """
        found: dict[str, tuple[int, str]] = {}
        for balance in self._element.findall("{*}Bal"):
            kind = _text(balance, "{*}Tp/{*}CdOrPrtry/{*}Cd")
            if kind in ("OPBD", "PRCD", "CLBD"):
                found["closing" if kind == "CLBD" else "opening"] = _signed(
                    balance, balance.find("{*}Amt")
                )
        if len(found) == 2:  # noqa: PLR2004 - both of them
            (opening, code), (closing, _) = found["opening"], found["closing"]
            booked = sum(line.minor for line in self.lines if line.currency == code)
            if opening + booked != closing:
                raise ValueError("its entries do not lead from the opening to the closing balance")


def _period(statement: "Element") -> Period:
    since = _text(statement, "{*}FrToDt/{*}FrDtTm") or _text(statement, "{*}FrToDt/{*}FrDt")
    until = _text(statement, "{*}FrToDt/{*}ToDtTm") or _text(statement, "{*}FrToDt/{*}ToDt")
    return Period(
        day_of(since, "FrToDt") if since else None,
        following(day_of(until, "FrToDt")) if until else None,
    )


def _signed(
    element: "Element", amount: "Element | None", entry: "Element | None" = None
) -> tuple[int, str]:
    if amount is None:
        raise ValueError("Amt: missing")
    indicator = _text(element, "{*}CdtDbtInd")
    if not indicator and entry is not None:
        indicator = _text(entry, "{*}CdtDbtInd")
    if indicator not in _SIGNS:
        raise ValueError("CdtDbtInd: must be CRDT or DBIT")
    currency = currency_of(amount.get("Ccy", ""))
    minor = amount_of((amount.text or "").strip(), "Amt", currency)
    if minor < 0:
        raise ValueError("Amt: must not have a sign: CdtDbtInd gives it")
    return minor * _SIGNS[indicator], currency.code


def _references(element: "Element", paths: tuple[str, ...]) -> tuple[str, ...]:
    """The references of an entry, in order of preference, each once."""
    found = [
        reference_of((each.text or "").strip(), path.rpartition("}")[2])
        for path in paths
        for each in element.findall(path)
    ]
    return tuple(dict.fromkeys(each for each in found if each.upper() not in _NO_REFERENCE))


def _text(element: "Element", path: str) -> str:
    return (element.findtext(path) or "").strip()
