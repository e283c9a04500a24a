"""How others add the log up: lines unique by uuid, exact decimals, both stages of every operation
joined, and every figure of each balance.

Each does what its manual advises for speed; where there are two ways, the faster one was taken.
All amounts of the bench are in EUR.
"""

from typing import Final

from bench.programs import Program

_KEYS: Final = ("merchant_id", "balance_shop_id", "currency")
_OF_OPERATION: Final = (*_KEYS, "falcon_operation_id")
_FIGURES: Final = (
    "confirmed",
    "reconciled",
    "available",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
)
_NAMES: Final = ", ".join(_KEYS)

READ_OBJECTS: Final = Program(
    """
import os
def below(path):
    with os.scandir(path) as found:
        entries = [(each.name, each.is_dir(follow_symlinks=False)) for each in found]
    files = [name for name, is_folder in entries if not is_folder]
    if files:
        yield path, files
    for name, is_folder in entries:
        if is_folder:
            yield from below(f"{path}/{name}")
""",
    """
size = 0
for path, files in below(str(folder / "log")):
    here = os.open(path, os.O_RDONLY)
    for name in files:
        file = os.open(name, os.O_RDONLY, dir_fd=here)
        size += len(os.read(file, 1 << 16))
        os.close(file)
    os.close(here)
""",
    repeats=5,
)
_OUR_ROWS: Final = """
assert not done.findings and done.lines
rows = [
    (*each, *(getattr(balance, name) for name in FIGURES), balance.operations_count)
    for each, balance in balances.items()
]
"""
_BALANCES: Final = "balances = balances_of(done.sums, done.agreements)\n"
_OURS: Final = f"""
from falcon_balances.audit.balances import balances_of
from falcon_balances.audit.log_objects import LogFolder, Selection
FIGURES = {_FIGURES}
"""
REPLAY_OBJECTS: Final = Program(
    f"""{_OURS}
from falcon_balances.audit.replay import replay
""",
    f"""
done = replay(LogFolder(folder / "log"), Selection(), processes=2)
{_BALANCES}""",
    _OUR_ROWS,
    repeats=5,
)
SHA256SUM: Final = Program(
    "import subprocess",
    """
subprocess.run(
    ["sh", "-c", "find . -type f -print0 | xargs -0 sha256sum > /dev/null"],
    cwd=folder / "log", check=True,
)
""",
    repeats=5,
)
VERIFY: Final = Program(
    "from falcon_balances.audit.verifier.verification import verify",
    """
done = verify(folder / "log", folder / "manifests", (folder / "key.pem").read_bytes(), jobs=2)
assert not done.problems and done.objects
""",
    repeats=5,
)

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


# Its progress would be mixed with what the program says.
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

# Arrow has no "first of each uuid"; repeats are the same in all columns, so the least is as good.
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


_EXPORTED: Final = f"""{_OURS}
from falcon_balances.audit.exported import replay_exported
"""


def large_files(suffix: str) -> dict[str, Program]:
    """Over `large.csv` or `large.parquet` of the folder."""
    path = f'folder / "large.{suffix}"'
    scan = "scan_csv(PATH, infer_schema=False)" if suffix == "csv" else "scan_parquet(PATH)"
    source = (
        "read_csv('{folder}/large.csv', header=true, all_varchar=true)"
        if suffix == "csv"
        else "'{folder}/large.parquet'"
    )
    texts = "[*keys, 'stage', 'falcon_operation_id', 'uuid', 'amount']"
    return {
        "read every byte": Program(
            "", f"with open({path}, 'rb') as file:\n    while file.read(1 << 22):\n        pass"
        ),
        "replay": Program(
            _EXPORTED,
            f"done = replay_exported({path}, Selection())\n{_BALANCES}",
            _OUR_ROWS,
        ),
        "Polars, streaming": Program(
            _POLARS,
            f"done = (pl.{scan.replace('PATH', path)}{_POLARS_SUMS}.collect(engine='streaming'))",
            _POLARS_ROWS,
        ),
        "DuckDB": Program(
            _DUCKDB,
            f'done = duckdb.sql(f"""{_query(source)}""").fetchall()',
            _DUCKDB_ROWS,
        ),
        "pyarrow.dataset": Program(
            f"{_ARROW_IMPORTS}\nfrom pyarrow import csv\nkeys = {list(_KEYS)}",
            f"""
texts = csv.ConvertOptions(column_types={{name: pa.string() for name in {texts}}})
form = ds.CsvFileFormat(convert_options=texts) if "{suffix}" == "csv" else "parquet"
lines = ds.dataset({path}, format=form).to_table(columns={texts})
"""
            + _ARROW_SUMS,
            _ARROW_ROWS,
        ),
    }


# Of a journal both tell what every merchant's accounts hold; so does replay, as balances.
_HELD: Final = """
held = {}
for each, balance in balances.items():
    for name in FIGURES[2:]:
        held[name.replace("_", ""), each.merchant_id] = getattr(balance, name)
"""
_HELD_ROWS: Final = "rows = [(*key, minor) for key, minor in held.items() if minor]"
LEDGERS: Final = {
    "replay of the objects": Program(
        REPLAY_OBJECTS.prepare, REPLAY_OBJECTS.work + _HELD, _HELD_ROWS
    ),
    "replay of their export": Program(
        _EXPORTED,
        f'done = replay_exported(folder / "log.parquet", Selection())\n{_BALANCES}{_HELD}',
        _HELD_ROWS,
    ),
    "hledger": Program(
        "import subprocess",
        """
done = subprocess.run(
    ["hledger", "-f", folder / "log.journal", "balance", "--flat", "--no-total", "-O", "csv",
     "liabilities"],
    capture_output=True, text=True, check=True,
).stdout
""",
        """
import csv
from decimal import Decimal
held = {}
for account, amount in list(csv.reader(done.splitlines()))[1:]:
    _, kind, *merchant = account.split(":")
    if len(merchant) == 2:
        minor = int(-100 * Decimal(amount.replace(",", "").split()[0]))
        held[kind.replace(" ", ""), merchant[0]] = minor
"""
        + _HELD_ROWS,
        repeats=1,
    ),
    "beancount": Program(
        "from beancount import loader\nfrom beancount.core import realization",
        """
entries, errors, _ = loader.load_file(str(folder / "log.beancount"))
real = realization.realize(entries)
""",
        """
assert not errors, errors[:3]
held = {}
for kind in ("Available", "Pending", "Unapplied", "DebitsUnconfirmed", "DebitsUntraced"):
    for name, merchant in realization.get(real, f"Liabilities:{kind}").items():
        units = realization.compute_balance(merchant).reduce(lambda each: each.units)
        held[kind.lower(), name[1:].replace("-2D-", "-")] = int(
            -100 * sum(each.units.number for each in units)
        )
"""
        + _HELD_ROWS,
        repeats=1,
    ),
}
