"""The blocks of lines in which an exported file is read, as columns or line by line as texts."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

import pyarrow as pa

from falcon_balances.audit.line_grammar import PATTERNED, Numbers

ENCODED: Final = ("stage", "merchant_id", "type", *PATTERNED)
PARTS: Final = ("revision", "part", "parts")
READ: Final = (*ENCODED, *PARTS, "uuid", "amount", "falcon_operation_id", "operation_date")

Fields = dict[str, str]


class NotExportedError(ValueError):
    """Export did not write a file, or it cannot be read to its end; says which file, and why."""


class CheckedColumns(NamedTuple):
    """The columns that replay needs, without nulls, and the amounts in minor units."""

    table: pa.Table
    minor: Numbers


class FileBlock(Protocol):
    """Consecutive lines of one file; `lines` is their number."""

    @property
    def file(self) -> str: ...

    @property
    def lines(self) -> int: ...

    def checked(self) -> CheckedColumns:
        """The columns. Raises NotAsWrittenError if the lines must be checked one by one."""

    def rows(self) -> Iterator[tuple[int, Fields | str]]:
        """Each line's number, with the fields that replay needs, as texts, or with its error."""


class ExportedFile(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes."""

    def blocks(self) -> Iterator[FileBlock]:
        """The blocks of the file, in order. Raises NotExportedError."""
