"""Replay of exported files: the same balances as from the log's objects, with the same promises.

Each line counts once per uuid. A line that is not as export writes it counts not at all, and is
named by its file and number: in CSV the header is line 1, in Parquet the first line of the log is.
Memory stays bounded as in `replay`.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.exported_files import (
    Block,
    Checked,
    ExportedFile,
    Fields,
    exported_files,
)
from falcon_balances.audit.findings import FLAWED, PART_MISSING, Finding
from falcon_balances.audit.lines import (
    LineColumns,
    NotAsWrittenError,
    Numbers,
    Words,
    check_types,
    checked_columns,
    column,
    hashes_of,
    instants,
    uuids,
)
from falcon_balances.audit.log_lines import Line, lines_of, moved, take_back
from falcon_balances.audit.log_objects import Partition, Selection, is_object_name
from falcon_balances.audit.repeats import SeenHashes, hash_of
from falcon_balances.audit.replay import Replayed
from falcon_balances.audit.standings import Standings, rows_of, rows_of_lines
from falcon_balances.audit.sums import Sum, SumKey, SumTable
from falcon_balances.contracts.log_objects import FlawedObjectError
from falcon_balances.domain.log_format import COLUMNS, HEADER
from falcon_balances.domain.operations import Stage

_THREADS: Final = 2
_BLOCKS_UNDER_WAY: Final = 4
_PARTS_HELD_MAX: Final = 4 << 20
_PARTS_MAX: Final = 9_999
_ANY_DAY: Final = "2000-01-01"
# What a field of the log is made of: no control character, no quote, no comma.
_NUMERIC: Final = ("amount", "part", "parts")
_TEXT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._:-]*)?\Z")
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,3})\Z")
_ONLY_LINE: Final = "line 2: "  # as it is called where an object is made of one line
_DAY_LENGTH: Final = 10
_MASK: Final = (1 << 64) - 1
_STAGE_WORDS: Final = {
    str(stage): number * 0x9E3779B97F4A7C15 & _MASK for number, stage in enumerate(Stage)
}

Flags = np.ndarray[Any, np.dtype[np.bool_]]


def replay_exported(
    path: Path,
    selection: Selection,
    before: str | None = None,
    advance: Callable[[int], None] = lambda _lines: None,
) -> Replayed:
    """As `replay`; `objects` says how many files were read. Raises NotExportedError."""
    with SeenHashes() as seen, Standings() as standings:
        return _Replay(exported_files(path), selection, before, advance, seen, standings).run()


class _PartsOfLines(NamedTuple):
    """Of lines of events with several merchants: 64 bits of hash for the event, part, parts."""

    events: Words
    part: Numbers
    parts: Numbers


class _BlockColumns(NamedTuple):
    """The owners in `lines` are places in `owners`, which are merchants with stages."""

    lines: LineColumns
    owners: list[tuple[str, str]]
    parts: _PartsOfLines


class _Replay:
    def __init__(
        self,
        files: list[ExportedFile],
        selection: Selection,
        before: str | None,
        advance: Callable[[int], None],
        seen: SeenHashes,
        standings: Standings,
    ) -> None:
        self._files = files
        self._selection = selection
        self._before = before
        self._advance = advance
        self._seen = seen
        self._standings = standings
        self._sums = SumTable()
        self._parts = _SeenParts()
        self._findings: list[Finding] = []
        self._lines = 0

    def run(self) -> Replayed:
        for block, columns in self._blocks():
            if columns is None or not self._add(columns):
                self._add_one_by_one(block)
            self._advance(block.lines)
        sums = self._sums.total()
        self._look_again(sums)
        return Replayed(
            {key: each for key, each in sorted(sums.items()) if each.lines},
            self._standings.agreements(),
            len(self._files),
            self._lines,
            sum(each.size for each in self._files),
            sorted(self._findings),
        )

    def _blocks(self) -> Iterator[tuple[Block, _BlockColumns | None]]:
        """In order, parsed some at a time; without columns what must be read line by line."""
        under_way: deque[tuple[Block, Future[_BlockColumns | None]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for block in chain.from_iterable(each.blocks() for each in self._files):
                under_way.append((block, pool.submit(self._columns, block)))
                if len(under_way) >= _BLOCKS_UNDER_WAY:
                    first, future = under_way.popleft()
                    yield first, future.result()
            for first, future in under_way:
                yield first, future.result()

    def _columns(self, block: Block) -> _BlockColumns | None:
        try:
            return _columns_of(block.checked(), self._selection, self._before)
        except NotAsWrittenError:
            return None

    def _add(self, columns: _BlockColumns) -> bool:
        """False, and nothing is done, where amounts are too large to be added like this."""
        numbers = [self._sums.owner(*each) for each in columns.owners]
        owners = np.array(numbers, dtype=np.int64)[columns.lines.owners]
        try:
            self._sums.add(replace(columns.lines, owners=owners))
        except NotAsWrittenError:
            return False
        self._standings.add(rows_of(columns.lines, columns.owners))
        self._seen.add(columns.lines.hashes)
        self._parts.add(columns.parts)
        self._lines += len(columns.lines)
        return True

    def _add_one_by_one(self, block: Block) -> None:
        counting: list[Line] = []
        parts: list[tuple[int, int, int]] = []
        for number, fields in block.rows():
            try:
                row = _row_of(block.file, number, fields)
            except FlawedObjectError as flaw:
                detail = str(flaw).removeprefix(_ONLY_LINE)
                self._findings.append(Finding(block.file, FLAWED, f"line {number}: {detail}"))
                continue
            if self._selection.has(row.partition):
                parts.append((_hash_of_event(row.event), row.part, row.parts))
                counting += row.lines_before(self._before)
        for line in counting:
            self._sums.add_one(line.sum_key, line.minor)
        self._standings.add(rows_of_lines(moved(line, line.minor) for line in counting))
        self._seen.add(np.array([hash_of(line.uuid) for line in counting], dtype=np.uint64))
        self._parts.add(_parts_of_rows(parts))
        self._lines += len(counting)

    def _look_again(self, sums: dict[SumKey, Sum]) -> None:
        """A hash says that something may be wrong with a line; what it is, the line itself."""
        repeated = self._seen.repeated()
        incomplete = self._parts.incomplete() if self._selection.has_whole_events else frozenset()
        if not repeated and not incomplete:
            return
        lines: dict[str, list[Line]] = {}
        events: dict[tuple[str, str], _Event] = {}
        for block in self._blocks_with(repeated, incomplete):
            for row in self._sound_rows(block):
                for line in row.lines_before(self._before):
                    if hash_of(line.uuid) in repeated:
                        lines.setdefault(line.uuid, []).append(line)
                if row.parts > 1 and _hash_of_event(row.event) in incomplete:
                    events.setdefault(row.event, _Event(row)).add(row)
        findings, _ = take_back(sums, self._standings, lines.values())
        self._findings += findings
        for event in events.values():
            self._findings += event.findings()

    def _blocks_with(self, repeated: frozenset[int], incomplete: frozenset[int]) -> Iterator[Block]:
        hashes, events = (np.array(sorted(each), np.uint64) for each in (repeated, incomplete))
        for block, columns in self._blocks():
            if (
                columns is None
                or np.isin(columns.lines.hashes, hashes).any()
                or np.isin(columns.parts.events, events).any()
            ):
                yield block

    def _sound_rows(self, block: Block) -> Iterator["_Row"]:
        for number, fields in block.rows():
            try:
                row = _row_of(block.file, number, fields)
            except FlawedObjectError:
                continue
            if self._selection.has(row.partition):
                yield row


class _Row(NamedTuple):
    """One line by itself, as the domain reads an object of one line."""

    partition: Partition
    falcon_operation_id: str
    part: int
    parts: int
    line: Line
    operation_date: str

    @property
    def event(self) -> tuple[str, str]:
        return self.partition.stage, self.falcon_operation_id

    def lines_before(self, before: str | None) -> Sequence[Line]:
        return (self.line,) if before is None or self.operation_date < before else ()


def _row_of(file: str, number: int, fields: Fields | str) -> _Row:
    """Raises FlawedObjectError."""
    if isinstance(fields, str):
        raise FlawedObjectError(fields)
    for name, text in fields.items():
        if name not in _NUMERIC and not _TEXT.match(text):
            raise FlawedObjectError(f"{name}: a character that no field has")
    date, operation_id = fields["operation_date"], fields["falcon_operation_id"]
    prefix = f"{fields['stage']}/merchant_id={fields['merchant_id']}/date={date[:_DAY_LENGTH]}"
    partition = Partition.of(prefix)
    part, parts = fields["part"], fields["parts"]
    name = f"{operation_id}.{part}-of-{parts}.csv" if parts != "1" else f"{operation_id}.csv"
    are_numbers = _NUMBER.match(part) and _NUMBER.match(parts)
    if partition is None or not are_numbers or not is_object_name(name):
        raise FlawedObjectError("stage, merchant_id, operation, date or part")
    body = ",".join(fields.get(each, "") for each in COLUMNS)
    [line] = lines_of(f"{prefix}/{name}", f"{HEADER}\n{body}\n".encode(), None)
    placed = line._replace(key=file, number=number)
    return _Row(partition, operation_id, int(part), int(parts), placed, date)


class _Event:
    """The parts of one event that were seen, beginning with that of `first`."""

    def __init__(self, first: _Row) -> None:
        self._first = first
        self._seen: set[int] = set()
        self._findings: list[Finding] = []

    def add(self, row: _Row) -> None:
        self._seen.add(row.part)
        first = self._first
        if row.parts != first.parts:
            self._findings.append(
                Finding(
                    row.line.key,
                    FLAWED,
                    f"line {row.line.number}: part of {row.parts}, and of {first.parts}"
                    f" in {first.line.key}, line {first.line.number}",
                )
            )

    def findings(self) -> list[Finding]:
        of, line = self._first.parts, self._first.line
        absent = [str(part) for part in range(1, of + 1) if part not in self._seen]
        if not absent:
            return self._findings
        detail = f"line {line.number}: part {', '.join(absent)} of {of} is nowhere"
        return [*self._findings, Finding(line.key, PART_MISSING, detail)]


def _columns_of(checked: Checked, selection: Selection, before: str | None) -> _BlockColumns:
    """What is selected of a block of which all is checked. Raises NotAsWrittenError."""
    table = checked.table
    owners, owner = _owners(column(table, "stage"), column(table, "merchant_id"))
    check_types(column(table, "type"), [stage for _, stage in owners], owner)
    if not all(map(_TEXT.match, column(table, "balance_shop_id").dictionary.to_pylist())):
        raise NotAsWrittenError("balance_shop_id")
    date = column(table, "operation_date")
    instants(date)
    operations = uuids(column(table, "falcon_operation_id"))
    part, parts = (column(table, name).to_numpy() for name in ("part", "parts"))
    if (part < 1).any() or (part > parts).any() or (parts > _PARTS_MAX).any():
        raise NotAsWrittenError("part")
    selected = _selected(owners, owner, date, selection)
    wanted = selected if before is None else selected & _flags(pc.less(date, before))
    some = (parts > 1) & selected
    return _BlockColumns(
        checked_columns(table, checked.minor, owner, None if wanted.all() else pa.array(wanted)),
        owners,
        _PartsOfLines(
            hashes_of(operations[some]) + _stage_words(owners)[owner[some]],
            part[some].astype(np.int64),
            parts[some].astype(np.int64),
        ),
    )


def _owners(
    stage: pa.DictionaryArray, merchant: pa.DictionaryArray
) -> tuple[list[tuple[str, str]], Numbers]:
    """Merchants with stages, and for each line which of them. Raises NotAsWrittenError."""
    stages, merchants = stage.dictionary.to_pylist(), merchant.dictionary.to_pylist()
    code = merchant.indices.to_numpy().astype(np.int64) * len(stages) + stage.indices.to_numpy()
    present = np.flatnonzero(np.bincount(code, minlength=len(stages) * len(merchants)))
    place = np.zeros(len(stages) * len(merchants), dtype=np.int64)
    place[present] = np.arange(len(present))
    found = [divmod(each, len(stages)) for each in present.tolist()]
    owners = [(merchants[which], stages[of]) for which, of in found]
    for merchant_id, name in owners:
        if Partition.of(f"{name}/merchant_id={merchant_id}/date={_ANY_DAY}") is None:
            raise NotAsWrittenError("stage or merchant_id")
    return owners, place[code]


def _selected(
    owners: Sequence[tuple[str, str]], owner: Numbers, date: pa.StringArray, selection: Selection
) -> Flags:
    whose = replace(selection, since=None, until=None)
    has = [whose.has(Partition(stage, merchant_id, _ANY_DAY)) for merchant_id, stage in owners]
    selected: Flags = np.array(has, dtype=np.bool_)[owner]
    if selection.since is not None:
        selected = selected & _flags(pc.greater_equal(date, selection.since))
    if selection.until is not None:
        selected = selected & _flags(pc.less(date, selection.until))
    return selected


def _flags(values: pa.BooleanArray) -> Flags:
    flags: Flags = values.to_numpy(zero_copy_only=False)
    return flags


def _stage_words(owners: Sequence[tuple[str, str]]) -> Words:
    return np.array([_STAGE_WORDS[stage] for _, stage in owners], dtype=np.uint64)


def _hash_of_event(event: tuple[str, str]) -> int:
    stage, operation_id = event
    return (hash_of(operation_id) + _STAGE_WORDS[stage]) & _MASK


def _parts_of_rows(rows: Iterable[tuple[int, int, int]]) -> _PartsOfLines:
    some = [row for row in rows if row[2] > 1]
    return _PartsOfLines(
        np.array([event for event, _, _ in some], dtype=np.uint64),
        np.array([part for _, part, _ in some], dtype=np.int64),
        np.array([parts for _, _, parts in some], dtype=np.int64),
    )


class _SeenParts:
    """Which parts of which events were seen; an event is forgotten once it is complete.

    Should a line of it come later, it seems incomplete, and is looked at again.
    """

    def __init__(self) -> None:
        self._held: list[_PartsOfLines] = []
        self._count = 0

    def add(self, found: _PartsOfLines) -> None:
        self._held.append(found)
        self._count += len(found.events)
        if self._count > _PARTS_HELD_MAX:
            self._held = [self._left()]
            self._count = len(self._held[0].events)

    def incomplete(self) -> frozenset[int]:
        return frozenset(self._left().events.tolist())

    def _left(self) -> _PartsOfLines:
        if not self._count:
            return _parts_of_rows([])
        events, part, parts = (np.concatenate(each) for each in zip(*self._held, strict=True))
        order = np.lexsort((parts, part, events))
        events, part, parts = events[order], part[order], parts[order]
        is_new = np.ones(len(events), dtype=np.bool_)
        is_new[1:] = (
            (events[1:] != events[:-1]) | (part[1:] != part[:-1]) | (parts[1:] != parts[:-1])
        )
        events, part, parts = events[is_new], part[is_new], parts[is_new]
        starts = np.flatnonzero(np.concatenate([[True], events[1:] != events[:-1]]))
        counts = np.diff(np.append(starts, len(events)))
        of = parts[starts]
        complete = (
            (np.minimum.reduceat(parts, starts) == of)
            & (np.maximum.reduceat(parts, starts) == of)
            & (counts == of)
        )
        left = ~np.repeat(complete, counts)
        return _PartsOfLines(events[left], part[left], parts[left])
