"""Closes days: writes what was counted on each UTC day as Parquet, from a folder of journal pages.

Each page is checked twice: `ClosedJournal` checks chain, hashes and entries, and counts the day's
segments; DuckDB makes the rows with the SELECT that Athena runs. Both must find the same segments.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from duckdb import DuckDBPyConnection

from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal_of_day import journal_of_day
from falcon_balances.audit.closed_days import days_between, described
from falcon_balances.audit.duckdb_session import files, session
from falcon_balances.audit.journal_folder import JournalFolder
from falcon_balances.audit.journal_rows import PAGES, read_pages
from falcon_balances.audit.sql import text
from falcon_balances.contracts.closed_day_query import closed_day
from falcon_balances.contracts.closed_days import (
    DESCRIPTION,
    ClosedDayV1,
    JournalEndsV1,
    ParquetFileV1,
    closed_day_of,
    day_folder,
)
from falcon_balances.contracts.journal_pages import read_page
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.journal import BEGINNING, JournalPosition, chained

_PARQUET: Final = "lines.parquet"
_DAY: Final = timedelta(days=1)


def close_days(
    journal: Path, ends: JournalEndsV1, closed: Path, advance: Callable[[int], None]
) -> list[ClosedDayV1]:
    """Closes the days after the last closed one that the cut of `ends` closed whole, and returns
    them. Raises IntegrityError; the days that were closed before the error stay closed.

    Python reads each page once, and at the end of an hour up to sixteen of a shard again; DuckDB
    reads a day's pages once more. Memory: as `ClosedJournal` for an hour, 1 GB for DuckDB, and 300
    bytes for each page of a day.
    """
    closed.mkdir(parents=True, exist_ok=True)
    pages = JournalFolder(journal)
    until = closed_until(ends.cut).date()
    earlier = described(closed)
    last = earlier[-1].said if earlier else None
    first = last.day + _DAY if last else first_day(pages, ends.positions)
    reader = ClosedJournal(pages, ends.positions, last.positions if last else {})
    done: list[ClosedDayV1] = []
    with session() as engine:
        for day in days_between(first or until, until):
            last = _close(day, pages, reader, closed, last, engine)
            done.append(last)
            advance(last.segments)
    return done


def first_day(pages: JournalFolder, ends: Mapping[str, JournalPosition]) -> date | None:
    """The day of the oldest entry: within a shard, and from a parent to its child, the quarters of
    new segments never go back. None for a journal without pages.
    """
    windows = []
    for shard_id, end in ends.items():
        for name in chained(shard_id, BEGINNING, end, pages.names(shard_id, 0))[:1]:
            windows += [entry.window for entry in read_page(name, pages.read(name)).entries]
    return min(windows).date() if windows else None


def _close(
    day: date,
    pages: JournalFolder,
    reader: ClosedJournal,
    closed: Path,
    before: ClosedDayV1 | None,
    engine: DuckDBPyConnection,
) -> ClosedDayV1:
    """The day's folder appears whole or not at all."""
    segments, lines, names = journal_of_day(reader, day)
    with TemporaryDirectory(dir=closed, prefix=".closing-") as name:
        made = Path(name) / "day"
        made.mkdir()
        if segments:
            path = made / _PARQUET
            _write(engine, day, [pages.path(each) for each in names], path)
            _check(engine, day, path, (segments, lines))
        files_made = tuple(_described(path) for path in sorted(made.iterdir()))
        previous = before.digest if before else None
        said = closed_day_of(day, previous, reader.positions, segments, lines, files_made)
        (made / DESCRIPTION).write_bytes(said.bytes_written)
        made.rename(closed / day_folder(day))
    return said


def _write(engine: DuckDBPyConnection, day: date, pages: Sequence[Path], path: Path) -> None:
    read_pages(engine, pages)
    query = closed_day(PAGES, day)
    engine.execute(f"copy ({query}) to {text(str(path))} (format parquet, compression zstd)")


def _check(engine: DuckDBPyConnection, day: date, path: Path, expected: tuple[int, int]) -> None:
    query = (
        "select count(distinct log_key), count(distinct (log_key, line)), count(*) "  # noqa: S608
        f"from read_parquet({files([path])})"
    )
    found = engine.execute(query).fetchone()
    if found != (*expected, expected[1]):
        raise IntegrityError(
            f"{day}: the journal has {expected[0]} segments with {expected[1]} lines, but the query"
            f" made {found}"
        )


def _described(path: Path) -> ParquetFileV1:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return ParquetFileV1(name=path.name, sha256=digest, size=path.stat().st_size)
