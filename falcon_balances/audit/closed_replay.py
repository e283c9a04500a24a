"""Replay of closed days: the same balances as from the log's objects, added up by DuckDB.

Lines and effects are added up separately: both stages of every operation are joined as in `replay`,
and the effects that the reducer recorded must give the same figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb

from falcon_balances.audit.balances import balances_of, currency_of
from falcon_balances.audit.closed_days import DayInFolder, check_files, described, files_of
from falcon_balances.audit.counted_since import CountedSince
from falcon_balances.audit.duckdb_session import files, session, text
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.journal_rows import PAGES, read_pages
from falcon_balances.audit.line_fields import DAY_LENGTH
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import Replayed
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.sums import Sum, SumKey
from falcon_balances.contracts.closed_day_query import EFFECTS, ROW_COLUMNS, counted_from
from falcon_balances.contracts.closed_days import ClosedDayV1, day_folder
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.available import Agreement, Joint
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import PSP_STAGES, OperationType, Stage

Engine = duckdb.DuckDBPyConnection

COUNTED_OTHERWISE: Final = "counted_otherwise"
_SINCE: Final = "counted_since"
_BALANCE: Final = "merchant_id, balance_shop_id, currency"
_NETS: Final = ", ".join(
    f"coalesce(sum(amount) filter (stage = '{stage}'), 0) as {stage}" for stage in PSP_STAGES
)
# Reading the columns again for each query takes less time than keeping a row for each operation.
_SUMS: Final = f"select {_BALANCE}, stage, type, sum(amount), count(*) from lines group by all"  # noqa: S608
# The rule of `domain/available.py`, for operations whose stages differ.
_AGREEMENTS: Final = f"""
with standings as (
  select {_BALANCE}, {_NETS} from lines group by {_BALANCE}, falcon_operation_id
)
select {_BALANCE},
  sum(least(confirmed, reconciled)),
  sum(greatest(confirmed, 0) - greatest(least(confirmed, reconciled), 0)),
  sum(greatest(reconciled, 0) - greatest(least(confirmed, reconciled), 0)),
  sum(least(confirmed, 0) - least(confirmed, reconciled, 0)),
  sum(least(reconciled, 0) - least(confirmed, reconciled, 0))
from standings where confirmed <> reconciled group by all"""  # noqa: S608
_EFFECTS: Final = (
    f"select {_BALANCE}, {', '.join(f'sum({name})' for name in EFFECTS)} "  # noqa: S608
    "from lines group by all"
)


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
            engine.execute(f"create view lines as {_selected(parts, selection, before)}")
            sums, agreements = _sums(engine), _agreements(engine)
            effects = _effects(engine)
        is_whole = selection == Selection(selection.merchant_id) and before is None
        findings = _otherwise(balances_of(sums, agreements), effects) if is_whole else []
        lines = sum(each.lines for each in sums.values())
        return Replayed(sums, agreements, len(self._days), lines, self._size, findings)

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


def _selected(parts: Sequence[str], selection: Selection, before: str | None) -> str:
    conditions = {
        "merchant_id =": selection.merchant_id,
        "stage =": selection.stage,
        "operation_date >=": selection.since,
        "operation_date <": selection.until,
        "operation_date  <": before,
    }
    wanted = [f"{name} {text(str(each))}" for name, each in conditions.items() if each is not None]
    where, columns = " and ".join(wanted or ["true"]), ", ".join(ROW_COLUMNS)
    return " union all ".join(f"select {columns} from {each} where {where}" for each in parts)  # noqa: S608


def _sums(engine: Engine) -> dict[SumKey, Sum]:
    sums = {}
    for *key, stage, line_type, amount, lines in engine.execute(_SUMS).fetchall():
        balance = BalanceId(*key)
        minor = _minor(balance, amount)
        sums[SumKey(*balance, Stage(stage), OperationType(line_type))] = Sum(minor, int(lines))
    return dict(sorted(sums.items()))


def _agreements(engine: Engine) -> dict[BalanceId, Agreement]:
    return {
        (balance := BalanceId(*row[:3])): Agreement(*(_minor(balance, each) for each in row[3:]))
        for row in engine.execute(_AGREEMENTS).fetchall()
    }


def _minor(balance: BalanceId, amount: Decimal) -> int:
    """The amount in minor units. Raises IntegrityError if the balance's currency cannot have it."""
    currency = written_currency(balance.currency)
    minor = None if currency is None else amount.scaleb(currency.exponent)
    if minor is None or minor != int(minor):
        raise IntegrityError(f"{balance}: has an amount that its currency cannot have")
    return int(minor)


def _effects(engine: Engine) -> dict[BalanceId, Joint]:
    rows = engine.execute(_EFFECTS).fetchall()
    return {BalanceId(*row[:3]): Joint(*map(int, row[3:])) for row in rows}


def _otherwise(
    lines: Mapping[BalanceId, Balance], effects: Mapping[BalanceId, Joint]
) -> list[LogFinding]:
    """The balances whose effects do not add up to the figures that follow from their lines."""
    findings = []
    for each, balance in lines.items():
        for name, said in effects[each]._asdict().items():
            expected = getattr(balance, name)
            if expected != said:
                texts = [
                    at_full_scale(minor, currency_of(each).exponent) for minor in (said, expected)
                ]
                detail = f"{name}: effects add up to {texts[0]}, lines to {texts[1]}"
                findings.append(LogFinding("/".join(each), COUNTED_OTHERWISE, detail))
    return findings
