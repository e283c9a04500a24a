"""Which day is made next, and of which pages of the journal."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import NamedTuple

from falcon_balances.adapters.closed_day_files import ClosedDayFiles
from falcon_balances.adapters.closed_journal import ClosedJournal
from falcon_balances.adapters.journal_of_day import journal_of_day
from falcon_balances.adapters.journal_ports import JournalPages
from falcon_balances.contracts import athena_sql
from falcon_balances.contracts.closed_days import ClosedDayV1
from falcon_balances.contracts.making_days import ListedDay
from falcon_balances.domain.closings import day_after, start_of
from falcon_balances.domain.journal import JournalPosition


class ListerPorts(NamedTuple):
    """`ends`: how far the newest complete cut closed the journals. `journal_root`: the address
    below which the pages lie. `database`: of Athena.
    """

    files: ClosedDayFiles
    journal: JournalPages
    journal_root: str
    ends: Callable[[], Mapping[str, JournalPosition]]
    first_day: Callable[[], str | None]
    database: str


def next_day(made: ClosedDayV1 | None, closed: str | None, ports: ListerPorts) -> date | None:
    """The first day that is closed and not made. The closer has closed `closed` and every day
    before it, so their journals are complete.
    """
    following = ports.first_day() if made is None else day_after(made.date)
    if closed is None or following is None or following > closed:
        return None
    return date.fromisoformat(following)


def list_day(day: date, run: str, made: ClosedDayV1 | None, ports: ListerPorts) -> ListedDay:
    """Reads the day's journal and writes the list of its pages. Raises IntegrityError.

    A day costs its own pages: their requests, and 400 bytes of memory for each segment of an hour.
    """
    reader = ClosedJournal(ports.journal, ports.ends(), made.positions if made else {})
    said = journal_of_day(reader, day)
    pages = [f"{ports.journal_root}{name.key}" for name in said.pages]
    ports.files.list_pages(day, run, pages)
    return ListedDay(
        day=day.isoformat(),
        run=run,
        journal={shard_id: each.text for shard_id, each in sorted(reader.positions.items())},
        segments=said.segments,
        lines=said.lines,
        unload=athena_sql.unload(ports.database, day, run, ports.files.location(day, run)),
        count=athena_sql.count(ports.database, day, run),
    )


def age_s(day: date | None, now: datetime) -> float:
    """How long ago the day began: at most 30 hours in a night that makes it."""
    return 0.0 if day is None else (now - start_of(day.isoformat())).total_seconds()
