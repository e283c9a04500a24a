"""Makes standings and sales, as the table would have them, from rows of summed lines."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import pyarrow as pa

from falcon_balances.domain.operations import PSP_STAGES, SIGN_BY_TYPE, OperationType, Stage
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_parts import SalePart, StagedPart
from falcon_balances.domain.sales import Sale, sale_effect
from falcon_balances.domain.standing import Standing, movements_text
from falcon_balances.domain.table_keys import ItemKey, StandingKey, merchant_pk

OPERATION: Final = "falcon_operation_id"
AT: Final = [OPERATION, "merchant_id"]
NETS: Final = ("confirmed", "reconciled")
FEE: Final = OperationType.MARKETPLACE_FEE

Row = Mapping[str, Any]


def row_by_row(table: pa.Table) -> Iterator[Row]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()


def grouped(table: pa.Table) -> Iterator[tuple[tuple[str, str], list[Row]]]:
    ordered = table.sort_by([(name, "ascending") for name in AT])
    for at, some in groupby(row_by_row(ordered), lambda row: (row[AT[0]], row[AT[1]])):
        yield at, list(some)


def standing_of(
    operation_id: str, merchant_id: str, rows: Sequence[Row], credited: int
) -> Standing:
    sums: dict[str, dict[tuple[str, str, str], int]] = {name: {} for name in NETS}
    for row in rows:
        at = (row["balance_shop_id"], row["currency"], row["type"])
        for name in NETS:
            sums[name][at] = sums[name].get(at, 0) + int(row[name])
    key = ItemKey(merchant_pk(merchant_id), StandingKey(operation_id).sk)
    names = ("", rows[0]["psp_id"], rows[0]["external_reference"], "")
    confirmed, reconciled = (movements_text(sums[name]) for name in NETS)
    return Standing(key, 1, *names, confirmed, reconciled, credited)


def sale_of(key: SaleKey, rows: Sequence[Row]) -> Sale:
    """The sale as the table would keep it, from the rows of all stages."""
    types = {row[OPERATION]: OperationType(row["type"]) for row in rows if row["type"] != FEE.value}
    parts: dict[tuple[str, Stage, str], tuple[int, int]] = {}
    for row in rows:
        kind = types.get(row[OPERATION])
        if kind is None:
            continue
        for stage in PSP_STAGES:
            if row[f"{stage}_lines"]:
                name = (row[OPERATION], stage, row["currency"])
                amount, commission = parts.get(name, (0, 0))
                minor = int(row[stage.value])
                if row["type"] == FEE.value:
                    # A commission has two lines, the marketplace's and the seller's, which differ
                    # only in sign: the positive one counts.
                    commission += max(minor, 0)
                else:
                    amount += SIGN_BY_TYPE[kind] * minor
                parts[name] = (amount, commission)
    seen: set[tuple[str, Stage]] = set()
    staged: list[StagedPart] = []
    for (operation_id, stage, code), said in sorted(parts.items()):
        first = int((operation_id, stage) not in seen)
        seen.add((operation_id, stage))
        part = SalePart(key, types[operation_id], code, *said, first)
        staged.append(StagedPart(part, operation_id, stage))
    return Sale.from_attributes(key.item, dict(sale_effect(staged, {}).additions.get(key.item, {})))
