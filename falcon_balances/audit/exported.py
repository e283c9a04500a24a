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
from typing import Final, NamedTuple

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
from falcon_balances.audit.line_grammar import (
    Flags,
    NotAsWrittenError,
    Numbers,
    Place,
    check_fields,
    check_signs,
    numbers_among,
    uuids_follow,
)
from falcon_balances.audit.lines import (
    LineColumns,
    Words,
    checked_columns,
    column,
    hashes_of,
    instants,
    uuids,
)
from falcon_balances.audit.log_lines import Line, lines_of, moved, take_back
from falcon_balances.audit.log_objects import Partition, Selection
from falcon_balances.audit.repeats import SeenHashes, hash_of
from falcon_balances.audit.replay import Replayed
from falcon_balances.audit.standings import Standings, rows_of, rows_of_lines
from falcon_balances.audit.sums import Sum, SumKey, SumTable
from falcon_balances.contracts.log_objects import FlawedObjectError
from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.log_grammar import COLUMNS, HEADER, REPETITION_MAX
from falcon_balances.domain.operations import PSP_STAGES, Stage

_THREADS: Final = 2
_BLOCKS_UNDER_WAY: Final = 4
_PARTS_HELD_MAX: Final = 4 << 20
_PARTS_MAX: Final = 9_999
_ANY_DAY: Final = "2000-01-01"
# What no text of ours leaves: printable ASCII, without a quote and without a comma.
_TEXT: Final = re.compile(r"[\x20-\x21\x23-\x2B\x2D-\x7E]*\Z")
# Of one object's lines of the same balance shop and type: 41 legs with five fees each, of an old
# truth and a new one.
_SAME_KIND_MAX: Final = 410
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,3})\Z")
_ONLY_LINE: Final = "line 2: "  # as it is called where an object is made of one line
_DAY_LENGTH: Final = 10
# Of a uuid's text: where it says its version and its variant, and what that may be.
_VERSION: Final = 14
_VARIANT: Final = 19
_VARIANTS: Final = np.isin(np.arange(256), np.frombuffer(b"89ab", np.uint8))
_MASK: Final = (1 << 64) - 1
_REVISION_WORD: Final = 0xD1B54A32D192ED03
_STAGE_WORDS: Final = {
    str(stage): number * 0x9E3779B97F4A7C15 & _MASK for number, stage in enumerate(Stage)
}


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
        events: dict[_EventKey, _Event] = {}
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


class _EventKey(NamedTuple):
    stage: str
    falcon_operation_id: str
    revision: int


class _Row(NamedTuple):
    """One line by itself, as the domain reads an object of one line."""

    partition: Partition
    falcon_operation_id: str
    revision: int
    part: int
    parts: int
    line: Line
    operation_date: str

    @property
    def event(self) -> "_EventKey":
        return _EventKey(self.partition.stage, self.falcon_operation_id, self.revision)

    def lines_before(self, before: str | None) -> Sequence[Line]:
        return (self.line,) if before is None or self.operation_date < before else ()


def _row_of(file: str, number: int, fields: Fields | str) -> _Row:
    """Raises FlawedObjectError."""
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
    return _Row(partition, operation_id, int(revision), int(part), int(parts), placed, date)


def _as_first_of_its_kind(fields: Fields) -> Fields:
    """With the uuid that the line would bear if none of its kind came before it in its object:
    which others there are, a line by itself does not say.
    """
    stage, revision = fields["stage"], int(fields["revision"])
    in_stage = stage if revision == 1 else f"{stage}.{revision}"
    where = (in_stage, fields["merchant_id"], fields["balance_shop_id"], fields["type"])
    named = "|".join((fields["falcon_operation_id"], *where))
    first, uuid = uuid5_text(f"{named}|0"), fields["uuid"]
    if uuid == first:  # as nearly every line is
        return fields
    is_later = any(uuid5_text(f"{named}|{n}") == uuid for n in range(1, _SAME_KIND_MAX))
    return fields | {"uuid": first} if is_later else fields


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
        detail = f"line {line.number}: missing: part {', '.join(absent)} of {of}"
        return [*self._findings, Finding(line.key, PART_MISSING, detail)]


def _columns_of(checked: Checked, selection: Selection, before: str | None) -> _BlockColumns:
    """What is selected of a block of which all is checked. Raises NotAsWrittenError."""
    table = checked.table
    owners, owner = _owners(column(table, "stage"), column(table, "merchant_id"))
    check_fields(table, [stage for _, stage in owners], owner)
    revision = column(table, "revision").to_numpy().astype(np.int64)
    _check_revisions(revision, [stage for _, stage in owners], owner)
    check_signs(column(table, "type"), checked.minor, revision == 1)
    date = column(table, "operation_date")
    instants(date)
    operations = uuids(column(table, "falcon_operation_id"))
    if (operations[:, _VERSION] != ord("5")).any() or not _VARIANTS[operations[:, _VARIANT]].all():
        raise NotAsWrittenError("falcon_operation_id")
    _check_uuids(table, owners, owner, revision)
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
            hashes_of(operations[some])
            + _stage_words(owners)[owner[some]]
            + revision[some].astype(np.uint64) * np.uint64(_REVISION_WORD),
            part[some].astype(np.int64),
            parts[some].astype(np.int64),
        ),
    )


def _check_revisions(revision: Numbers, stages: Sequence[str], owner: Numbers) -> None:
    """Raises NotAsWrittenError."""
    may_be_revised = np.array([stage in PSP_STAGES for stage in stages], dtype=np.bool_)[owner]
    if (revision < 1).any() or ((revision > 1) & ~may_be_revised).any():
        raise NotAsWrittenError("revision")
    if (revision > REPETITION_MAX).any():
        raise NotAsWrittenError("revision")


def _check_uuids(
    table: pa.Table, owners: Sequence[tuple[str, str]], owner: Numbers, revision: Numbers
) -> None:
    """Lines of one object stand one after the other, in its order; what does not, and what another
    block begins with, is looked at line by line. Raises NotAsWrittenError.
    """
    operation = column(table, "falcon_operation_id")
    begins = np.ones(len(operation), dtype=np.bool_)
    begins[1:] = (
        _flags(pc.not_equal(operation.slice(1), operation.slice(0, max(len(operation) - 1, 0))))
        | (owner[1:] != owner[:-1])
        | (revision[1:] != revision[:-1])
    )
    kinds = [column(table, "balance_shop_id"), column(table, "type")]
    numbers = numbers_among(np.cumsum(begins) - 1, kinds)
    pairs, which = np.unique(owner * (REPETITION_MAX + 1) + revision, return_inverse=True)
    places = [
        Place(owners[of][1], owners[of][0], number)
        for of, number in (divmod(each, REPETITION_MAX + 1) for each in pairs.tolist())
    ]
    said = uuids(column(table, "uuid"))
    if not uuids_follow(table, said, places, which.reshape(-1), numbers).all():
        raise NotAsWrittenError("uuid is not derived from the line")


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


def _hash_of_event(event: _EventKey) -> int:
    words = _STAGE_WORDS[event.stage] + event.revision * _REVISION_WORD
    return (hash_of(event.falcon_operation_id) + words) & _MASK


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
