"""Files that `falcon audit export` wrote, in blocks: as columns, and as texts line by line.

What is no such file at all is refused here; what about a line is not as exported is left to who
reads the block.
"""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from falcon_balances.audit.extracts import (
    AMOUNT_DECIMALS,
    CSV_SCHEMA,
    PARQUET_SCHEMA,
)
from falcon_balances.audit.line_grammar import PATTERNED, NotAsWrittenError, Numbers
from falcon_balances.audit.lines import amounts, column, exponents_of
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.money import at_full_scale

_BLOCK_BYTES: Final = 4 << 20
_LINE_BYTES_MAX: Final = 1 << 20
# A row group is read as a whole; export writes some ten thousand lines into each.
_GROUP_LINES_MAX: Final = 1 << 20
_GROUP_BYTES_MAX: Final = 1 << 30
_LINES_AT_ONCE: Final = 1 << 13
_HEADER: Final = (",".join(CSV_SCHEMA.names) + "\n").encode()
_ENCODED: Final = ("stage", "merchant_id", "type", *PATTERNED)
_PARTS: Final = ("revision", "part", "parts")
_READ: Final = (*_ENCODED, *_PARTS, "uuid", "amount", "falcon_operation_id", "operation_date")
_COMMAS: Final = len(CSV_SCHEMA) - 1
_QUOTES: Final = 2 * (len(CSV_SCHEMA) - len(_PARTS))  # every text is in quotes
_DELETE: Final = 0x7F
_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
_NUMBER: Final = re.compile(r"(0|[1-9][0-9]{0,3})\Z")

Fields = dict[str, str]


class NotExportedError(ValueError):
    """A file that export did not write, or that cannot be read to its end; says which, and why."""


class Checked(NamedTuple):
    """The columns that replay needs, without nulls, and the amounts in minor units."""

    table: pa.Table
    minor: Numbers


class Block(Protocol):
    """Some lines of one file, one after the other; `lines` says how many."""

    @property
    def file(self) -> str: ...

    @property
    def lines(self) -> int: ...

    def checked(self) -> Checked:
        """Raises NotAsWrittenError where lines have to be looked at one by one."""

    def rows(self) -> Iterator[tuple[int, Fields | str]]:
        """Each line's number, and the fields that replay needs, as texts, or why there are none."""


