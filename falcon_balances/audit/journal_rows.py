"""Journal pages as a table of DuckDB, for the SELECT of closed days."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from duckdb import DuckDBPyConnection

from falcon_balances.audit.duckdb_session import files
from falcon_balances.audit.sql import text
from falcon_balances.contracts.closed_day_query import PAGE_COLUMNS, STAND_INS

PAGES: Final = "pages"


def read_pages(engine: DuckDBPyConnection, pages: Sequence[Path]) -> None:
    """Makes the view PAGES of these files, of which there must be one, and the macros that the
    SELECT needs.
    """
    for macro in STAND_INS:
        engine.execute(macro)
    columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in PAGE_COLUMNS)
    engine.execute(
        f'create or replace view {PAGES} as select *, filename as "$path" from read_json('  # noqa: S608
        f"{files(pages)}, format = 'newline_delimited', auto_detect = false, filename = true, "
        f"columns = {{{columns}}})"
    )
