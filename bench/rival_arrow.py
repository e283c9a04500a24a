"""How pyarrow adds the log up: it holds the whole log, and does the same as the other rivals."""

from typing import Final

from bench.programs import Program

_KEYS: Final = ("merchant_id", "balance_shop_id", "currency")
_OF_OPERATION: Final = (*_KEYS, "falcon_operation_id")
# Arrow has no "first of each uuid". Repeats are equal in all columns, so the minimum does.
_ARROW_SUMS: Final = f"""
keys, of_operation = {list(_KEYS)}, {list(_OF_OPERATION)}
money = pa.decimal128(30, 4)
zero = pa.scalar(0, money)
place = lines.schema.get_field_index("amount")
lines = lines.set_column(place, "amount", pc.cast(lines["amount"], money))
wanted = [*of_operation, "stage", "amount"]
once = lines.group_by("uuid").aggregate([(each, "min") for each in wanted])
once = once.rename_columns({{each + "_min": each for each in wanted}})
is_confirmed = pc.equal(once["stage"], "confirmed")
once = once.append_column("c", pc.if_else(is_confirmed, once["amount"], zero))
once = once.append_column("r", pc.if_else(is_confirmed, zero, once["amount"]))
both = once.group_by(of_operation).aggregate([("c", "sum"), ("r", "sum"), ("c", "count")])
c, r = (both[each].cast(money) for each in ("c_sum", "r_sum"))
k = pc.min_element_wise(c, r)
def above(each):
    return pc.max_element_wise(each, zero)
def below(each):
    return pc.min_element_wise(each, zero)
figures = dict(
    c=c, r=r, k=k, p=pc.subtract(above(c), above(k)), u=pc.subtract(above(r), above(k)),
    du=pc.subtract(below(c), below(k)), dt=pc.subtract(below(r), below(k)), n=both["c_count"],
)
standing = pa.table({{**{{each: both[each] for each in keys}}, **figures}})
done = standing.group_by(keys).aggregate([(each, "sum") for each in figures])
"""
_ARROW_ROWS: Final = """
rows = [
    (
        *(row[each] for each in keys),
        *(int(row[f"{each}_sum"] * 100) for each in list(figures)[:-1]),
        row["n_sum"],
    )
    for row in done.to_pylist()
]
"""
_ARROW_IMPORTS: Final = """
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from falcon_balances.domain.log_grammar import COLUMNS
"""
ARROW_OBJECTS: Final = Program(
    _ARROW_IMPORTS,
    """
of_key = pa.schema([("merchant_id", pa.string()), ("date", pa.string())])
schema = pa.schema([(name, pa.string()) for name in COLUMNS] + list(of_key))
wanted = ["uuid", "amount", "currency", "falcon_operation_id", "balance_shop_id", "merchant_id"]
stages = []
for stage in ("confirmed", "reconciled"):
    found = ds.dataset(
        folder / "log" / stage, schema=schema, format="csv",
        partitioning=ds.partitioning(of_key, flavor="hive"),
    ).to_table(columns=wanted)
    stages.append(found.append_column("stage", pa.array([stage] * len(found))))
lines = pa.concat_tables(stages)
"""
    + _ARROW_SUMS,
    _ARROW_ROWS,
    repeats=1,
)


_TEXTS: Final = "[*keys, 'stage', 'falcon_operation_id', 'uuid', 'amount']"
ARROW_CLOSED: Final = Program(
    f"{_ARROW_IMPORTS}\nkeys = {list(_KEYS)}",
    f"""
files = sorted(map(str, (folder / "closed").glob("*/*.parquet")))
lines = ds.dataset(files, format="parquet").to_table(columns={_TEXTS})
"""
    + _ARROW_SUMS,
    _ARROW_ROWS,
)
