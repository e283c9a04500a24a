"""What a PSP said and the bank did not show yet, or the other way round: by age."""

from collections.abc import Callable
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.lines import amounts, column
from falcon_balances.audit.log_objects import LogSource, Selection
from falcon_balances.audit.replay import WIDE, Finding
from falcon_balances.domain.operations import PSP_STAGES, PSP_TYPES, Stage

_KEYS: Final = ["falcon_operation_id", "currency"]


class OpenItem(NamedTuple):
    """An operation whose stages do not add up to the same. `minor`: confirmed less reconciled."""

    falcon_operation_id: str
    currency: str
    minor: int
    since: date
    """The first that either stage bears."""


def open_items(
    source: LogSource,
    findings: list[Finding],
    advance: Callable[[int], None] = lambda _objects: None,
) -> list[OpenItem]:
    """What `psp_clearing` consists of, operation by operation; the oldest first.

    What is left out goes to `findings`.
    """
    parts = []
    for table in tables_of(source, Selection(), findings, advance):
        wanted = pc.and_(
            pc.is_in(table.column("stage"), pa.array([str(each) for each in PSP_STAGES])),
            pc.is_in(table.column("type"), pa.array(sorted(str(each) for each in PSP_TYPES))),
        )
        some = table.filter(wanted).combine_chunks()
        if len(some):
            parts.append(_moved(some))
    if not parts:
        return []
    total = _summed(pa.concat_tables(parts))
    left = total.filter(pc.not_equal(total.column("minor"), 0))
    return sorted(
        (
            OpenItem(
                row["falcon_operation_id"],
                row["currency"],
                int(row["minor"]),
                date.fromisoformat(row["since"]),
            )
            for row in left.to_pylist()
        ),
        key=lambda item: (item.since, item),
    )


def _moved(lines: pa.Table) -> pa.Table:
    """What a chunk adds to each operation."""
    minor, _ = amounts(column(lines, "amount"))
    confirmed = pc.equal(lines.column("stage"), str(Stage.CONFIRMED)).to_numpy()
    return _summed(
        pa.table(
            {
                "falcon_operation_id": lines.column("falcon_operation_id"),
                "currency": lines.column("currency"),
                "minor": pa.array(np.where(confirmed, minor, -minor)).cast(WIDE),
                "since": pc.utf8_slice_codeunits(lines.column("operation_date"), 0, 10),
            }
        )
    )


def _summed(table: pa.Table) -> pa.Table:
    summed = table.group_by(_KEYS, use_threads=False).aggregate(
        [("minor", "sum"), ("since", "min")]
    )
    return summed.rename_columns({"minor_sum": "minor", "since_min": "since"})
