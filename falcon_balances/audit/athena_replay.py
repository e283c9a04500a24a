"""Replay of an environment's closed days by Athena: its files are not fetched, and lie as they are.

Athena reads what its table shows. So the table is compared with the days' descriptions first: it
must show each day with as many lines as its description says. Hashes of files are not compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

from falcon_balances.audit.closed_days import check_chain
from falcon_balances.audit.closed_sums import Query, closed_sums
from falcon_balances.audit.line_fields import DAY_LENGTH
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import Replayed
from falcon_balances.audit.sql import text
from falcon_balances.contracts.closed_days import ClosedDayV1
from falcon_balances.domain.errors import IntegrityError


class _Shown(NamedTuple):
    """What the table shows of one day: lines, and the first and last day of their quarters."""

    lines: int
    first: str
    last: str


def replay_by_athena(
    query: Query,
    table: str,
    days: Sequence[ClosedDayV1],
    selection: Selection,
    before: str | None = None,
) -> Replayed:
    """Like `replay`, of everything that was counted on the closed days; `objects` is their number.

    `query` must run in an engine that has the table `closed_days` under the name `table`. `days`:
    all descriptions, by day; later days are not read. Athena reads the columns five times. Raises
    IntegrityError if the table does not show what the descriptions say.
    """
    check_chain(days)
    if not days:
        return Replayed({}, {}, 0, 0, 0, ())
    rows = f'(select * from {table} where "date" <= {text(days[-1].date)})'  # noqa: S608 - our texts
    _check_shown(query, rows, days)
    added = closed_sums(query, [rows], selection, before)
    size = sum(file.size for day in days for file in day.files)
    return Replayed(added.sums, added.agreements, len(days), added.lines, size, added.findings)


def _check_shown(query: Query, rows: str, days: Sequence[ClosedDayV1]) -> None:
    shown = _shown(query, rows)
    for day in days:
        found = shown.pop(day.date, None)
        lines = 0 if found is None else found.lines
        if lines != day.lines:
            raise IntegrityError(
                f"{day.date}: Athena's table shows {lines} lines, "
                f"but the day's description says {day.lines}"
            )
        if found is not None and {found.first, found.last} != {day.date}:
            raise IntegrityError(f"{day.date}: Athena's table shows rows of another day")
    if shown:
        raise IntegrityError(f"{min(shown)}: Athena's table shows a day that no description names")
    lines = sum(day.lines for day in days)
    [[uuids]] = query(f"select count(distinct uuid) from {rows}")  # noqa: S608 - our texts
    if int(uuids) != lines:
        raise IntegrityError(f"Athena's table shows {lines} lines, but only {uuids} uuids")


def _shown(query: Query, rows: str) -> dict[str, _Shown]:
    found = query(
        'select "date", count(*), min(quarter), max(quarter) '  # noqa: S608 - our texts
        f"from {rows} group by 1"
    )
    return {
        day: _Shown(int(lines), first[:DAY_LENGTH], last[:DAY_LENGTH])
        for day, lines, first, last in found
    }
