"""How others add the log up: lines unique by uuid, exact decimals, by every key of our sums.

Each does what its manual advises for speed; where there are two ways, the faster one was taken.
All amounts of the bench are in EUR.
"""

from typing import Final

from bench.programs import Program

_KEYS: Final = ("merchant_id", "balance_shop_id", "currency", "stage", "type")
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
rows = [(*key, total.minor, total.lines) for key, total in done.sums.items()]
"""
REPLAY_OBJECTS: Final = Program(
    """
from falcon_balances.audit.log_objects import LogFolder, Selection
from falcon_balances.audit.replay import replay
""",
    'done = replay(LogFolder(folder / "log"), Selection(), processes=2)',
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
    .group_by({list(_KEYS)})
    .agg(pl.col("amount").sum(), pl.len())
"""
_POLARS_ROWS: Final = "rows = [(*row[:5], int(row[5] * 100), row[6]) for row in done.rows()]"
POLARS_OBJECTS: Final = Program(
    "import polars as pl",
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
    return (
        f"select {_NAMES}, sum(amount::decimal(19, 4)), count(*) "  # noqa: S608 - ours alone
        f"from (select distinct on (uuid) * from {lines}) group by all"
    )


# Its progress would be mixed with what the program says.
_DUCKDB: Final = """
import duckdb
duckdb.sql("set enable_progress_bar = false")
"""
_DUCKDB_ROWS: Final = "rows = [(*row[:5], int(row[5] * 100), row[6]) for row in done]"
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
keys = {list(_KEYS)}
place = lines.schema.get_field_index("amount")
lines = lines.set_column(place, "amount", pc.cast(lines["amount"], pa.decimal128(19, 4)))
once = lines.group_by("uuid").aggregate([(each, "min") for each in [*keys, "amount"]])
done = once.group_by([each + "_min" for each in keys]).aggregate(
    [("amount_min", "sum"), ("amount_min", "count")]
)
"""
_ARROW_ROWS: Final = """
rows = [
    (*(row[each + "_min"] for each in keys), int(row["amount_min_sum"] * 100),
     row["amount_min_count"])
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
wanted = ["uuid", "amount", "currency", "type", "balance_shop_id", "merchant_id"]
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


_EXPORTED: Final = """
from falcon_balances.audit.exported import replay_exported
from falcon_balances.audit.log_objects import Selection
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
    texts = "[*keys, 'uuid', 'amount']"
    return {
        "read every byte": Program(
            "", f"with open({path}, 'rb') as file:\n    while file.read(1 << 22):\n        pass"
        ),
        "replay": Program(
            _EXPORTED,
            f"done = replay_exported({path}, Selection())",
            _OUR_ROWS,
        ),
        "Polars, streaming": Program(
            "import polars as pl",
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


# Of a journal both tell what every merchant's account holds; so does replay, as balances.
_IMPORTS: Final = "from falcon_balances.audit.balances import balances_of\n"
_BALANCES: Final = """
held = {}
for each, balance in balances_of(done.sums).items():
    held["available", each.merchant_id] = balance.available
    held["pending", each.merchant_id] = balance.pending
"""
_HELD_ROWS: Final = "rows = [(*key, minor) for key, minor in held.items() if minor]"
LEDGERS: Final = {
    "replay of the objects": Program(
        REPLAY_OBJECTS.prepare + _IMPORTS, REPLAY_OBJECTS.work + _BALANCES, _HELD_ROWS
    ),
    "replay of their export": Program(
        _EXPORTED + _IMPORTS,
        'done = replay_exported(folder / "log.parquet", Selection())' + _BALANCES,
        _HELD_ROWS,
    ),
    "hledger": Program(
        "import subprocess",
        """
done = subprocess.run(
    ["hledger", "-f", folder / "log.journal", "balance", "--flat", "--no-total", "-O", "csv",
     "liabilities:available", "liabilities:pending"],
    capture_output=True, text=True, check=True,
).stdout
""",
        """
import csv
from decimal import Decimal
held = {}
for account, amount in list(csv.reader(done.splitlines()))[1:]:
    _, kind, merchant, _ = account.split(":")
    held[kind, merchant] = int(-100 * Decimal(amount.replace(",", "").split()[0]))
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
for kind in ("Available", "Pending"):
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
