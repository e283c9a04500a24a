"""Checks exported lines one by one, and finds missing parts of their events."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from falcon_balances.audit.exported_blocks import Fields
from falcon_balances.audit.exported_parts import EventKey
from falcon_balances.audit.findings import FLAWED, PART_MISSING, LogFinding
from falcon_balances.audit.log_lines import Line, lines_of
from falcon_balances.audit.log_objects import Partition
from falcon_balances.contracts.log_objects import FlawedObjectError
from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.log_grammar import COLUMNS, HEADER

# All texts of the log consist of printable ASCII without quotes and commas.
_TEXT: Final = re.compile(r"[\x20-\x21\x23-\x2B\x2D-\x7E]*\Z")
# The maximum number of lines of one balance shop and type in an object: 41 legs with five fees
# each, in the old truth and in the new one.
_SAME_KIND_MAX: Final = 410
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,3})\Z")
_DAY_LENGTH: Final = 10


class Row(NamedTuple):
    """One line, read as if its object had no other line."""

    partition: Partition
    falcon_operation_id: str
    revision: int
    part: int
    parts: int
    line: Line
    operation_date: str

    @property
    def event(self) -> EventKey:
        return EventKey(self.partition.stage, self.falcon_operation_id, self.revision)

    def lines_before(self, before: str | None) -> Sequence[Line]:
        return (self.line,) if before is None or self.operation_date < before else ()


def row_of(file: str, number: int, fields: Fields | str) -> Row:
    """The checked line; `fields` may be what is wrong with it. Raises FlawedObjectError."""
    if isinstance(fields, str):
        raise FlawedObjectError(fields)
    for name, text in fields.items():
        if not _TEXT.match(text):
            raise FlawedObjectError(f"{name}: a character that no field may contain")
    date, operation_id = fields["operation_date"], fields["falcon_operation_id"]
    prefix = f"{fields['stage']}/merchant_id={fields['merchant_id']}/date={date[:_DAY_LENGTH]}"
    partition = Partition.of(prefix)
    revision, part, parts = (fields[each] for each in ("revision", "part", "parts"))
    if partition is None or not all(map(_NUMBER.match, (revision, part, parts))):
        raise FlawedObjectError("stage, merchant_id, operation, date, revision or part")
    revised = f".r{revision}" if revision != "1" else ""
    of_several = f".{part}-of-{parts}" if (part, parts) != ("1", "1") else ""
    name = f"{operation_id}{revised}{of_several}.csv"
    body = ",".join(_as_first_of_its_kind(fields)[each] for each in COLUMNS)
    [line] = lines_of(f"{prefix}/{name}", f"{HEADER}\n{body}\n".encode(), None)
    placed = line._replace(key=file, number=number, uuid=fields["uuid"])
    return Row(partition, operation_id, int(revision), int(part), int(parts), placed, date)


def _as_first_of_its_kind(fields: Fields) -> Fields:
    """The fields; a later line of its balance shop and type gets the uuid of the first one, because
    one line does not show how many precede it in its object.
    """
    stage, revision = fields["stage"], int(fields["revision"])
    in_stage = stage if revision == 1 else f"{stage}.{revision}"
    where = (in_stage, fields["merchant_id"], fields["balance_shop_id"], fields["type"])
    named = "|".join((fields["falcon_operation_id"], *where))
    first, uuid = uuid5_text(f"{named}|0"), fields["uuid"]
    if uuid == first:  # true of nearly every line
        return fields
    is_later = any(uuid5_text(f"{named}|{n}") == uuid for n in range(1, _SAME_KIND_MAX))
    return fields | {"uuid": first} if is_later else fields


class Event:
    """The parts of one event so far; `first` is the line that was read first."""

    def __init__(self, first: Row) -> None:
        self._first = first
        self._seen: set[int] = set()
        self._findings: list[LogFinding] = []

    def add(self, row: Row) -> None:
        self._seen.add(row.part)
        first = self._first
        if row.parts != first.parts:
            self._findings.append(
                LogFinding(
                    row.line.key,
                    FLAWED,
                    f"line {row.line.number}: part of {row.parts}, and of {first.parts}"
                    f" in {first.line.key}, line {first.line.number}",
                )
            )

    def findings(self) -> list[LogFinding]:
        of, line = self._first.parts, self._first.line
        absent = [str(part) for part in range(1, of + 1) if part not in self._seen]
        if not absent:
            return self._findings
        detail = f"line {line.number}: missing: part {', '.join(absent)} of {of}"
        return [*self._findings, LogFinding(line.key, PART_MISSING, detail)]
