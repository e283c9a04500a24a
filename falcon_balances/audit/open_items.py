"""Finds amounts that only one side has reported, by operation, and since when."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.line_fields import amounts, column
from falcon_balances.audit.log_objects import LogSource, Selection
from falcon_balances.audit.sums import WIDE
from falcon_balances.domain.available import agreement
from falcon_balances.domain.operations import PSP_STAGES, Stage

# The open figures, in the order of the documents.
OPEN_FIGURES: Final = ("pending", "unapplied", "debits_unconfirmed", "debits_untraced")
_KEYS: Final = ["falcon_operation_id", "merchant_id", "balance_shop_id", "currency"]
_NETS: Final = [("confirmed", "sum"), ("reconciled", "sum"), ("since", "min")]


class OpenFigure(NamedTuple):
    """One operation's part of one open figure of one balance; `minor` is above zero."""

    since: date
    """The earliest day of either stage."""
    falcon_operation_id: str
    merchant_id: str
    balance_shop_id: str
    currency: str
    figure: str
    minor: int


def open_items(
    source: LogSource,
    findings: list[LogFinding],
    advance: Callable[[int], None] = lambda _objects: None,
    also: Callable[[pa.Table], object] = lambda _lines: None,
) -> list[OpenFigure]:
    """The open items of all balances, the oldest first.

    Objects left out go to `findings`. Memory grows with the operations in the log. `also` is
    called with every line, in tables with the schema of an extract, so the caller need not read the
    log again.
    """
    parts = []
    for table in tables_of(source, Selection(), findings, advance):
        also(table)
        some = table.filter(pc.is_in(table.column("stage"), pa.array(map(str, PSP_STAGES))))
        if len(some):
            parts.append(_nets_of(some.combine_chunks()))
    if not parts:
        return []
    nets = _summed(pa.concat_tables(parts))
    differ = nets.filter(pc.not_equal(nets.column("confirmed"), nets.column("reconciled")))
    return sorted(item for row in differ.to_pylist() for item in _items(row))


def _items(row: Mapping[str, Any]) -> Iterator[OpenFigure]:
    agreed = agreement(int(row["confirmed"]), int(row["reconciled"]))
    since = date.fromisoformat(row["since"])
    for figure in OPEN_FIGURES:
        if minor := getattr(agreed, figure):
            yield OpenFigure(
                since,
                row["falcon_operation_id"],
                row["merchant_id"],
                row["balance_shop_id"],
                row["currency"],
                figure,
                minor,
            )


def _nets_of(lines: pa.Table) -> pa.Table:
    """The sums of these lines for each operation at each balance."""
    minor, _ = amounts(column(lines, "amount"))
    confirmed = pc.equal(lines.column("stage"), str(Stage.CONFIRMED)).to_numpy()
    return _summed(
        pa.table(
            {
                **{name: lines.column(name) for name in _KEYS},
                "confirmed": pa.array(np.where(confirmed, minor, 0)).cast(WIDE),
                "reconciled": pa.array(np.where(confirmed, 0, minor)).cast(WIDE),
                "since": pc.utf8_slice_codeunits(lines.column("operation_date"), 0, 10),
            }
        )
    )


def _summed(table: pa.Table) -> pa.Table:
    summed = table.group_by(_KEYS, use_threads=False).aggregate(_NETS)
    return summed.rename_columns({f"{name}_{how}": name for name, how in _NETS})
