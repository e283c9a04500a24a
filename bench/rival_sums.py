"""How Polars and DuckDB add the log up: lines unique by uuid, exact decimals, both stages of every
operation joined, and every figure of each balance.

Each follows its manual's advice for speed; of two possible ways, the faster one was taken.
All amounts of the bench are in EUR.
"""

from typing import Final

from bench.own_programs import REPLAY_CLOSED
from bench.programs import Program

_KEYS: Final = ("merchant_id", "balance_shop_id", "currency")
_OF_OPERATION: Final = (*_KEYS, "falcon_operation_id")
_NAMES: Final = ", ".join(_KEYS)

_POLARS_SUMS: Final = f"""
    .unique(subset="uuid", keep="any")
    .with_columns(pl.col("amount").cast(pl.Decimal(38, 4)))
    .group_by({list(_OF_OPERATION)})
    .agg(
        c=pl.col("amount").filter(pl.col("stage") == "confirmed").sum(),
        r=pl.col("amount").filter(pl.col("stage") == "reconciled").sum(),
        n=pl.len(),
    )
    .with_columns(k=pl.when(pl.col("c") < pl.col("r")).then("c").otherwise("r"))
    .with_columns(
        c_in=above("c"), r_in=above("r"), k_in=above("k"),
        c_out=below("c"), r_out=below("r"), k_out=below("k"),
    )
    .group_by({list(_KEYS)})
    .agg(
        pl.col("c").sum(), pl.col("r").sum(), pl.col("k").sum(),
        p=(pl.col("c_in") - pl.col("k_in")).sum(), u=(pl.col("r_in") - pl.col("k_in")).sum(),
        du=(pl.col("c_out") - pl.col("k_out")).sum(), dt=(pl.col("r_out") - pl.col("k_out")).sum(),
        n=pl.col("n").sum(),
    )
"""
_POLARS: Final = """
import polars as pl
zero = pl.lit(0, pl.Decimal(38, 4))
def above(name):
    return pl.when(pl.col(name) > 0).then(name).otherwise(zero)
def below(name):
    return pl.when(pl.col(name) < 0).then(name).otherwise(zero)
"""
_POLARS_ROWS: Final = (
    "rows = [(*row[:3], *(int(each * 100) for each in row[3:10]), row[10]) for row in done.rows()]"
)
POLARS_OBJECTS: Final = Program(
    _POLARS,
    """
done = (
    pl.scan_csv(str(folder / "log/**/*.csv"), infer_schema=False, include_file_paths="path")
    .with_columns(
        pl.col("path").str.extract(r"/([a-z]+)/merchant_id=").alias("stage"),
        pl.col("path").str.extract(r"/merchant_id=([^/]+)/").alias("merchant_id"),
    )
"""
    + _POLARS_SUMS
    + "    .collect())",
    _POLARS_ROWS,
    repeats=1,
)


def _query(lines: str) -> str:
    of_stage = "coalesce(sum(amount::decimal(19, 4)) filter (stage = '{}'), 0)"
    return (
        f"with standing as (select {', '.join(_OF_OPERATION)}, "  # noqa: S608 - ours alone
        f"{of_stage.format('confirmed')} as c, {of_stage.format('reconciled')} as r, "
        f"count(*) as n from (select distinct on (uuid) * from {lines}) group by all) "
        f"select {_NAMES}, sum(c), sum(r), sum(least(c, r)), "
        "sum(greatest(c, 0) - greatest(least(c, r), 0)), "
        "sum(greatest(r, 0) - greatest(least(c, r), 0)), "
        "sum(least(c, 0) - least(c, r, 0)), sum(least(r, 0) - least(c, r, 0)), sum(n) "
        "from standing group by all"
    )


# DuckDB's progress bar would be mixed with the program's output.
_DUCKDB: Final = """
import duckdb
duckdb.sql("set enable_progress_bar = false")
"""
_DUCKDB_ROWS: Final = (
    "rows = [(*row[:3], *(int(each * 100) for each in row[3:10]), row[10]) for row in done]"
)
DUCKDB_OBJECTS: Final = Program(
    _DUCKDB  # noqa: S608 - what the bench wrote
    + """
from falcon_balances.domain.log_grammar import COLUMNS
columns = {name: "VARCHAR" for name in COLUMNS}
objects = f'''(
    select *, regexp_extract(filename, '/([a-z]+)/merchant_id=', 1) as stage
    from read_csv('{folder}/log/*/*/*/*.csv', header=true, auto_detect=false, delim=',',
    hive_partitioning=true, filename=true, columns={columns})
)'''
""",
    f'done = duckdb.sql(f"""{_query("{objects}")}""").fetchall()',
    _DUCKDB_ROWS,
    repeats=1,
)


CLOSED: Final[dict[str, Program]] = {
    "read every byte": Program(
        "",
        """
for path in sorted((folder / "closed").glob("*/*.parquet")):
    with path.open("rb") as file:
        while file.read(1 << 22):
            pass
""",
    ),
    "replay": REPLAY_CLOSED,
    "Polars, streaming": Program(
        _POLARS,
        f"""done = (
    pl.scan_parquet(str(folder / "closed/*/*.parquet"), hive_partitioning=False){_POLARS_SUMS}
    .collect(engine="streaming")
)""",
        _POLARS_ROWS,
    ),
    "DuckDB": Program(
        _DUCKDB,
        f"""days = f"read_parquet('{{folder}}/closed/*/*.parquet')"
done = duckdb.sql(f'''{_query("{days}")}''').fetchall()""",
        _DUCKDB_ROWS,
    ),
}
"""Programs over the folder's `closed`."""
