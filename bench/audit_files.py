"""Millions of lines in one exported file, and journals: replay beside those who read the same."""

import io
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.audit_rivals import LEDGERS, large_files
from bench.programs import measure
from bench.results import Bound, Column, Result, Row
from falcon_balances.audit.dialects import Beancount, Hledger
from falcon_balances.audit.extracts import write_parquet
from falcon_balances.audit.journals import write_journal
from falcon_balances.audit.log_objects import LogFolder, Selection
from generated.large_files import write_large
from generated.logs import objects_of, segments, write

LINES: Final = 5_000_000
LEDGER_EVENTS: Final = 40_000  # a ledger takes a minute for what replay does in half a second
POLARS_TIMES_MAX: Final = 1.3
DUCKDB_TIMES_MAX: Final = 3.0
LEDGER_TIMES_MIN: Final = 50
_MB: Final = 1 << 20
COLUMNS: Final = [
    Column("what", "what"),
    Column("seconds", "seconds", 2),
    Column("ratio", "times replay", 2),
    Column("memory_mb", "MB at most"),
]


def run(lines: int = LINES) -> list[Result]:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        write_large(folder, lines)
        as_csv = _large(folder, "csv", "Polars, streaming", POLARS_TIMES_MAX, lines)
        as_parquet = _large(folder, "parquet", "DuckDB", DUCKDB_TIMES_MAX, lines)
    return [as_csv, as_parquet, _ledgers()]


def _large(folder: Path, suffix: str, rival: str, times: float, lines: int) -> Result:
    measured = measure(folder, large_files(suffix))
    found = {each.found for name, each in measured.items() if name != "read every byte"}
    ours = measured["replay"].seconds
    rows: list[Row] = [
        {
            "what": name,
            "seconds": each.seconds,
            "ratio": each.seconds / ours,
            "memory_mb": each.memory_mb,
        }
        for name, each in measured.items()
    ]
    size = (folder / f"large.{suffix}").stat().st_size / _MB
    return Result(
        name=f"audit_{suffix}",
        title=f"{lines:,} lines in one exported {suffix} file, {size:,.0f} MB",
        columns=COLUMNS,
        rows=rows,
        notes=[
            "lines unique by uuid, exact decimals, both stages of every operation joined",
            "medians of three, starting left out",
        ],
        bounds=[
            Bound("all find the same figures", len(found) == 1, fails_the_run=True),
            Bound(
                f"replay takes {times} times as long as {rival}, at most",
                ours <= times * measured[rival].seconds,
                fails_the_run=False,
            ),
        ],
    )


def _ledgers(events: int = LEDGER_EVENTS) -> Result:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        objects = objects_of(segments(events, contradicting=True))
        log = LogFolder(write(objects, folder / "log"))
        for dialect, file in ((Hledger(), "log.journal"), (Beancount(), "log.beancount")):
            text = io.StringIO()
            write_journal(log, Selection(), dialect, text)
            (folder / file).write_text(text.getvalue())
        write_parquet(log, Selection(), folder / "log.parquet")
        programs = dict(LEDGERS)
        if shutil.which("hledger") is None:
            del programs["hledger"]
        measured = measure(folder, programs)
    ours = measured["replay of their export"].seconds
    rivals = [each for name, each in measured.items() if not name.startswith("replay")]
    return Result(
        name="audit_ledgers",
        title=f"{len(objects):,} objects of two lines, and journals of the same",
        columns=COLUMNS,
        rows=[
            {
                "what": name,
                "seconds": each.seconds,
                "ratio": each.seconds / ours,
                "memory_mb": each.memory_mb,
            }
            for name, each in measured.items()
        ],
        notes=[
            "the ledgers read the exported journal and confirm its assertions; once each",
            *(["hledger is not on the PATH"] if "hledger" not in programs else []),
        ],
        bounds=[
            Bound(
                "all find the same balances",
                len({each.found for each in measured.values()}) == 1,
                fails_the_run=True,
            ),
            Bound(
                f"replay of the export is {LEDGER_TIMES_MIN} times as fast as each, at least",
                all(each.seconds >= LEDGER_TIMES_MIN * ours for each in rivals),
                fails_the_run=False,
            ),
        ],
    )
