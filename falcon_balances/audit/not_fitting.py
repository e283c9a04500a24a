"""Finds operations that do not fit together (design §7) from the log alone, by the reducer's rules.

The log records whose balances an event changes, not which merchant it names. So PSP and
reference identify a sale here, also for its refunds, chargebacks and reversals.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.findings import LogFinding
from falcon_balances.audit.line_fields import amounts, column
from falcon_balances.audit.log_objects import LogSource, Selection
from falcon_balances.audit.not_fitting_rows import (
    AT,
    FEE,
    NETS,
    OPERATION,
    grouped,
    row_by_row,
    sale_of,
    standing_of,
)
from falcon_balances.audit.sums import WIDE
from falcon_balances.domain.findings import (
    Finding,
    FindingKind,
    findings_of_sale,
    findings_of_standing,
)
from falcon_balances.domain.operations import PSP_STAGES, OperationType, Stage
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_parts import OF_A_SALE

_NAMES: Final = ["psp_id", "external_reference", "original_reference"]
_KEYS: Final = [*AT, "balance_shop_id", "currency", "type", *_NAMES]
_LINES: Final = ("confirmed_lines", "reconciled_lines")
_PARTS_MAX: Final = 64
_OF_THEMSELVES: Final = pa.array([OperationType.CAPTURE.value, FEE.value])
_TAKING: Final = pa.array(sorted(map(str, OF_A_SALE)))


class Noted(NamedTuple):
    """A finding, with the names of its operation or sale and the balances that it touches."""

    finding: Finding
    psp_id: str
    reference: str
    merchants: tuple[str, ...]


class Asked(NamedTuple):
    """The wanted operations, by id, and sales, by `{psp_id}#{reference}`: arrays of texts."""

    operations: pa.Array
    sales: pa.Array


class Facts:
    """The nets of all operations, or only of `asked`; memory grows with their number."""

    def __init__(self, asked: Asked | None = None) -> None:
        self._asked = asked
        self._parts: list[pa.Table] = []
        self._credited: dict[tuple[str, str], int] = {}

    def add(self, lines: pa.Table) -> None:
        """Adds lines of any stage, a table with the schema of an extract."""
        stages = lines.column("stage")
        of_psp = lines.filter(pc.is_in(stages, pa.array([str(each) for each in PSP_STAGES])))
        if self._asked is not None:
            is_asked = pc.is_in(of_psp.column(OPERATION), self._asked.operations)
            of_a_sale = pc.is_in(_sale_names(of_psp), self._asked.sales)
            of_psp = of_psp.filter(pc.or_(is_asked, of_a_sale))
        if len(of_psp):
            self._parts.append(_nets_of(of_psp.combine_chunks()))
        if len(self._parts) > _PARTS_MAX:
            self._parts = [_summed(pa.concat_tables(self._parts), _KEYS)]
        corrections = pc.and_(
            pc.equal(stages, str(Stage.ADJUSTMENT)),
            pc.not_equal(lines.column("original_reference"), ""),
        )
        self._correct(lines.filter(corrections))

    def _correct(self, lines: pa.Table) -> None:
        if self._asked is not None:
            corrected = lines.column("original_reference")
            lines = lines.filter(pc.is_in(corrected, self._asked.operations))
        if not len(lines):
            return
        minor, _ = amounts(column(lines.combine_chunks(), "amount"))
        names = [lines.column(name).to_pylist() for name in ("original_reference", "merchant_id")]
        for operation_id, merchant_id, amount in zip(*names, minor.tolist(), strict=True):
            at = (operation_id, merchant_id)
            self._credited[at] = self._credited.get(at, 0) + amount

    def asked(self) -> Asked:
        """The operations of these lines, and their sales, to look up at other merchants."""
        rows = self._rows()
        return Asked(
            pc.unique(rows.column(OPERATION)),
            pc.unique(_sale_names(rows)),
        )

    def of_standings(self) -> Iterator[Noted]:
        """The findings of each operation at one merchant, by `findings_of_standing`."""
        rows = self._rows()
        differ = pc.not_equal(rows.column("confirmed"), rows.column("reconciled"))
        both = self._at_merchants()
        both = both.filter(pc.and_(both.column("confirmed"), both.column("reconciled")))
        wanted = rows.filter(differ).join(both.select(AT), AT, join_type="left semi").select(AT)
        credited = pa.table(
            {
                OPERATION: pa.array([each for each, _ in self._credited], pa.string()),
                "merchant_id": pa.array([each for _, each in self._credited], pa.string()),
            }
        )
        wanted = pa.concat_tables([wanted, credited])
        for (operation_id, merchant_id), some in grouped(rows.join(wanted, AT, None, "left semi")):
            credit = self._credited.get((operation_id, merchant_id), 0)
            standing = standing_of(operation_id, merchant_id, some, credit)
            for finding in findings_of_standing(standing):
                names = (standing.psp_id, standing.external_reference)
                yield Noted(finding, *names, (merchant_id,))

    def of_merchants(self) -> Iterator[Noted]:
        """Operations whose stages name different merchants, one finding for each merchant. A stage
        names a merchant only if it has a net amount there.
        """
        at = self._at_merchants()
        said = at.append_column(
            "differs", pc.not_equal(at.column("confirmed"), at.column("reconciled"))
        )
        flags = [*NETS, "differs"]
        total = said.group_by([OPERATION], use_threads=False).aggregate(
            [(name, "any") for name in flags]
        )
        is_open = total.column("confirmed_any")
        for name in ("reconciled_any", "differs_any"):
            is_open = pc.and_(is_open, total.column(name))
        wanted = total.filter(is_open).select([OPERATION])
        rows = self._rows().join(wanted, [OPERATION], None, "left semi").sort_by(OPERATION)
        for operation_id, group in groupby(rows.to_pylist(), lambda row: row[OPERATION]):
            some = list(group)
            finding = Finding(FindingKind.MERCHANTS_CONTRADICT, operation_id, {})
            names = (some[0]["psp_id"], some[0]["external_reference"])
            merchants = sorted({row["merchant_id"] for row in some})
            for merchant_id in merchants:
                yield Noted(finding, *names, (merchant_id,))

    def of_sales(self) -> Iterator[Noted]:
        """The findings of sales with refunds, chargebacks or reversals, by `findings_of_sale`."""
        rows = self._rows()
        # A refund that names no sale belongs to none, even if its own reference is a sale's.
        names_it = pc.not_equal(rows.column("original_reference"), "")
        of_itself = pc.is_in(rows.column("type"), _OF_THEMSELVES)
        of_a_sale = pc.and_(pc.is_in(rows.column("type"), _TAKING), names_it)
        rows = rows.filter(pc.or_(of_itself, of_a_sale))
        rows = rows.append_column("sale", _sale_names(rows))
        wanted = pc.unique(_sale_names(self._taking()))
        rows = rows.filter(pc.is_in(rows.column("sale"), wanted)).sort_by("sale")
        for name, group in groupby(row_by_row(rows), lambda row: row["sale"]):
            some = list(group)
            merchants = tuple(sorted({row["merchant_id"] for row in some}))
            # Any merchant will do: the log does not record which merchant an event named.
            key = SaleKey.parse_name(name, merchants[0])
            sale = sale_of(key, some)
            for finding in findings_of_sale(sale):
                yield Noted(finding, key.psp_id, key.reference, merchants)

    def all(self) -> list[Noted]:
        return [*self.of_sales(), *self.of_standings(), *self.of_merchants()]

    def _rows(self) -> pa.Table:
        """The sums of all lines so far; each key is in one row."""
        empty = pa.schema(
            [(name, pa.string()) for name in _KEYS]
            + [(name, WIDE) for name in NETS]
            + [(name, pa.int64()) for name in _LINES]
        ).empty_table()
        self._parts = [_summed(pa.concat_tables([empty, *self._parts]), _KEYS)]
        return self._parts[0]

    def _taking(self) -> pa.Table:
        rows = self._rows()
        is_taking = pc.is_in(rows.column("type"), _TAKING)
        return rows.filter(pc.and_(is_taking, pc.not_equal(rows.column("original_reference"), "")))

    def _at_merchants(self) -> pa.Table:
        """Whether each stage has a net amount at each merchant of an operation."""
        rows = self._rows()
        told = pa.table(
            {name: rows.column(name) for name in AT}
            | {name: pc.not_equal(rows.column(name), 0) for name in NETS}
        )
        total = told.group_by(AT, use_threads=False).aggregate([(each, "any") for each in NETS])
        return total.rename_columns({f"{name}_any": name for name in NETS})


def facts_of(
    source: LogSource,
    selection: Selection,
    asked: Asked | None = None,
    advance: Callable[[int], None] = lambda _objects: None,
) -> Facts:
    """Reads the selection once; flawed objects are left out."""
    facts = Facts(asked)
    flaws: list[LogFinding] = []
    for table in tables_of(source, selection, flaws, advance):
        facts.add(table)
    return facts


def _nets_of(lines: pa.Table) -> pa.Table:
    minor, _ = amounts(column(lines, "amount"))
    confirmed = pc.equal(lines.column("stage"), str(Stage.CONFIRMED)).to_numpy()
    return _summed(
        pa.table(
            {name: lines.column(name) for name in _KEYS}
            | {
                "confirmed": pa.array(np.where(confirmed, minor, 0)).cast(WIDE),
                "reconciled": pa.array(np.where(confirmed, 0, minor)).cast(WIDE),
                "confirmed_lines": pa.array(confirmed.astype(np.int64)),
                "reconciled_lines": pa.array((~confirmed).astype(np.int64)),
            }
        ),
        _KEYS,
    )


def _summed(table: pa.Table, keys: list[str]) -> pa.Table:
    """Casts sums of decimals back, because their digits grow."""
    names = [*NETS, *_LINES]
    summed = table.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in names])
    renamed = summed.rename_columns({f"{name}_sum": name for name in names})
    return pa.table(
        {name: renamed.column(name) for name in keys}
        | {name: renamed.column(name).cast(WIDE) for name in NETS}
        | {name: renamed.column(name).cast(pa.int64()) for name in _LINES}
    )


def _sale_names(lines: pa.Table) -> Any:  # noqa: ANN401 - an Arrow array
    """Each line's sale, `{psp_id}#{reference}`: a capture's own reference, else the original's."""
    own, named = lines.column("external_reference"), lines.column("original_reference")
    is_own = pc.or_(
        pc.equal(lines.column("type"), OperationType.CAPTURE.value), pc.equal(named, "")
    )
    reference = pc.if_else(is_own, own, named)
    return pc.binary_join_element_wise(lines.column("psp_id"), reference, "#")
