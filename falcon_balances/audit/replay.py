"""Replay: calculates every balance from the log alone, and reports faults of the log.

Each line counts once per uuid, in any order, number and place. A flawed object does not count, and
is reported. Memory is bounded: a chunk of objects, a sum per merchant, balance, currency, stage and
type, eight bytes per line, and 28 bytes per operation, stage and balance; most of these two are in
temporary folders if there are many millions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from falcon_balances.audit.findings import FLAWED, FOREIGN, LogFinding, Parts
from falcon_balances.audit.line_fields import Words
from falcon_balances.audit.line_grammar import NotAsWrittenError
from falcon_balances.audit.lines import columns_of
from falcon_balances.audit.log_lines import (
    Line,
    lines_of,
    moved,
    objects_in,
    repeats_in,
    take_back,
)
from falcon_balances.audit.log_objects import Foreign, LogSource, ObjectBatch, Selection
from falcon_balances.audit.processes import CAN_FORK, from_all
from falcon_balances.audit.repeats import SeenHashes, hash_of
from falcon_balances.audit.standing_rows import (
    NO_ROWS,
    BalanceId,
    StandingRows,
    rows_of,
    rows_of_lines,
)
from falcon_balances.audit.standings import Standings
from falcon_balances.audit.sums import Sum, SumKey, SumTable
from falcon_balances.contracts.log_objects import FlawedObjectError
from falcon_balances.domain.available import Agreement

_CHUNK_BYTES: Final = 16 << 20
_CHUNK_OBJECTS: Final = 8_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result. `objects`, `lines` and `bytes_read` were read; `sums` has only what counts.

    `agreements` are those of operations whose stages differ, as in `Standings.agreements`.
    `left_out`: the repeated lines, by key and number.
    """

    sums: Mapping[SumKey, Sum]
    agreements: Mapping[BalanceId, Agreement]
    objects: int
    lines: int
    bytes_read: int
    findings: Sequence[LogFinding]
    left_out: frozenset[tuple[str, int]] = frozenset()


def replay(
    source: LogSource,
    selection: Selection,
    before: str | None = None,
    advance: Callable[[int], None] = lambda _objects: None,
    processes: int = 1,
) -> Replayed:
    """Replays the selection. `before`: only lines dated before it (`YYYY-MM-DDTHH:MM:SSZ`)."""
    with Standings() as standings:
        return replay_into(standings, source, selection, before, advance, processes)


def replay_into(
    standings: Standings,
    source: LogSource,
    selection: Selection,
    before: str | None,
    advance: Callable[[int], None] = lambda _objects: None,
    processes: int = 1,
) -> Replayed:
    """Like `replay`; leaves every operation's standing in `standings`."""
    with SeenHashes() as seen:
        return _Replay(source, selection, before, seen, standings).run(advance, processes)


class Folded(NamedTuple):
    """The additions of some objects. `parts`: the keys of objects with a part of an event."""

    sums: Mapping[SumKey, Sum]
    standings: StandingRows
    hashes: Words
    objects: int
    bytes_read: int
    parts: Sequence[str]
    findings: Sequence[LogFinding]


