"""Replay of exported files: the same balances as from the log's objects, with the same promises.

Each line counts once per uuid. A line that export would not have written does not count, and is
reported by file and number: line 1 is the header of a CSV file, but the first row of a Parquet
file. Memory stays bounded as in `replay`.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

from falcon_balances.audit.exported_blocks import ExportedFile, FileBlock
from falcon_balances.audit.exported_columns import BlockColumns, columns_of_block
from falcon_balances.audit.exported_files import exported_files
from falcon_balances.audit.exported_parts import EventKey, SeenParts, hash_of_event, parts_of_rows
from falcon_balances.audit.exported_rows import Event, Row, row_of
from falcon_balances.audit.findings import FLAWED, LogFinding
from falcon_balances.audit.line_grammar import NotAsWrittenError
from falcon_balances.audit.log_lines import Line, moved, take_back
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.repeats import SeenHashes, hash_of
from falcon_balances.audit.replay import Replayed
from falcon_balances.audit.standing_rows import rows_of, rows_of_lines
from falcon_balances.audit.standings import Standings
from falcon_balances.audit.sums import Sum, SumKey, SumTable
from falcon_balances.contracts.log_objects import FlawedObjectError

_THREADS: Final = 2
_BLOCKS_UNDER_WAY: Final = 4
_ONLY_LINE: Final = "line 2: "  # how errors name the only line of an object


def replay_exported(
    path: Path,
    selection: Selection,
    before: str | None = None,
    advance: Callable[[int], None] = lambda _lines: None,
) -> Replayed:
    """Like `replay`; `objects` is the number of files read. Raises NotExportedError."""
    with SeenHashes() as seen, Standings() as standings:
        return _Replay(exported_files(path), selection, before, advance, seen, standings).run()


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
        self._parts = SeenParts()
        self._findings: list[LogFinding] = []
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

    def _blocks(self) -> Iterator[tuple[FileBlock, BlockColumns | None]]:
        """Blocks in order, several parsed ahead; None instead of columns if a block must be read
        line by line.
        """
        under_way: deque[tuple[FileBlock, Future[BlockColumns | None]]] = deque()
        with ThreadPoolExecutor(_THREADS) as pool:
            for block in chain.from_iterable(each.blocks() for each in self._files):
                under_way.append((block, pool.submit(self._columns, block)))
                if len(under_way) >= _BLOCKS_UNDER_WAY:
                    first, future = under_way.popleft()
                    yield first, future.result()
            for first, future in under_way:
                yield first, future.result()

    def _columns(self, block: FileBlock) -> BlockColumns | None:
        try:
            return columns_of_block(block.checked(), self._selection, self._before)
        except NotAsWrittenError:
            return None

    def _add(self, columns: BlockColumns) -> bool:
        """Adds the lines; adds nothing and returns False if their sum may exceed 64 bits."""
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

    def _add_one_by_one(self, block: FileBlock) -> None:
        counting: list[Line] = []
        parts: list[tuple[int, int, int]] = []
        for number, fields in block.rows():
            try:
                row = row_of(block.file, number, fields)
            except FlawedObjectError as flaw:
                detail = str(flaw).removeprefix(_ONLY_LINE)
                self._findings.append(LogFinding(block.file, FLAWED, f"line {number}: {detail}"))
                continue
            if self._selection.has(row.partition):
                parts.append((hash_of_event(row.event), row.part, row.parts))
                counting += row.lines_before(self._before)
        for line in counting:
            self._sums.add_one(line.sum_key, line.minor)
        self._standings.add(rows_of_lines(moved(line, line.minor) for line in counting))
        self._seen.add(np.array([hash_of(line.uuid) for line in counting], dtype=np.uint64))
        self._parts.add(parts_of_rows(parts))
        self._lines += len(counting)

    def _look_again(self, sums: dict[SumKey, Sum]) -> None:
        """Rereads the lines whose hashes suggest a repetition or a missing part, and checks them
        exactly.
        """
        repeated = self._seen.repeated()
        incomplete = self._parts.incomplete() if self._selection.has_whole_events else frozenset()
        if not repeated and not incomplete:
            return
        lines: dict[str, list[Line]] = {}
        events: dict[EventKey, Event] = {}
        for block in self._blocks_with(repeated, incomplete):
            for row in self._sound_rows(block):
                for line in row.lines_before(self._before):
                    if hash_of(line.uuid) in repeated:
                        lines.setdefault(line.uuid, []).append(line)
                if row.parts > 1 and hash_of_event(row.event) in incomplete:
                    events.setdefault(row.event, Event(row)).add(row)
        findings, _ = take_back(sums, self._standings, lines.values())
        self._findings += findings
        for event in events.values():
            self._findings += event.findings()

    def _blocks_with(
        self, repeated: frozenset[int], incomplete: frozenset[int]
    ) -> Iterator[FileBlock]:
        hashes, events = (np.array(sorted(each), np.uint64) for each in (repeated, incomplete))
        for block, columns in self._blocks():
            if (
                columns is None
                or np.isin(columns.lines.hashes, hashes).any()
                or np.isin(columns.parts.events, events).any()
            ):
                yield block

    def _sound_rows(self, block: FileBlock) -> Iterator[Row]:
        for number, fields in block.rows():
            try:
                row = row_of(block.file, number, fields)
            except FlawedObjectError:
                continue
            if self._selection.has(row.partition):
                yield row
