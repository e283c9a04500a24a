"""Exported files of a small log, and ways to change them."""

from pyarrow import parquet

from falcon_balances.audit.extracts import write_csv, write_parquet
from falcon_balances.audit.line_grammar import NotAsWrittenError
from falcon_balances.audit.log_objects import Selection
from falcon_balances.domain.operations import Stage
from tests.audit.logs import MemoryLog
from tests.audit.sealed import objects

EVERYTHING = Selection()
WRITERS = {"csv": write_csv, "parquet": write_parquet}
LOG = objects(120, 7)
SELECTIONS = [
    EVERYTHING,
    Selection(merchant_id="m-3"),
    Selection(merchant_id="m-none"),
    Selection(stage=Stage.RECONCILED),
    Selection(since="2026-10-08"),
    Selection(until="2026-10-08"),
    Selection("m-3", Stage.CONFIRMED, "2026-10-05", "2026-10-20"),
]


def export(log, folder, suffix="csv"):
    path = folder / f"log.{suffix}"
    assert WRITERS[suffix](MemoryLog(log), EVERYTHING, path) == []
    return path


def changed(path, change):
    """The CSV with its lines, header included, as `change` makes them."""
    lines = path.read_bytes().split(b"\n")[:-1]
    path.write_bytes(b"".join(line + b"\n" for line in change(lines)))
    return path


def with_column(path, name, values):
    table = parquet.read_table(path)
    place = table.schema.get_field_index(name)
    parquet.write_table(table.set_column(place, name, values(table.column(name))), path)
    return path


def refuse(*_):
    raise NotAsWrittenError
