"""Reads lines of the log one by one with their places, and finds repeated ones."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from falcon_balances.audit.findings import REPEATED, LogFinding
from falcon_balances.audit.line_fields import UUID_LENGTH
from falcon_balances.audit.log_objects import Foreign, LogSource, ObjectBatch, Selection
from falcon_balances.audit.repeats import hash_of
from falcon_balances.audit.standing_rows import Moved, rows_of_lines
from falcon_balances.audit.standings import Standings
from falcon_balances.audit.sums import Sum, SumKey
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.instants import rfc3339


class Line(NamedTuple):
    """A line with its place: the `key`, and its `number` in the object."""

    key: str
    number: int
    uuid: str
    sum_key: SumKey
    minor: int
    falcon_operation_id: str


def lines_of(key: str, body: bytes, before: str | None) -> Iterator[Line]:
    """The lines dated before an instant. Raises FlawedObjectError before the first of them."""
    segment = read_strictly(key, body)
    for number, line in enumerate(segment.lines, start=2):
        if before is None or rfc3339(line.operation_date) < before:
            yield Line(
                key,
                number,
                line.uuid,
                SumKey(
                    segment.merchant_id,
                    line.balance_shop_id,
                    line.currency.code,
                    segment.stage,
                    line.type,
                ),
                line.amount.minor,
                line.falcon_operation_id,
            )


def repeats_in(
    source: LogSource, selection: Selection, before: str | None, repeated: frozenset[int]
) -> Iterable[Sequence[Line]]:
    """Groups of lines with the same uuid. `repeated`: hashes of uuids that may be repeated."""
    found: dict[str, list[Line]] = {}
    for batch in source.batches(selection):
        if isinstance(batch, Foreign):
            continue
        for key, body in objects_in([batch]):
            if any(hash_of(uuid) in repeated for uuid in _uuids(body)):
                for line in _lines_unless_flawed(key, body, before):
                    found.setdefault(line.uuid, []).append(line)
    return found.values()


def take_back(
    sums: dict[SumKey, Sum], standings: Standings, found: Iterable[Sequence[Line]]
) -> tuple[list[LogFinding], list[Line]]:
    """Removes repeated lines from sums and standings, and reports them. In each group of lines with
    the same uuid, the first line counts.
    """
    findings, left_out = [], []
    for lines in found:
        first, *others = sorted(lines)
        for line in others:
            counted = sums[line.sum_key]
            sums[line.sum_key] = Sum(counted.minor - line.minor, counted.lines - 1)
            findings.append(repetition(first, line))
        left_out += others
    standings.add(rows_of_lines(moved(line, -line.minor) for line in left_out))
    return findings, left_out


def moved(line: Line, minor: int) -> Moved:
    key = line.sum_key
    return Moved(line.falcon_operation_id, key.balance, key.stage, minor)


def repetition(first: Line, line: Line) -> LogFinding:
    said = f"line {line.number}: repeats line {first.number} of {first.key}"
    return LogFinding(line.key, REPEATED, said)


def _lines_unless_flawed(key: str, body: bytes, before: str | None) -> list[Line]:
    try:
        return list(lines_of(key, body, before))
    except FlawedObjectError:
        return []


def _uuids(body: bytes) -> list[str]:
    """The text in the place of the uuid, of every row below the header that is long enough."""
    starts = [row[:UUID_LENGTH] for row in body.split(b"\n")[1:]]
    return [each.decode() for each in starts if len(each) == UUID_LENGTH and each.isascii()]


def objects_in(batches: Iterable[ObjectBatch]) -> Iterator[tuple[str, bytes]]:
    for batch in batches:
        for name, body in zip(batch.names, batch.bodies, strict=True):
            yield f"{batch.partition}/{name}", body
