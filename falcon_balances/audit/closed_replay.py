"""Replay of closed days in a folder: the same balances as from the log's objects, by DuckDB."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import duckdb

from falcon_balances.audit.closed_days import DayInFolder, check_files, described, files_of
from falcon_balances.audit.closed_sums import Query, closed_sums
from falcon_balances.audit.counted_since import CountedSince
from falcon_balances.audit.duckdb_session import files, session
from falcon_balances.audit.journal_rows import PAGES, read_pages
from falcon_balances.audit.line_fields import DAY_LENGTH
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import Replayed
from falcon_balances.contracts.closed_day_query import counted_from
from falcon_balances.contracts.closed_days import ClosedDayV1, day_folder
from falcon_balances.domain.errors import IntegrityError

Engine = duckdb.DuckDBPyConnection

_SINCE: Final = "counted_since"


class ClosedDays:
    """The closed days in a folder. Raises IntegrityError for a folder that closing did not leave
    so: nothing of it counts. Every byte is read once for that.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._days = described(folder)
        self._size = check_files(self._days)
        self._with_lines = [day for day in self._days if day.said.lines]
        if self._with_lines:
            with session() as engine, self._named_errors():
                _check_rows(engine, self._with_lines)

    @property
    def last(self) -> ClosedDayV1:
        return self._days[-1].said

    @property
    def segments(self) -> int:
        return sum(day.said.segments for day in self._days)

    def replay(
        self,
        selection: Selection,
        before: str | None = None,
        since: CountedSince | None = None,
    ) -> Replayed:
        """Like `replay`, of everything that was counted on the closed days, and `since`; `objects`
        is the number of days.

        Memory is bounded by DuckDB's; it keeps a row for each operation and balance, in a temporary
        folder if they are many.
        """
        parts = [_parquet(self._with_lines)] if self._with_lines else []
        with session() as engine, self._named_errors():
            if since is not None and since.segments:
                _make_rows(engine, since, parts)
                parts.append(_SINCE)
            if not parts:
                return Replayed({}, {}, len(self._days), 0, self._size, ())
            added = closed_sums(_query(engine), parts, selection, before)
        return Replayed(
            added.sums, added.agreements, len(self._days), added.lines, self._size, added.findings
        )

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise IntegrityError(f"{self._folder}: its rows cannot be read: {said}") from error


def replay_closed(folder: Path, selection: Selection, before: str | None = None) -> Replayed:
    """Like `replay`, of everything that was counted on the closed days. Raises IntegrityError."""
    return ClosedDays(folder).replay(selection, before)


def _make_rows(engine: Engine, since: CountedSince, closed: Sequence[str]) -> None:
    """The table _SINCE. Raises IntegrityError if its rows are not those of the journal, or if a
    line is in the closed days already.
    """
    read_pages(engine, since.pages)
    engine.execute(f"create temp table {_SINCE} as {counted_from(PAGES, since.first)}")
    found = engine.execute(
        f"select count(distinct log_key), count(distinct uuid), count(*) from {_SINCE}"  # noqa: S608
    ).fetchone()
    if found != (since.segments, since.lines, since.lines):
        raise IntegrityError(
            f"the journal has {since.segments} segments with {since.lines} lines since "
            f"{since.first}, but the query made {found}"
        )
    for parquet in closed:
        again = engine.execute(
            f"select min(log_key) from {_SINCE} semi join {parquet} using (uuid)"  # noqa: S608
        ).fetchone()
        if again is not None and again[0] is not None:
            raise IntegrityError(f"{again[0]}: counted on a closed day, and again since")


def _check_rows(engine: Engine, days: Sequence[DayInFolder]) -> None:
    """Raises IntegrityError for rows of another day, another number of them, or the same twice."""
    counted = dict.fromkeys((day.folder.name for day in days), 0)
    days_of = {str(path): day.folder.name for day in days for path in day.files}
    rows = engine.execute(
        "select filename, count(*), min(quarter), max(quarter) "  # noqa: S608 - our texts
        f"from {_parquet(days)} group by filename"
    ).fetchall()
    for name, count, first, last in rows:
        place = days_of[name]
        if {day_folder(date.fromisoformat(each[:DAY_LENGTH])) for each in (first, last)} != {place}:
            raise IntegrityError(f"{place}/{Path(name).name}: has rows of another day")
        counted[place] += count
    for day in days:
        if counted[day.folder.name] != day.said.lines:
            raise IntegrityError(f"{day.folder.name}: has other lines than its description says")
    query = f"select count(distinct hash(uuid)) from {_parquet(days)}"  # noqa: S608
    hashes = engine.execute(query).fetchone()
    if hashes != (sum(counted.values()),):
        _check_repeats(engine, days)


def _check_repeats(engine: Engine, days: Sequence[DayInFolder]) -> None:
    """Compares whole uuids, because two uuids can have the same hash."""
    repeated = engine.execute(
        "select min(log_key), max(log_key), min(quarter), max(quarter) "  # noqa: S608
        f"from {_parquet(days)} group by uuid having count(*) > 1 order by all limit 1"
    ).fetchone()
    if repeated is not None:
        key, other, first, last = repeated
        raise IntegrityError(f"{key}, counted in {first}, has a line of {other}, counted in {last}")


def _parquet(days: Sequence[DayInFolder]) -> str:
    return f"read_parquet({files(files_of(days))}, hive_partitioning = false, filename = true)"


def _query(engine: Engine) -> Query:
    return lambda select: engine.execute(select).fetchall()
