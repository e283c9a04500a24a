"""Replay: every balance again, from the log alone; and what about the log is not as it should be.

Each line counts once per uuid, whatever order, number or place it comes in. An object that is not
as the log writes it counts not at all, and is named. Memory stays bounded: a chunk of objects, a
sum per merchant, balance, currency, stage and type, and eight bytes per line, of which all beyond
the first sixteen million lie in a temporary folder.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from falcon_balances.audit.line_grammar import NotAsWrittenError, Numbers
from falcon_balances.audit.lines import (
    UUID_LENGTH,
    LineColumns,
    Words,
    columns_of,
)
from falcon_balances.audit.log_objects import Foreign, LogSource, ObjectBatch, Selection
from falcon_balances.audit.processes import CAN_FORK, from_all
from falcon_balances.audit.repeats import SeenHashes, hash_of
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import OperationType, Stage

_CHUNK_BYTES: Final = 16 << 20
_CHUNK_OBJECTS: Final = 8_000
_PARTIAL_SUMS_MAX: Final = 1 << 20
_EXACT_IN_64_BITS: Final = float(1 << 62)
WIDE: Final = pa.decimal128(38, 0)
_PART = re.compile(r"\.([0-9]+)-of-([0-9]+)\.csv\Z")


class SumKey(NamedTuple):
    merchant_id: str
    balance_shop_id: str
    currency: str
    stage: Stage
    type: OperationType


class Sum(NamedTuple):
    """`minor`: the lines' amounts added up, in minor units, signed."""

    minor: int
    lines: int


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something about the log that should not be. `problem` is one of the words below."""

    key: str
    problem: str
    detail: str


FOREIGN: Final = "foreign"
FLAWED: Final = "flawed"
REPEATED: Final = "repeated"
PART_MISSING: Final = "part_missing"


@dataclass(frozen=True, slots=True)
class Replayed:
    """`objects`, `lines` and `bytes_read` tell what was read; `sums` only what counts."""

    sums: Mapping[SumKey, Sum]
    objects: int
    lines: int
    bytes_read: int
    findings: Sequence[Finding]


def replay(
    source: LogSource,
    selection: Selection,
    before: str | None = None,
    advance: Callable[[int], None] = lambda _objects: None,
    processes: int = 1,
) -> Replayed:
    """Fold what is selected, and dated `before` that instant (`YYYY-MM-DDTHH:MM:SSZ`)."""
    with SeenHashes() as seen:
        return _Replay(source, selection, before, seen).run(advance, processes)


class Folded(NamedTuple):
    """What some objects add. `parts`: the keys of those that are one of several."""

    sums: Mapping[SumKey, Sum]
    hashes: Words
    objects: int
    bytes_read: int
    parts: Sequence[str]
    findings: Sequence[Finding]


class _Replay:
    def __init__(
        self, source: LogSource, selection: Selection, before: str | None, seen: SeenHashes
    ) -> None:
        self._source = source
        self._selection = selection
        self._before = before
        self._seen = seen
        self._sums: dict[SumKey, Sum] = {}
        self._parts = Parts()
        self._findings: list[Finding] = []
        self._objects = self._lines = self._bytes = 0

    def run(self, advance: Callable[[int], None], processes: int) -> Replayed:
        shares = self._source.shares(processes if CAN_FORK else 1)
        for folded in from_all([partial(self._folded, share) for share in shares]):
            self._add(folded)
            advance(folded.objects)
        if repeated := self._seen.repeated():
            repeats = repeats_in(self._source, self._selection, self._before, repeated)
            self._findings += take_back(self._sums, repeats)
        if self._selection.has_whole_events:
            self._findings += self._parts.missing()
        return Replayed(
            {key: each for key, each in sorted(self._sums.items()) if each.lines},
            self._objects,
            self._lines,
            self._bytes,
            sorted(self._findings),
        )

    def _add(self, folded: Folded) -> None:
        for key, each in folded.sums.items():
            before = self._sums.get(key, Sum(0, 0))
            self._sums[key] = Sum(before.minor + each.minor, before.lines + each.lines)
        self._seen.add(folded.hashes)
        for part in folded.parts:
            self._parts.add(part)
        self._findings += folded.findings
        self._objects += folded.objects
        self._bytes += folded.bytes_read
        self._lines += len(folded.hashes)

    def _folded(self, source: LogSource) -> Iterator[Folded]:
        """A chunk is parsed and added up while the next one is read."""
        foreign: list[Finding] = []
        with ThreadPoolExecutor(1) as pool:
            folding: Future[Folded] | None = None
            for chunk, _, _ in chunks_of(known_batches(source, self._selection, foreign)):
                ready = folding
                folding = pool.submit(fold, chunk, self._before)
                if ready is not None:
                    yield ready.result()
            if folding is not None:
                yield folding.result()
        yield Folded({}, np.empty(0, dtype=np.uint64), 0, 0, (), foreign)


def known_batches(
    source: LogSource, selection: Selection, findings: list[Finding]
) -> Iterator[ObjectBatch]:
    """Without what is foreign, which goes to `findings`."""
    for found in source.batches(selection):
        if isinstance(found, Foreign):
            findings.append(Finding(found.key, FOREIGN, found.reason))
        else:
            yield found


def fold(chunk: Sequence[ObjectBatch], before: str | None) -> Folded:
    """What these objects add; an object that is flawed adds nothing, and is named."""
    sums = SumTable()
    findings: list[Finding] = []
    owners = [sums.owner(each.partition.merchant_id, each.partition.stage) for each in chunk]
    try:
        columns = columns_of(chunk, owners, before)
        sums.add(columns)
        hashes = columns.hashes
    except NotAsWrittenError:
        hashes = _fold_one_by_one(chunk, before, sums, findings)
    return Folded(
        sums.total(),
        hashes,
        sum(len(batch.names) for batch in chunk),
        sum(len(body) for batch in chunk for body in batch.bodies),
        [f"{batch.partition}/{name}" for batch in chunk for name in batch.names if "-of-" in name],
        findings,
    )


def _fold_one_by_one(
    chunk: Sequence[ObjectBatch], before: str | None, sums: "SumTable", findings: list[Finding]
) -> Words:
    hashes: list[int] = []
    for key, body in objects_in(chunk):
        try:
            lines = list(lines_of(key, body, before))
        except FlawedObjectError as flaw:
            findings.append(Finding(key, FLAWED, str(flaw)))
            continue
        for line in lines:
            sums.add_one(line.sum_key, line.minor)
            hashes.append(hash_of(line.uuid))
    return np.array(hashes, dtype=np.uint64)


class SumTable:
    """Sums that never overflow: 64 bits within a chunk, where they fit, 128 bits beyond."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], int] = {}
        self._names: dict[str, dict[str, int]] = {"currency": {}, "type": {}, "balance_shop_id": {}}
        self._partial: list[pa.Table] = []
        self._held = 0
        self._single: dict[SumKey, Sum] = {}

    def owner(self, merchant_id: str, stage: str) -> int:
        return self._owners.setdefault((merchant_id, stage), len(self._owners))

    def add(self, columns: LineColumns) -> None:
        """Raises NotAsWrittenError where the amounts are too large to be added like this."""
        if float(np.abs(columns.minor).sum(dtype=np.float64)) >= _EXACT_IN_64_BITS:
            raise NotAsWrittenError("amounts that do not add up in 64 bits")
        table = pa.table(
            {
                "owner": columns.owners,
                "currency": self._numbers("currency", columns.currency),
                "type": self._numbers("type", columns.type),
                "balance_shop_id": self._numbers("balance_shop_id", columns.balance_shop_id),
                "minor": columns.minor,
            }
        )
        summed = _grouped(table, [("minor", "sum"), ("minor", "count")])
        self._partial.append(
            summed.set_column(
                summed.schema.get_field_index("minor_sum"),
                "minor_sum",
                summed.column("minor_sum").cast(WIDE),
            )
        )
        self._held += len(summed)
        if self._held > _PARTIAL_SUMS_MAX:
            self._partial = [self._merged()]
            self._held = len(self._partial[0])

    def add_one(self, key: SumKey, minor: int) -> None:
        before = self._single.get(key, Sum(0, 0))
        self._single[key] = Sum(before.minor + minor, before.lines + 1)

    def total(self) -> dict[SumKey, Sum]:
        sums = dict(self._single)
        if not self._partial:
            return sums
        owners = list(self._owners)
        names = {name: list(known) for name, known in self._names.items()}
        for row in self._merged().to_pylist():
            merchant_id, stage = owners[row["owner"]]
            key = SumKey(
                merchant_id,
                names["balance_shop_id"][row["balance_shop_id"]],
                names["currency"][row["currency"]],
                Stage(stage),
                OperationType(names["type"][row["type"]]),
            )
            before = sums.get(key, Sum(0, 0))
            sums[key] = Sum(before.minor + int(row["minor_sum"]), before.lines + row["minor_count"])
        return sums

    def _numbers(self, name: str, texts: pa.DictionaryArray) -> Numbers:
        known = self._names[name]
        numbers = [known.setdefault(text, len(known)) for text in texts.dictionary.to_pylist()]
        each: Numbers = np.array(numbers, dtype=np.int64)[texts.indices.to_numpy()]
        return each

    def _merged(self) -> pa.Table:
        merged = _grouped(
            pa.concat_tables(self._partial), [("minor_sum", "sum"), ("minor_count", "sum")]
        )
        names = {"minor_sum_sum": "minor_sum", "minor_count_sum": "minor_count"}
        return merged.rename_columns(names)


