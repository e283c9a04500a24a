"""A connection to DuckDB: bounded memory, nothing from the network, and our texts as its literals.

What does not fit into the memory is in a temporary folder.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

_MEMORY: Final = "1GB"


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with TemporaryDirectory(prefix="falcon-duckdb-") as name:
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": name,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        with duckdb.connect(config=options) as connection:
            connection.execute("set enable_progress_bar = false")
            yield connection


def text(value: str) -> str:
    """The value as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def files(paths: Sequence[Path]) -> str:
    """The paths as an SQL list; characters that DuckDB takes for a pattern stand for themselves."""
    return f"[{', '.join(text(escape(str(path))) for path in paths)}]"
