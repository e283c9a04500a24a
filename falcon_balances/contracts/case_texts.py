"""Cases as texts of JSON, one line each, for the reconciler's own files."""

import json
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from falcon_balances.domain.bank_statement_lines import BankStatementLine
from falcon_balances.domain.cases import Case, CaseLine
from falcon_balances.domain.comparisons import ComparedBankStatement
from falcon_balances.domain.logged_operations import LoggedOperation, OperationPart
from falcon_balances.domain.operations import Stage

_write = json.JSONEncoder(separators=(",", ":")).encode
_day = lru_cache(maxsize=1_000)(date.fromisoformat)


class CaseTexts:
    """Of one account: stage and statements' keys are not repeated in each text."""

    def __init__(self, stage: Stage, statements: Mapping[int, ComparedBankStatement]) -> None:
        self._stage = stage
        self._statements = statements

    def text(self, case: Case) -> bytes:
        parts = [_of_part(each) for each in case.parts.values()]
        return _write([parts, [self._of_line(each) for each in case.lines.values()]]).encode()

    def read(self, text: bytes) -> Case:
        """Raises ValueError or TypeError for anything but a text of `text`."""
        parts, lines = json.loads(text)
        case = Case()
        for part in parts:
            case.add(self._part(*part))
        for line in lines:
            case.add(self._line(*line))
        return case

    def _of_line(self, each: CaseLine) -> list[Any]:
        line, number = each
        place = line.place.removeprefix(self._name(number))
        _, references, psp_id, minor, currency, day, merchant_id = line
        return [number, place, references, psp_id, minor, currency, day.isoformat(), merchant_id]

    def _line(
        self, number: int, place: str, references: list[str], psp_id: str | None,
        minor: int, currency: str, day: str, merchant_id: str | None,
    ) -> CaseLine:  # fmt: skip
        line = BankStatementLine(
            self._name(number) + place,
            tuple(references),
            psp_id,
            minor,
            currency,
            _day(day),
            merchant_id,
        )
        return CaseLine(line, number)

    def _name(self, number: int) -> str:
        """Every place in a statement begins with its key; once it is forgotten, with its number."""
        known = self._statements.get(number)
        return f"#{number}" if known is None else known.key

    def _part(
        self, reference: str, psp_id: str, minor: int, currency: str, day: str,
        operation_id: str, merchant_id: str, revision: int, part: int,
    ) -> OperationPart:  # fmt: skip
        operation = LoggedOperation(
            reference, psp_id, minor, currency, _day(day), operation_id, self._stage, merchant_id
        )
        return OperationPart(operation, revision, part)


def _of_part(each: OperationPart) -> list[Any]:
    (reference, psp_id, minor, currency, day, operation_id, _, merchant_id), revision, part = each
    return [
        reference, psp_id, minor, currency, day.isoformat(), operation_id, merchant_id,
        revision, part,
    ]  # fmt: skip