def _grouped(table: pa.Table, aggregations: list[tuple[str, str]]) -> pa.Table:
    keys = ["owner", "currency", "type", "balance_shop_id"]
    return table.group_by(keys, use_threads=False).aggregate(aggregations)


class Parts:
    """Which parts of the events with several merchants were seen; forgotten once complete."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, int, str]] = {}
        self._findings: list[Finding] = []

    def add(self, key: str) -> None:
        stage, name = key.partition("/")[0], key.rpartition("/")[2]
        found = _PART.search(name)
        part, parts = (int(found[1]), int(found[2])) if found else (0, 0)
        event = (stage, name[: found.start()] if found else name)
        before, of, first = self._seen.pop(event, (0, parts, key))
        if of != parts:
            self._findings.append(
                Finding(key, PART_MISSING, f"part of {parts}, and of {of} in {first}")
            )
        if before >> (part - 1) & 1:
            self._findings.append(Finding(key, REPEATED, f"part {part} of {parts} once more"))
        now = before | 1 << (part - 1)
        if now != (1 << of) - 1:
            self._seen[event] = (now, of, first)

    def missing(self) -> list[Finding]:
        missing = []
        for seen, of, first in self._seen.values():
            absent = [str(part) for part in range(1, of + 1) if not seen >> (part - 1) & 1]
            missing.append(
                Finding(first, PART_MISSING, f"part {', '.join(absent)} of {of} is nowhere")
            )
        return self._findings + missing


class Line(NamedTuple):
    """One that counts, with its place: `key` and `number` in it."""

    key: str
    number: int
    uuid: str
    sum_key: SumKey
    minor: int


def repeats_in(
    source: LogSource, selection: Selection, before: str | None, repeated: frozenset[int]
) -> Iterable[Sequence[Line]]:
    """Lines with the same uuid. `repeated` are the hashes of uuids that may come more than once."""
    found: dict[str, list[Line]] = {}
    for batch in source.batches(selection):
        if isinstance(batch, Foreign):
            continue
        for key, body in objects_in([batch]):
            if any(hash_of(uuid) in repeated for uuid in _uuids(body)):
                for line in _lines_unless_flawed(key, body, before):
                    found.setdefault(line.uuid, []).append(line)
    return found.values()


def repeated_lines(source: LogSource, selection: Selection) -> Iterable[Sequence[Line]]:
    """Lines with the same uuid, of all that is selected: it is read once, and where some are
    repeated once more.
    """
    with SeenHashes() as seen:
        for chunk, _, _ in chunks_of(known_batches(source, selection, [])):
            seen.add(fold(chunk, None).hashes)
        repeated = seen.repeated()
    return repeats_in(source, selection, None, repeated) if repeated else ()


def lines_of(key: str, body: bytes, before: str | None) -> Iterable[Line]:
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
            )


def take_back(sums: dict[SumKey, Sum], found: Iterable[Sequence[Line]]) -> list[Finding]:
    """Of lines with one uuid the first counts; the others leave the sums, and are named."""
    findings = []
    for lines in found:
        first, *others = sorted(lines)
        for line in others:
            counted = sums[line.sum_key]
            sums[line.sum_key] = Sum(counted.minor - line.minor, counted.lines - 1)
            findings.append(repetition(first, line))
    return findings


def repetition(first: Line, line: Line) -> Finding:
    said = f"line {line.number}: already in {first.key}, line {first.number}"
    return Finding(line.key, REPEATED, said)


def _lines_unless_flawed(key: str, body: bytes, before: str | None) -> list[Line]:
    try:
        return list(lines_of(key, body, before))
    except FlawedObjectError:
        return []


def _uuids(body: bytes) -> list[str]:
    """What may be a uuid at the beginning of a line; the header is none."""
    starts = [row[:UUID_LENGTH] for row in body.split(b"\n")[1:]]
    return [each.decode() for each in starts if len(each) == UUID_LENGTH and each.isascii()]


def objects_in(batches: Iterable[ObjectBatch]) -> Iterator[tuple[str, bytes]]:
    for batch in batches:
        for name, body in zip(batch.names, batch.bodies, strict=True):
            yield f"{batch.partition}/{name}", body


def chunks_of(batches: Iterable[ObjectBatch]) -> Iterator[tuple[list[ObjectBatch], int, int]]:
    """With the number of objects and of bytes."""
    chunk: list[ObjectBatch] = []
    size = objects = 0
    for batch in batches:
        chunk.append(batch)
        size += sum(map(len, batch.bodies))
        objects += len(batch.names)
        if size >= _CHUNK_BYTES or objects >= _CHUNK_OBJECTS:
            yield chunk, objects, size
            chunk, size, objects = [], 0, 0
    if chunk:
        yield chunk, objects, size