class ExportedFile(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes."""

    def blocks(self) -> Iterator[Block]:
        """Raises NotExportedError."""


def exported_files(path: Path) -> list[ExportedFile]:
    """The file, or those of a folder that holds nothing else; raises NotExportedError."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if not files:
        raise NotExportedError(f"{path} is empty")
    return [_exported_file(each) for each in files]


def is_exported(path: Path) -> bool:
    """No log of objects: a file, or a folder of Parquet or CSV files without folders in it."""
    if not path.is_dir():
        return path.is_file()
    found = list(path.iterdir())
    return bool(found) and all(each.is_file() and each.suffix in _READERS for each in found)


def _exported_file(path: Path) -> ExportedFile:
    reader = _READERS.get(path.suffix)
    if reader is None:
        raise NotExportedError(f"{path.name}: neither {' nor '.join(_READERS)}")
    try:
        return reader(path)
    except OSError as error:
        raise NotExportedError(f"{path.name}: {error.strerror or 'cannot be read'}") from error


class _CsvFile:
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

    def blocks(self) -> Iterator[Block]:
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

    def checked(self) -> Checked:
        table = self._table()
        minor, decimals = amounts(column(table, "amount"))
        if (decimals != exponents_of(column(table, "currency"))).any():
            raise NotAsWrittenError("amount is not written with all decimals of its currency")
        return Checked(table, minor)

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
                    include_columns=_READ,
                    column_types={
                        name: _DICTIONARY if name in (*_ENCODED, *_PARTS) else pa.string()
                        for name in _READ
                    },
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as invalid:
            raise NotAsWrittenError("columns") from invalid
        if len(table) != self.lines:
            raise NotAsWrittenError("lines")
        table = table.unify_dictionaries().combine_chunks()
        for name in _PARTS:
            table = _replaced(table, name, _numbers(column(table, name)))
        return table

    def _check_characters(self) -> None:
        """No field holds a comma, a quote or a control character; every line has its end."""
        if not self.body.isascii():
            raise NotAsWrittenError("a character that no field may contain")
        # Compared one by one and not by `translate`, during which no other thread could run.
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
    return {name: each for name, each in named if name in _READ}


def _numbers(texts: pa.DictionaryArray) -> pa.Array:
    names = texts.dictionary.to_pylist()
    if not all(map(_NUMBER.match, names)):
        raise NotAsWrittenError("revision or part")
    return pa.array([int(each) for each in names], pa.int16()).take(texts.indices)


def _replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


class _ParquetFile:
    """Lines are counted from 1."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.size = path.stat().st_size
        self._path = path
        try:
            with parquet.ParquetFile(path) as file:
                self._metadata = file.metadata
                schema = file.schema_arrow
        except pa.ArrowException as error:
            raise NotExportedError(f"{self.name}: no Parquet file, or not all of it") from error
        for expected in PARQUET_SCHEMA:
            index = schema.get_field_index(expected.name)
            if index < 0 or schema.field(index).type != expected.type:
                raise NotExportedError(
                    f"{self.name}: no column {expected.name} of the type {expected.type}"
                )

    def blocks(self) -> Iterator[Block]:
        first = 1
        for group in range(self._metadata.num_row_groups):
            known = self._metadata.row_group(group)
            if known.num_rows > _GROUP_LINES_MAX or known.total_byte_size > _GROUP_BYTES_MAX:
                raise NotExportedError(f"{self.name}: row group {group} is larger than any of ours")
            yield _ParquetBlock(self.name, first, known.num_rows, self._path, group, self._metadata)
            first += known.num_rows


class _ParquetBlock(NamedTuple):
    file: str
    first: int
    lines: int
    path: Path
    group: int
    metadata: parquet.FileMetaData

    def checked(self) -> Checked:
        table = self._read(_READ, _ENCODED)
        if any(each.null_count for each in table.columns):
            raise NotAsWrittenError("a null")
        whole = table.unify_dictionaries().combine_chunks()
        return Checked(whole, _minor(column(whole, "amount"), column(whole, "currency")))

    def rows(self) -> Iterator[tuple[int, Fields | str]]:
        table = self._read(_READ, ())
        for start in range(0, len(table), _LINES_AT_ONCE):
            rows = table.slice(start, _LINES_AT_ONCE).to_pylist()
            for number, row in enumerate(rows, start=self.first + start):
                yield number, _texts_of(row)

    def _read(self, names: Sequence[str], encoded: Sequence[str]) -> pa.Table:
        try:
            with parquet.ParquetFile(
                self.path, metadata=self.metadata, read_dictionary=list(encoded)
            ) as file:
                return file.read_row_group(self.group, list(names), use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise NotExportedError(
                f"{self.file}: from line {self.first} on it cannot be read"
            ) from error


def _texts_of(row: Mapping[str, Any]) -> Fields | str:
    absent = [name for name, value in row.items() if value is None]
    if absent:
        return f"no {absent[0]}"
    texts = {name: str(value) for name, value in row.items()}
    return texts | {"amount": _text(row["amount"], row["currency"])}


def _minor(amounts: pa.Decimal128Array, codes: pa.DictionaryArray) -> Numbers:
    """From ten-thousandths. Raises NotAsWrittenError."""
    exponents = exponents_of(codes)
    if (exponents < 0).any():
        raise NotAsWrittenError("unknown currency")
    # A decimal is 128 bits: where 64 will do, the upper half repeats the sign.
    words = np.frombuffer(amounts.buffers()[1], np.int64).reshape(-1, 2)
    low, high = words[amounts.offset : amounts.offset + len(amounts)].T
    if (high != low >> 63).any():
        raise NotAsWrittenError("an amount that does not fit into 64 bits")
    factors = 10 ** (AMOUNT_DECIMALS - exponents)
    minor: Numbers = low // factors
    if (minor * factors != low).any():
        raise NotAsWrittenError("an amount with more decimals than its currency")
    return minor


def _text(amount: Decimal, code: str) -> str:
    """As the log has it; with all its decimals, where its currency has not so many."""
    currency = written_currency(code)
    if currency is None:
        return str(amount)
    minor = int(amount.scaleb(currency.exponent))
    exact = amount.scaleb(currency.exponent) == minor
    return at_full_scale(minor, currency.exponent) if exact else str(amount)


_READERS: Final[Mapping[str, Callable[[Path], ExportedFile]]] = {
    ".parquet": _ParquetFile,
    ".csv": _CsvFile,
}
