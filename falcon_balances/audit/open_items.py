"""What a PSP said and the bank did not show yet, or the other way round: by age."""

from collections.abc import Callable, Iterable
from datetime import date
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.lines import amounts, column
from falcon_balances.audit.log_objects import LogSource, Selection
from falcon_balances.audit.replay import Finding
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.domain.money import at_full_scale
from falcon_balances.domain.operations import PSP_STAGES, PSP_TYPES, Stage

# Days, and what is said of what is not older.
AGES: Final = ((1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"))
OLDER: Final = "older"
_KEYS: Final = ["falcon_operation_id", "currency"]


class OpenItem(NamedTuple):
    """An operation whose stages do not add up to the same. `minor`: confirmed less reconciled."""

    falcon_operation_id: str
    currency: str
    minor: int
    since: str
    """The first date that either stage bears, `YYYY-MM-DD`."""


class AgeRow(NamedTuple):
    """`debit`: confirmed and not reconciled; `credit`: refunds, or reconciled without it."""

    currency: str
    age: str
    operations: int
    debit: str
    credit: str


def open_items(
    source: LogSource, advance: Callable[[int], None] = lambda _objects: None
) -> list[OpenItem]:
    """What `psp_clearing` consists of, operation by operation; the oldest first."""
    parts = []
    findings: list[Finding] = []  # told by who replays the same log
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
        (OpenItem(**{name: row[name] for name in OpenItem._fields}) for row in left.to_pylist()),
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
                "minor": np.where(confirmed, minor, -minor),
                "since": pc.utf8_slice_codeunits(lines.column("operation_date"), 0, 10),
            }
        )
    )


def _summed(table: pa.Table) -> pa.Table:
    summed = table.group_by(_KEYS, use_threads=False).aggregate(
        [("minor", "sum"), ("since", "min")]
    )
    return summed.rename_columns({"minor_sum": "minor", "since_min": "since"})


def by_age(items: Iterable[OpenItem], today: date) -> list[AgeRow]:
    """Youngest first; ages without an open operation are left out."""
    found: dict[tuple[str, int], list[int]] = {}
    for item in items:
        days = (today - date.fromisoformat(item.since)).days
        bucket = sum(days > limit for limit, _ in AGES)
        found.setdefault((item.currency, bucket), []).append(item.minor)
    names = [name for _, name in AGES] + [OLDER]
    return [
        AgeRow(
            currency,
            names[bucket],
            len(minors),
            _scaled(sum(each for each in minors if each > 0), currency),
            _scaled(-sum(each for each in minors if each < 0), currency),
        )
        for (currency, bucket), minors in sorted(found.items())
    ]


def _scaled(minor: int, code: str) -> str:
    currency = written_currency(code)
    assert currency is not None  # noqa: S101 - the log was read with it
    return at_full_scale(minor, currency.exponent)
