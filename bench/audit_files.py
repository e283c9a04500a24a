"""Replay of closed days with millions of lines, and of journals, beside other programs."""

import io
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.comparison import Limit, compared
from bench.ledgers import LEDGERS
from bench.results import Result
from bench.rival_arrow import ARROW_CLOSED
from bench.rival_sums import CLOSED
from falcon_balances.audit.dialects import Beancount, Hledger
from falcon_balances.audit.extracts import tables_of
from falcon_balances.audit.journals import write_journal
from falcon_balances.audit.log_folder import LogFolder
from falcon_balances.audit.log_objects import Selection
from generated.large_files import write_closed, write_large
from generated.logs import objects_of, segments, write

LINES: Final = 5_000_000
LEDGER_EVENTS: Final = 40_000  # a ledger takes a minute where replay takes half a second
LEDGER_TIMES_MIN: Final = 50
_MB: Final = 1 << 20


def run(lines: int = LINES, events: int = LEDGER_EVENTS) -> list[Result]:
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        write_large(folder, lines)
        return [_closed(folder, lines), _ledgers(events)]


def _closed(folder: Path, lines: int) -> Result:
    size = sum(each.stat().st_size for each in (folder / "closed").rglob("*.parquet")) / _MB
    programs = CLOSED | {"pyarrow.dataset": ARROW_CLOSED}
    return compared(
        folder,
        "audit_closed",
        f"{lines:,} lines in closed days, {size:,.0f} MB",
        programs,
        beside="replay",
        agreeing=set(programs) - {"read every byte"},
        notes=(
            "lines unique by uuid, exact decimals, both stages of every operation joined",
            "replay also hashes the files and compares the effects",
            "medians of three, starting left out",
        ),
        limits=(Limit("replay takes as long as DuckDB, at most", "replay", 1, "DuckDB"),),
    )


def _ledgers(events: int) -> Result:
    programs = dict(LEDGERS)
    notes = ["the ledgers read the exported journal and confirm its assertions; once each"]
    if shutil.which("hledger") is None:
        del programs["hledger"]
        notes.append("hledger is not on the PATH")
    ours = "replay of their closed days"
    with TemporaryDirectory(prefix="falcon-bench-") as name:
        folder = Path(name)
        objects = objects_of(segments(events, contradicting=True))
        log = LogFolder(write(objects, folder / "log"))
        for dialect, file in ((Hledger(), "log.journal"), (Beancount(), "log.beancount")):
            text = io.StringIO()
            write_journal(log, Selection(), dialect, text)
            (folder / file).write_text(text.getvalue())
        write_closed(folder, tables_of(log, Selection(), [], lambda _objects: None))
        return compared(
            folder,
            "audit_ledgers",
            f"{len(objects):,} objects of two lines, and journals of the same",
            programs,
            beside=ours,
            notes=notes,
            limits=[
                Limit(
                    f"replay of closed days: {LEDGER_TIMES_MIN} times as fast as {each}, at least",
                    each,
                    LEDGER_TIMES_MIN,
                    ours,
                    at_least=True,
                )
                for each in programs
                if not each.startswith("replay")
            ],
        )
