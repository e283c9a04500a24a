"""Replay of one exported file of millions of lines, and of journals, beside other programs."""

import io
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench import rival_arrow
from bench.comparison import Limit, compared
from bench.ledgers import LEDGERS
from bench.results import Result
from bench.rival_sums import large_files
from falcon_balances.audit.dialects import Beancount, Hledger
from falcon_balances.audit.extracts import write_parquet
from falcon_balances.audit.journals import write_journal
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from generated.large_files import write_large
from generated.logs import objects_of, segments, write

LINES: Final = 5_000_000
LEDGER_EVENTS: Final = 40_000  # a ledger takes a minute where replay takes half a second
LEDGER_TIMES_MIN: Final = 50
_MB: Final = 1 << 20
_LIMITS: Final = {
    "csv": Limit(
        "replay takes 1.3 times as long as Polars, streaming, at most",
        "replay",
        1.3,
        "Polars, streaming",
    ),
    "parquet": Limit("replay takes 3 times as long as DuckDB, at most", "replay", 3, "DuckDB"),
}


def run(lines: int = LINES, events: int = LEDGER_EVENTS) -> list[Result]:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        write_large(folder, lines)
        return [*(_large(folder, suffix, lines) for suffix in _LIMITS), _ledgers(events)]


def _large(folder: Path, suffix: str, lines: int) -> Result:
    size = (folder / f"large.{suffix}").stat().st_size / _MB
    programs = large_files(suffix) | {"pyarrow.dataset": rival_arrow.large_file(suffix)}
    return compared(
        folder,
        f"audit_{suffix}",
        f"{lines:,} lines in one exported {suffix} file, {size:,.0f} MB",
        programs,
        beside="replay",
        agreeing=set(programs) - {"read every byte"},
        notes=(
            "lines unique by uuid, exact decimals, both stages of every operation joined",
            "medians of three, starting left out",
        ),
        limits=(_LIMITS[suffix],),
    )


def _ledgers(events: int) -> Result:
    programs = dict(LEDGERS)
    notes = ["the ledgers read the exported journal and confirm its assertions; once each"]
    if shutil.which("hledger") is None:
        del programs["hledger"]
        notes.append("hledger is not on the PATH")
    ours = "replay of their export"
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        objects = objects_of(segments(events, contradicting=True))
        log = LogFolder(write(objects, folder / "log"))
        for dialect, file in ((Hledger(), "log.journal"), (Beancount(), "log.beancount")):
            text = io.StringIO()
            write_journal(log, Selection(), dialect, text)
            (folder / file).write_text(text.getvalue())
        write_parquet(log, Selection(), folder / "log.parquet")
        return compared(
            folder,
            "audit_ledgers",
            f"{len(objects):,} objects of two lines, and journals of the same",
            programs,
            beside=ours,
            notes=notes,
            limits=[
                Limit(
                    f"replay of the export is {LEDGER_TIMES_MIN} times as fast as {each}, at least",
                    each,
                    LEDGER_TIMES_MIN,
                    ours,
                    at_least=True,
                )
                for each in programs
                if not each.startswith("replay")
            ],
        )
