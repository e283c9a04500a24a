"""Replay of closed days: the same balances as from the log's objects, added up by DuckDB.

Lines and effects are added up separately: both stages of every operation are joined as in `replay`,
and the effects that the reducer recorded must give the same figures.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb

from falcon_balances.audit.balances import balances_of, currency_of
from falcon_balances.audit.closed_day_query import EFFECTS
from falcon_balances.audit.closed_days import DayInFolder, check_files, described, files_of
from falcon_balances.audit.duckdb_session import files, session, text
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.line_fields import DAY_LENGTH
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.replay import Replayed
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.sums import Sum, SumKey
from falcon_balances.contracts.closed_days import day_folder
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.available import Agreement, Joint
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import PSP_STAGES, OperationType, Stage

Engine = duckdb.DuckDBPyConnection

COUNTED_OTHERWISE: Final = "counted_otherwise"
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


def replay_closed(folder: Path, selection: Selection, before: str | None = None) -> Replayed:
    """Like `replay`, of everything that was counted on the closed days; `objects` is the number of
    days. Raises IntegrityError for a folder that was changed after closing: nothing in it counts.

    Memory is bounded by DuckDB's; it keeps a row for each operation and balance, in a temporary
    folder if they are many.
    """
    days = described(folder)
    size = check_files(days)
    if not any(day.said.lines for day in days):
        return Replayed({}, {}, len(days), 0, size, ())
    with session() as engine:
        try:
            _check_rows(engine, days)
            engine.execute(f"create view lines as {_selected(days, selection, before)}")
            sums, agreements = _sums(engine), _agreements(engine)
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            raise IntegrityError(f"{folder}: its rows cannot be read: {said}") from error
        is_whole = selection == Selection(selection.merchant_id) and before is None
        findings = _otherwise(balances_of(sums, agreements), _effects(engine)) if is_whole else []
    return Replayed(
        sums, agreements, len(days), sum(each.lines for each in sums.values()), size, findings
    )


def _check_rows(engine: Engine, days: Sequence[DayInFolder]) -> None:
    """Raises IntegrityError for rows of another day, a wrong number of rows, or a repeated row."""
    counted: dict[str, int] = {}
    rows = engine.execute(
        "select filename, count(*), min(quarter), max(quarter) "  # noqa: S608 - our texts
        f"from {_parquet(days)} group by filename"
    ).fetchall()
    for name, count, first, last in rows:
        place = Path(name).parent.name
        if {day_folder(date.fromisoformat(each[:DAY_LENGTH])) for each in (first, last)} != {place}:
            raise IntegrityError(f"{place}/{Path(name).name}: has rows of another day")
        counted[place] = counted.get(place, 0) + count
    for day in days:
        if counted.get(day.folder.name, 0) != day.said.lines:
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


def _selected(days: Sequence[DayInFolder], selection: Selection, before: str | None) -> str:
    conditions = {
        "merchant_id =": selection.merchant_id,
        "stage =": selection.stage,
        "operation_date >=": selection.since,
        "operation_date <": selection.until,
        "operation_date  <": before,
    }
    wanted = [f"{name} {text(str(each))}" for name, each in conditions.items() if each is not None]
    return f"select * from {_parquet(days)} where {' and '.join(wanted or ['true'])}"  # noqa: S608


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
