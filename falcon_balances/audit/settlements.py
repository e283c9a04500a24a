"""The log's side of a reconciliation: adds up operations with Arrow, for a log of any size."""

from collections.abc import Callable, Collection
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.line_fields import amounts, column
from falcon_balances.audit.log_objects import LogSource, Selection
from falcon_balances.audit.sums import WIDE
from falcon_balances.domain.bank_statement_lines import Period
from falcon_balances.domain.logged_operations import SETTLED_TYPES, LoggedOperation
from falcon_balances.domain.operations import Stage

_OF_LINE = ["falcon_operation_id", "stage", "currency", "external_reference", "psp_id"]
_OF_OPERATION = [*_OF_LINE, "merchant_id"]


def operations_in(
    source: LogSource,
    stages: Collection[Stage],
    period: Period,
    findings: list[LogFinding],
    advance: Callable[[int], None] = lambda _objects: None,
) -> list[LoggedOperation]:
    """Like `logged_operations` for the same objects. Objects left out go to `findings`."""
    parts = [
        _summed(_settled(table))
        for stage in stages
        for table in tables_of(source, _selection(stage, period), findings, advance)
    ]
    if not parts:
        return []
    total = pa.concat_tables(parts).group_by(_OF_OPERATION, use_threads=False)
    rows = total.aggregate([("minor", "sum"), ("day", "min")]).to_pylist()
    return [
        LoggedOperation(
            row["external_reference"],
            row["psp_id"],
            int(row["minor_sum"]),
            row["currency"],
            date.fromisoformat(row["day_min"]),
            row["falcon_operation_id"],
            Stage(row["stage"]),
            row["merchant_id"],
        )
        for row in rows
    ]


def _selection(stage: Stage, period: Period) -> Selection:
    return Selection(
        stage=stage,
        since=None if period.since is None else period.since.isoformat(),
        until=None if period.until is None else period.until.isoformat(),
    )


def _settled(lines: pa.Table) -> pa.Table:
    wanted = pc.is_in(lines.column("type"), pa.array(sorted(str(each) for each in SETTLED_TYPES)))
    return lines.filter(wanted).combine_chunks()


def _summed(lines: pa.Table) -> pa.Table:
    minor, _ = amounts(column(lines, "amount"))
    table = pa.table(
        {
            **{name: lines.column(name) for name in _OF_LINE},
            "merchant_id": _merchants(lines),
            "minor": pa.array(minor).cast(WIDE),
            "day": pc.utf8_slice_codeunits(lines.column("operation_date"), 0, 10),
        }
    )
    summed = table.group_by(_OF_OPERATION, use_threads=False).aggregate(
        [("minor", "sum"), ("day", "min")]
    )
    return summed.rename_columns({"minor_sum": "minor", "day_min": "day"})


def _merchants(lines: pa.Table) -> pa.Array:
    """The merchant of each payout line, else "": a PSP's operation is one for all its merchants."""
    is_payout = pc.equal(lines.column("stage"), str(Stage.PAYOUT))
    return pc.if_else(is_payout, lines.column("merchant_id"), "")
