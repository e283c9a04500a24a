"""`falcon audit close-days`: writes closed days as Parquet, from a fetched journal."""

from pathlib import Path
from typing import Annotated

import typer

from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.output import JsonFlag

JOURNAL_ENDS = "journal-ends.json"


def close_days(
    folder: Annotated[
        Path,
        typer.Argument(
            help="The folder that `falcon audit fetch --journal` wrote.",
            exists=True,
            file_okay=False,
        ),
    ],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write each UTC day that is complete in the fetched journal, as Parquet, to FOLDER/closed.

    Days that are closed already stay as they are. Exit code 3 for a journal that is not complete or
    was changed.
    """
    from falcon_balances.audit import closing  # noqa: PLC0415 - DuckDB
    from falcon_balances.contracts.closed_days import JournalEndsV1  # noqa: PLC0415

    path = folder / JOURNAL_ENDS
    if not path.is_file():
        raise InvalidInputError(f"{path} is missing: fetch the folder with --journal")
    ends = JournalEndsV1.read(JOURNAL_ENDS, path.read_bytes())
    with output.progress("segments", None) as advance:
        days = closing.close_days(folder, ends, folder / "closed", advance)
    rows = [{"date": each.date, "segments": each.segments, "lines": each.lines} for each in days]
    if as_json:
        output.document({"closed": rows})
    elif rows:
        output.table(
            list(rows[0]), [list(row.values()) for row in rows], right=["segments", "lines"]
        )
    output.note(f"{output.count(len(days), 'day')} closed")
