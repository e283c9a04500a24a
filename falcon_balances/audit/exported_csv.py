"""CSV files that `falcon audit export` wrote, in blocks of whole lines."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from falcon_balances.audit.exported_blocks import (
    ENCODED,
    PARTS,
    READ,
    CheckedColumns,
    Fields,
    FileBlock,
    NotExportedError,
)
from falcon_balances.audit.extracts import CSV_SCHEMA
from falcon_balances.audit.line_fields import amounts, column, exponents_of
from falcon_balances.audit.line_grammar import NotAsWrittenError

_BLOCK_BYTES: Final = 4 << 20
_LINE_BYTES_MAX: Final = 1 << 20
_HEADER: Final = (",".join(CSV_SCHEMA.names) + "\n").encode()
_COMMAS: Final = len(CSV_SCHEMA) - 1
_QUOTES: Final = 2 * (len(CSV_SCHEMA) - len(PARTS))  # every text is in quotes
_DELETE: Final = 0x7F
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,3})\Z")


class CsvFile:
    """The header is line 1."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.size = path.stat().st_size
        self._path = path
        with path.open("rb") as file:
            if file.readline(_LINE_BYTES_MAX) != _HEADER:
                raise NotExportedError(
                    f"{self.name}: line 1 is not the header that export writes, in UTF-8"
                )

    def blocks(self) -> Iterator[FileBlock]:
        number = 2
        with self._path.open("rb") as file:
            file.readline()
            while body := file.read(_BLOCK_BYTES):
                body += file.readline(_LINE_BYTES_MAX)
                lines = body.count(b"\n") + (not body.endswith(b"\n"))
                yield _CsvBlock(self.name, number, lines, body)
                number += lines


class _CsvBlock(NamedTuple):
    file: str
    first: int
    lines: int
    body: bytes

    def checked(self) -> CheckedColumns:
        table = self._table()
        minor, decimals = amounts(column(table, "amount"))
        if (decimals != exponents_of(column(table, "currency"))).any():
            raise NotAsWrittenError("amount is not written with all decimals of its currency")
        return CheckedColumns(table, minor)

    def rows(self) -> Iterator[tuple[int, Fields | str]]:
        *lines, last = self.body.split(b"\n")
        for number, line in enumerate(lines, start=self.first):
            yield number, _fields_of(line)
        if last:
            yield self.first + len(lines), "no line end"

    def _table(self) -> pa.Table:
        self._check_characters()
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(self.body),
                arrow_csv.ReadOptions(
                    column_names=CSV_SCHEMA.names,
                    block_size=len(self.body) + 1,
                    use_threads=False,
                ),
                arrow_csv.ParseOptions(ignore_empty_lines=False),
                arrow_csv.ConvertOptions(
                    include_columns=READ,
                    column_types={
                        name: _DICTIONARY if name in (*ENCODED, *PARTS) else pa.string()
                        for name in READ
                    },
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as invalid:
            raise NotAsWrittenError("columns") from invalid
        if len(table) != self.lines:
            raise NotAsWrittenError("lines")
        table = table.unify_dictionaries().combine_chunks()
        for name in PARTS:
            table = _replaced(table, name, _numbers(column(table, name)))
        return table

    def _check_characters(self) -> None:
        """Raises NotAsWrittenError if a field holds a comma, a quote, a control or a non-ASCII
        character, or if the last line has no line end.
        """
        if not self.body.isascii():
            raise NotAsWrittenError("a character that no field may contain")
        # numpy compares without holding Python's lock; `translate` would stop other threads.
        characters = np.frombuffer(self.body, np.uint8)
        controls = int(np.count_nonzero((characters < ord(" ")) | (characters == _DELETE)))
        commas, quotes = (int(np.count_nonzero(characters == ord(each))) for each in ',"')
        if (controls, commas, quotes) != (
            self.lines,
            self.lines * _COMMAS,
            self.lines * _QUOTES,
        ):
            raise NotAsWrittenError("a character that no field may contain, or no line end")


def _fields_of(line: bytes) -> Fields | str:
    text = line.decode("ascii", "replace")
    if not line.isascii() or not text.isprintable():
        return "a character that no field may contain"
    if (text.count(","), text.count('"')) != (_COMMAS, _QUOTES):
        return "commas or quotes"
    try:
        [fields] = csv.reader([text], strict=True)
    except csv.Error:
        return "quotes"
    if len(fields) != len(CSV_SCHEMA):
        return f"{len(fields)} columns"
    named = zip(CSV_SCHEMA.names, fields, strict=True)
    return {name: each for name, each in named if name in READ}


def _numbers(texts: pa.DictionaryArray) -> pa.Array:
    names = texts.dictionary.to_pylist()
    if not all(map(_NUMBER.match, names)):
        raise NotAsWrittenError("revision or part")
    return pa.array([int(each) for each in names], pa.int16()).take(texts.indices)


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)
