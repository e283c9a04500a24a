"""The log in one file: every line with the stage, merchant, revision and part of its key.

Parquet for DuckDB, Athena and the like; CSV for spreadsheets. An extract is a copy: the log itself
never changes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from falcon_balances.audit.findings import FLAWED, LogFinding
from falcon_balances.audit.line_grammar import NotAsWrittenError
from falcon_balances.audit.lines import whole_lines_of
from falcon_balances.audit.log_objects import LogSource, ObjectBatch, Selection, revision_of
from falcon_balances.audit.replay import chunks_of, known_batches
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.domain.log_grammar import AMOUNT_DIGITS_MAX, COLUMNS

_PART: Final = re.compile(r"\.([0-9]{1,4})-of-([0-9]{1,4})\.csv\Z")
# Nineteen digits, and the decimals of the finest currency.
AMOUNT_DECIMALS: Final = 4
_AMOUNT: Final = pa.decimal128(AMOUNT_DIGITS_MAX + AMOUNT_DECIMALS, AMOUNT_DECIMALS)
_KEY_COLUMNS: Final = [
    ("stage", pa.string()),
    ("merchant_id", pa.string()),
    ("revision", pa.int16()),
    ("part", pa.int16()),
    ("parts", pa.int16()),
]
CSV_SCHEMA: Final = pa.schema([*_KEY_COLUMNS, *((name, pa.string()) for name in COLUMNS)])
PARQUET_SCHEMA: Final = pa.schema(
    [*_KEY_COLUMNS, *((name, _AMOUNT if name == "amount" else pa.string()) for name in COLUMNS)]
)
_MINOR_END: Final = 1 << 63
# Columns whose values repeat in most lines, unlike the ids of lines.
_REPEATING: Final = ["stage", "merchant_id", "currency", "type", "balance_shop_id", "psp_id"]


def write_parquet(
    source: LogSource,
    selection: Selection,
    path: Path,
    advance: Callable[[int], None] = lambda _objects: None,
) -> list[LogFinding]:
    """A Parquet file: amounts as exact decimals, everything else as text. Flawed objects are left
    out and reported.
    """
    findings: list[LogFinding] = []
    with parquet_file(path) as add:
        for table in tables_of(source, selection, findings, advance):
            add(table)
    return sorted(findings)


@contextmanager
def parquet_file(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Yields a function that writes a table of CSV_SCHEMA to the file."""
    place = PARQUET_SCHEMA.get_field_index("amount")
    with parquet.ParquetWriter(
        path, PARQUET_SCHEMA, compression="zstd", use_dictionary=_REPEATING
    ) as writer:

        def add(table: pa.Table) -> None:
            amounts = pc.cast(table.column("amount"), _AMOUNT)
            writer.write_table(table.set_column(place, "amount", amounts).cast(PARQUET_SCHEMA))

        yield add


def write_csv(
    source: LogSource,
    selection: Selection,
    path: Path,
    advance: Callable[[int], None] = lambda _objects: None,
) -> list[LogFinding]:
    """A CSV file: everything as text. Flawed objects are left out and reported.

    A spreadsheet treats a text that begins with = + - or @ as a formula; only negative amounts
    begin like this.
    """
    findings: list[LogFinding] = []
    with csv_file(path) as add:
        for table in tables_of(source, selection, findings, advance):
            add(table)
    return sorted(findings)


@contextmanager
def csv_file(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Yields a function that writes a table of CSV_SCHEMA to the file."""
    options = csv.WriteOptions(quoting_style="needed", quoting_header="none")
    with csv.CSVWriter(path, CSV_SCHEMA, write_options=options) as writer:
        yield writer.write_table


def tables_of(
    source: LogSource,
    selection: Selection,
    findings: list[LogFinding],
    advance: Callable[[int], None],
) -> Iterator[pa.Table]:
    """Tables of CSV_SCHEMA, some thousand objects each; objects left out go to `findings`."""
    for table, _ in tables_with_objects(source, selection, findings, advance):
        yield table


def tables_with_objects(
    source: LogSource,
    selection: Selection,
    findings: list[LogFinding],
    advance: Callable[[int], None],
) -> Iterator[tuple[pa.Table, Sequence[ObjectBatch]]]:
    """Like `tables_of`; each table comes with its objects, in the same order."""
    for chunk, objects, _ in chunks_of(known_batches(source, selection, findings)):
        try:
            yield _table(chunk), chunk
        except NotAsWrittenError:
            good = [each for batch in chunk if (each := _good(batch, findings)).names]
            if good:
                yield _table(good), good
        advance(objects)


def _good(batch: ObjectBatch, findings: list[LogFinding]) -> ObjectBatch:
    """The batch without its flawed objects, which go to `findings`."""
    kept: list[tuple[str, bytes]] = []
    for name, body in zip(batch.names, batch.bodies, strict=True):
        key = f"{batch.partition}/{name}"
        try:
            segment = read_strictly(key, body)
        except FlawedObjectError as flaw:
            findings.append(LogFinding(key, FLAWED, str(flaw)))
            continue
        if all(abs(line.amount.minor) < _MINOR_END for line in segment.lines):
            kept.append((name, body))
        else:
            findings.append(LogFinding(key, FLAWED, "an amount does not fit into 64 bits"))
    return ObjectBatch(batch.partition, [name for name, _ in kept], [body for _, body in kept])


def _table(batches: Sequence[ObjectBatch]) -> pa.Table:
    """A table of CSV_SCHEMA. Raises NotAsWrittenError."""
    lines, counts = whole_lines_of(batches)
    sizes = [len(batch.names) for batch in batches]
    revisions = [revision_of(name) for batch in batches for name in batch.names]
    parts = [_part(name) for name in chain.from_iterable(batch.names for batch in batches)]
    of_key = {
        "stage": np.repeat([batch.partition.stage for batch in batches], sizes),
        "merchant_id": np.repeat([batch.partition.merchant_id for batch in batches], sizes),
        "revision": np.array(revisions, dtype=np.int16),
        "part": np.array([part for part, _ in parts], dtype=np.int16),
        "parts": np.array([of for _, of in parts], dtype=np.int16),
    }
    columns = {name: np.repeat(values, counts) for name, values in of_key.items()}
    texts = {name: lines.column(name) for name in COLUMNS}
    return pa.table({**columns, **texts}).cast(CSV_SCHEMA)


def _part(name: str) -> tuple[int, int]:
    found = _PART.search(name)
    return (int(found[1]), int(found[2])) if found else (1, 1)
