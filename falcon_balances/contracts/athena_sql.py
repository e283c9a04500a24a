"""What Athena runs to make a closed day: its rows into Parquet files, then a count of those files.

`run` names one attempt: its list of pages and its files lie apart from those of every other.
"""

from datetime import date
from typing import Final

from falcon_balances.contracts.closed_day_query import closed_day

# Tables of the environment's database in Glue (infra/parts/closed_day_tables.py).
PAGES_OF_A_RUN: Final = "journal_pages_of_a_run"
ROWS_OF_A_RUN: Final = "closed_day_of_a_run"
COUNTS: Final = ("segments", "lines", "rows")


def unload(database: str, day: date, run: str, location: str) -> str:
    """Writes the day's rows below `location`, which must be empty.

    https://docs.aws.amazon.com/athena/latest/ug/unload.html
    """
    select = closed_day(f"{database}.{PAGES_OF_A_RUN}", day, _of(day, run))
    return f"unload (\n{select}\n) to '{location}' with (format = 'PARQUET', compression = 'ZSTD')"


def count(database: str, day: date, run: str) -> str:
    """One row of COUNTS: log objects, their lines, and rows, of the files that `unload` wrote."""
    return (
        "select count(distinct log_key) as segments,"  # noqa: S608 - our texts
        " count(distinct concat(log_key, '#', cast(line as varchar))) as lines, count(*) as rows"
        f" from {database}.{ROWS_OF_A_RUN} where {_of(day, run)}"
    )


def _of(day: date, run: str) -> str:
    return f"\"date\" = '{day.isoformat()}' and run = '{run}'"
