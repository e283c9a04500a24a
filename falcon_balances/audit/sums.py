"""Sums lines by merchant, balance, currency, stage and type."""

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from falcon_balances.audit.line_grammar import NotAsWrittenError, Numbers
from falcon_balances.audit.lines import LineColumns
from falcon_balances.audit.standing_rows import BalanceId
from falcon_balances.domain.operations import OperationType, Stage

_PARTIAL_SUMS_MAX: Final = 1 << 20
_EXACT_IN_64_BITS: Final = float(1 << 62)
WIDE: Final = pa.decimal128(38, 0)


class SumKey(NamedTuple):
    merchant_id: str
    balance_shop_id: str
    currency: str
    stage: Stage
    type: OperationType

    @property
    def balance(self) -> BalanceId:
        return BalanceId(self.merchant_id, self.balance_shop_id, self.currency)


class Sum(NamedTuple):
    """A sum; `minor` is the total of the lines' amounts in minor units, signed."""

    minor: int
    lines: int


class SumTable:
    """Sums that never overflow: 64 bits within a chunk, if that is enough, else 128 bits."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], int] = {}
        self._names: dict[str, dict[str, int]] = {"currency": {}, "type": {}, "balance_shop_id": {}}
        self._partial: list[pa.Table] = []
        self._held = 0
        self._single: dict[SumKey, Sum] = {}

    @property
    def owners(self) -> list[tuple[str, str]]:
        """Merchants with stages, by the numbers that `owner` gave them."""
        return list(self._owners)

    def owner(self, merchant_id: str, stage: str) -> int:
        return self._owners.setdefault((merchant_id, stage), len(self._owners))

    def add(self, columns: LineColumns) -> None:
        """Adds lines. Raises NotAsWrittenError if their sum may exceed 64 bits."""
        if float(np.abs(columns.minor).sum(dtype=np.float64)) >= _EXACT_IN_64_BITS:
            raise NotAsWrittenError("the sum of the amounts does not fit into 64 bits")
        table = pa.table(
            {
                "owner": columns.owners,
                "currency": self._numbers("currency", columns.currency),
                "type": self._numbers("type", columns.type),
                "balance_shop_id": self._numbers("balance_shop_id", columns.balance_shop_id),
                "minor": columns.minor,
            }
        )
        summed = _grouped(table, [("minor", "sum"), ("minor", "count")])
        self._partial.append(
            summed.set_column(
                summed.schema.get_field_index("minor_sum"),
                "minor_sum",
                summed.column("minor_sum").cast(WIDE),
            )
        )
        self._held += len(summed)
        if self._held > _PARTIAL_SUMS_MAX:
            self._partial = [self._merged()]
            self._held = len(self._partial[0])

    def add_one(self, key: SumKey, minor: int) -> None:
        before = self._single.get(key, Sum(0, 0))
        self._single[key] = Sum(before.minor + minor, before.lines + 1)

    def total(self) -> dict[SumKey, Sum]:
        sums = dict(self._single)
        if not self._partial:
            return sums
        owners = list(self._owners)
        names = {name: list(known) for name, known in self._names.items()}
        for row in self._merged().to_pylist():
            merchant_id, stage = owners[row["owner"]]
            key = SumKey(
                merchant_id,
                names["balance_shop_id"][row["balance_shop_id"]],
                names["currency"][row["currency"]],
                Stage(stage),
                OperationType(names["type"][row["type"]]),
            )
            before = sums.get(key, Sum(0, 0))
            sums[key] = Sum(before.minor + int(row["minor_sum"]), before.lines + row["minor_count"])
        return sums

    def _numbers(self, name: str, texts: pa.DictionaryArray) -> Numbers:
        known = self._names[name]
        numbers = [known.setdefault(text, len(known)) for text in texts.dictionary.to_pylist()]
        each: Numbers = np.array(numbers, dtype=np.int64)[texts.indices.to_numpy()]
        return each

    def _merged(self) -> pa.Table:
        merged = _grouped(
            pa.concat_tables(self._partial), [("minor_sum", "sum"), ("minor_count", "sum")]
        )
        names = {"minor_sum_sum": "minor_sum", "minor_count_sum": "minor_count"}
        return merged.rename_columns(names)


def _grouped(table: pa.Table, aggregations: list[tuple[str, str]]) -> pa.Table:
    keys = ["owner", "currency", "type", "balance_shop_id"]
    return table.group_by(keys, use_threads=False).aggregate(aggregations)