class _Replay:
    def __init__(
        self,
        source: LogSource,
        selection: Selection,
        before: str | None,
        seen: SeenHashes,
        standings: Standings,
    ) -> None:
        self._source = source
        self._selection = selection
        self._before = before
        self._seen = seen
        self._standings = standings
        self._sums: dict[SumKey, Sum] = {}
        self._left_out: list[Line] = []
        self._parts = Parts()
        self._findings: list[LogFinding] = []
        self._objects = self._lines = self._bytes = 0

    def run(self, advance: Callable[[int], None], processes: int) -> Replayed:
        shares = self._source.shares(processes if CAN_FORK else 1)
        for folded in from_all([partial(self._folded, share) for share in shares]):
            self._add(folded)
            advance(folded.objects)
        if repeated := self._seen.repeated():
            repeats = repeats_in(self._source, self._selection, self._before, repeated)
            findings, self._left_out = take_back(self._sums, self._standings, repeats)
            self._findings += findings
        if self._selection.has_whole_events:
            self._findings += self._parts.missing()
        return Replayed(
            {key: each for key, each in sorted(self._sums.items()) if each.lines},
            self._standings.agreements(),
            self._objects,
            self._lines,
            self._bytes,
            sorted(self._findings),
            frozenset((line.key, line.number) for line in self._left_out),
        )

    def _add(self, folded: Folded) -> None:
        for key, each in folded.sums.items():
            before = self._sums.get(key, Sum(0, 0))
            self._sums[key] = Sum(before.minor + each.minor, before.lines + each.lines)
        self._standings.add(folded.standings)
        self._seen.add(folded.hashes)
        for part in folded.parts:
            self._parts.add(part)
        self._findings += folded.findings
        self._objects += folded.objects
        self._bytes += folded.bytes_read
        self._lines += len(folded.hashes)

    def _folded(self, source: LogSource) -> Iterator[Folded]:
        """Parses and sums a chunk while the next one is read."""
        foreign: list[LogFinding] = []
        with ThreadPoolExecutor(1) as pool:
            folding: Future[Folded] | None = None
            for chunk, _, _ in chunks_of(known_batches(source, self._selection, foreign)):
                ready = folding
                folding = pool.submit(fold, chunk, self._before)
                if ready is not None:
                    yield ready.result()
            if folding is not None:
                yield folding.result()
        yield Folded({}, NO_ROWS, np.empty(0, dtype=np.uint64), 0, 0, (), foreign)


def known_batches(
    source: LogSource, selection: Selection, findings: list[LogFinding]
) -> Iterator[ObjectBatch]:
    """The objects; foreign keys go to `findings`."""
    for found in source.batches(selection):
        if isinstance(found, Foreign):
            findings.append(LogFinding(found.key, FOREIGN, found.reason))
        else:
            yield found


def fold(chunk: Sequence[ObjectBatch], before: str | None) -> Folded:
    """The additions of these objects; a flawed object adds nothing and is reported."""
    sums = SumTable()
    findings: list[LogFinding] = []
    owners = [sums.owner(each.partition.merchant_id, each.partition.stage) for each in chunk]
    try:
        columns = columns_of(chunk, owners, before)
        sums.add(columns)
        standings, hashes = rows_of(columns, sums.owners), columns.hashes
    except NotAsWrittenError:
        standings, hashes = _fold_one_by_one(chunk, before, sums, findings)
    return Folded(
        sums.total(),
        standings,
        hashes,
        sum(len(batch.names) for batch in chunk),
        sum(len(body) for batch in chunk for body in batch.bodies),
        [f"{batch.partition}/{name}" for batch in chunk for name in batch.names if "-of-" in name],
        findings,
    )


def _fold_one_by_one(
    chunk: Sequence[ObjectBatch], before: str | None, sums: SumTable, findings: list[LogFinding]
) -> tuple[StandingRows, Words]:
    counting: list[Line] = []
    for key, body in objects_in(chunk):
        try:
            counting += lines_of(key, body, before)
        except FlawedObjectError as flaw:
            findings.append(LogFinding(key, FLAWED, str(flaw)))
    for line in counting:
        sums.add_one(line.sum_key, line.minor)
    return (
        rows_of_lines(moved(line, line.minor) for line in counting),
        np.array([hash_of(line.uuid) for line in counting], dtype=np.uint64),
    )


def repeated_lines(source: LogSource, selection: Selection) -> Iterable[Sequence[Line]]:
    """Finds groups of repeated lines in the selection; reads the log again if there are any."""
    with SeenHashes() as seen:
        for chunk, _, _ in chunks_of(known_batches(source, selection, [])):
            seen.add(fold(chunk, None).hashes)
        repeated = seen.repeated()
    return repeats_in(source, selection, None, repeated) if repeated else ()


def chunks_of(batches: Iterable[ObjectBatch]) -> Iterator[tuple[list[ObjectBatch], int, int]]:
    """Groups of batches, with their numbers of objects and of bytes."""
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
