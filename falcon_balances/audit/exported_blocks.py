"""What an exported file is read in: blocks of lines, as columns and as texts line by line."""

from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

import pyarrow as pa

from falcon_balances.audit.line_grammar import PATTERNED, Numbers

ENCODED: Final = ("stage", "merchant_id", "type", *PATTERNED)
PARTS: Final = ("revision", "part", "parts")
READ: Final = (*ENCODED, *PARTS, "uuid", "amount", "falcon_operation_id", "operation_date")

Fields = dict[str, str]


class NotExportedError(ValueError):
    """A file that export did not write, or that cannot be read to its end; says which, and why."""


class CheckedColumns(NamedTuple):
    """The columns that replay needs, without nulls, and the amounts in minor units."""

    table: pa.Table
    minor: Numbers


class FileBlock(Protocol):
    """Some lines of one file, one after the other; `lines` says how many."""

    @property
    def file(self) -> str: ...

    @property
    def lines(self) -> int: ...

    def checked(self) -> CheckedColumns:
        """Raises NotAsWrittenError where lines have to be looked at one by one."""

    def rows(self) -> Iterator[tuple[int, Fields | str]]:
        """Each line's number, and the fields that replay needs, as texts, or why there are none."""


class ExportedFile(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes."""

    def blocks(self) -> Iterator[FileBlock]:
        """Raises NotExportedError."""
