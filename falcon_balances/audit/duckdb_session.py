"""A connection to DuckDB: bounded memory, nothing from the network, and our texts as its literals.

Beyond its memory DuckDB uses a temporary folder. Zone, calendar, collation and secrets are those
named here, never the machine's.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import duckdb

from falcon_balances.audit.sql import text

_MEMORY: Final = "1GB"


@contextmanager
def session() -> Iterator[duckdb.DuckDBPyConnection]:
    with TemporaryDirectory(prefix="falcon-duckdb-") as name:
        options: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": _MEMORY,
            "temp_directory": name,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_persistent_secrets": "false",
            "default_collation": "",
        }
        with duckdb.connect(config=options) as connection:
            connection.execute("set enable_progress_bar = false")
            # DuckDB takes both from the machine as soon as an instant becomes a day or a text.
            connection.execute("set TimeZone = 'UTC'")
            connection.execute("set Calendar = 'gregorian'")
            yield connection


def files(paths: Sequence[Path]) -> str:
    """The paths as an SQL list; characters that DuckDB takes for a pattern stand for themselves."""
    return f"[{', '.join(text(escape(str(path))) for path in paths)}]"
