"""Parquet files that `falcon audit export` wrote, in blocks of a row group each."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from falcon_balances.audit.exported_blocks import (
    ENCODED,
    READ,
    CheckedColumns,
    Fields,
    FileBlock,
    NotExportedError,
)
from falcon_balances.audit.extracts import AMOUNT_DECIMALS, PARQUET_SCHEMA
from falcon_balances.audit.line_fields import column, exponents_of
from falcon_balances.audit.line_grammar import NotAsWrittenError, Numbers
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.money import at_full_scale

# A row group is read as a whole; export writes about ten thousand lines into each.
_GROUP_LINES_MAX: Final = 1 << 20
_GROUP_BYTES_MAX: Final = 1 << 30
_LINES_AT_ONCE: Final = 1 << 13


class ParquetFile:
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

    def blocks(self) -> Iterator[FileBlock]:
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

    def checked(self) -> CheckedColumns:
        table = self._read(READ, ENCODED)
        if any(each.null_count for each in table.columns):
            raise NotAsWrittenError("a null")
        whole = table.unify_dictionaries().combine_chunks()
        return CheckedColumns(whole, _minor(column(whole, "amount"), column(whole, "currency")))

    def rows(self) -> Iterator[tuple[int, Fields | str]]:
        table = self._read(READ, ())
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
    """Minor units from decimals of four places. Raises NotAsWrittenError."""
    exponents = exponents_of(codes)
    if (exponents < 0).any():
        raise NotAsWrittenError("unknown currency")
    # A decimal has 128 bits: if 64 are enough, the upper half only repeats the sign.
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
    """The amount as in the log; unrounded if it has more decimals than its currency."""
    currency = written_currency(code)
    if currency is None:
        return str(amount)
    minor = int(amount.scaleb(currency.exponent))
    exact = amount.scaleb(currency.exponent) == minor
    return at_full_scale(minor, currency.exponent) if exact else str(amount)
