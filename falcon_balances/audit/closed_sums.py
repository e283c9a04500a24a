"""The figures of closed days, added up by an engine of SQL: DuckDB or Athena.

One text runs in both engines. Lines and effects are added up separately: both stages of every
operation are joined as in `replay`, and the effects that the reducer recorded must give the same
figures.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from falcon_balances.audit.balances import balances_of, currency_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.log_objects import Selection
from falcon_balances.audit.sql import text
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.audit.sums import Sum, SumKey
from falcon_balances.contracts.closed_day_query import EFFECTS, ROW_COLUMNS
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.available import Agreement, Joint
from falcon_balances.domain.balances import Balance
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import PSP_STAGES, OperationType, Stage

Query = Callable[[str], Iterable[Sequence[Any]]]
"""Runs one SELECT and returns its rows; numbers may come as texts, as Athena returns them."""

COUNTED_OTHERWISE: Final = "counted_otherwise"
_BALANCE: Final = "merchant_id, balance_shop_id, currency"
_NETS: Final = ", ".join(
    f"coalesce(sum(amount) filter (where stage = '{stage}'), 0) as {stage}" for stage in PSP_STAGES
)
# Reading the columns again for each query takes less time than keeping a row for each operation.
_SUMS: Final = f"""
select {_BALANCE}, stage, type, sum(amount), count(*) from lines group by 1, 2, 3, 4, 5"""  # noqa: S608 - our texts
# The rule of `domain/available.py`, for operations whose stages differ.
_AGREEMENTS: Final = f""",
standings as (
  select {_BALANCE}, {_NETS} from lines group by {_BALANCE}, falcon_operation_id
)
select {_BALANCE},
  sum(least(confirmed, reconciled)),
  sum(greatest(confirmed, 0) - greatest(least(confirmed, reconciled), 0)),
  sum(greatest(reconciled, 0) - greatest(least(confirmed, reconciled), 0)),
  sum(least(confirmed, 0) - least(confirmed, reconciled, 0)),
  sum(least(reconciled, 0) - least(confirmed, reconciled, 0))
from standings where confirmed <> reconciled group by 1, 2, 3"""  # noqa: S608 - our texts
_EFFECTS: Final = f"""
select {_BALANCE}, {", ".join(f"sum({name})" for name in EFFECTS)} from lines group by 1, 2, 3"""  # noqa: S608 - our texts


class ClosedSums(NamedTuple):
    """As in `Replayed`. Findings are for balances that were counted otherwise."""

    sums: Mapping[SumKey, Sum]
    agreements: Mapping[BalanceId, Agreement]
    findings: Sequence[LogFinding]

    @property
    def lines(self) -> int:
        return sum(each.lines for each in self.sums.values())


def closed_sums(
    query: Query, tables: Sequence[str], selection: Selection, before: str | None
) -> ClosedSums:
    """Adds up the rows of the tables, each with ROW_COLUMNS and each line once.

    It keeps a sum for each merchant, balance, currency, stage and type. Raises IntegrityError for
    an amount that its currency cannot have.
    """
    lines = f"with lines as ({_selected(tables, selection, before)})"
    sums = dict(sorted(map(_sum, query(lines + _SUMS))))
    agreements = dict(map(_agreement, query(lines + _AGREEMENTS)))
    effects = dict(map(_effect, query(lines + _EFFECTS)))
    # Parts of a segment may be outside of other selections.
    is_whole = selection == Selection(selection.merchant_id) and before is None
    findings = _otherwise(balances_of(sums, agreements), effects) if is_whole else []
    return ClosedSums(sums, agreements, findings)


def _selected(tables: Sequence[str], selection: Selection, before: str | None) -> str:
    conditions = {
        "merchant_id =": selection.merchant_id,
        "stage =": selection.stage,
        "operation_date >=": selection.since,
        "operation_date <": selection.until,
        "operation_date  <": before,
    }
    wanted = [f"{name} {text(str(each))}" for name, each in conditions.items() if each is not None]
    where, columns = " and ".join(wanted or ["true"]), ", ".join(ROW_COLUMNS)
    return " union all ".join(f"select {columns} from {each} where {where}" for each in tables)  # noqa: S608 - our texts


def _sum(row: Sequence[Any]) -> tuple[SumKey, Sum]:
    merchant_id, shop, currency, stage, line_type, amount, lines = row
    minor = _minor(BalanceId(merchant_id, shop, currency), amount)
    key = SumKey(merchant_id, shop, currency, Stage(stage), OperationType(line_type))
    return key, Sum(minor, int(lines))


def _agreement(row: Sequence[Any]) -> tuple[BalanceId, Agreement]:
    balance = BalanceId(*row[:3])
    return balance, Agreement(*(_minor(balance, each) for each in row[3:]))


def _effect(row: Sequence[Any]) -> tuple[BalanceId, Joint]:
    return BalanceId(*row[:3]), Joint(*(int(Decimal(each)) for each in row[3:]))


def _minor(balance: BalanceId, amount: Decimal | str) -> int:
    """The amount in minor units. Raises IntegrityError if the balance's currency cannot have it."""
    currency = written_currency(balance.currency)
    minor = None if currency is None else Decimal(amount).scaleb(currency.exponent)
    if minor is None or minor != int(minor):
        raise IntegrityError(f"{balance}: has an amount that its currency cannot have")
    return int(minor)


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
