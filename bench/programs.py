"""Programs that do the same work, each a process of its own, so that its peak memory is its own.

After its time is taken, each program's result is hashed and compared, so none can do less work.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.environment import inherited

# Seconds do not include starting Python and importing; memory is the peak, in kB.
_TIMED: Final = r"""
import hashlib, json, re, resource, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
rows = []
{prepare}
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
# What getrusage says of a process begins with its parent's peak. A child's is added: with what
# both of them have once, so never too little.
peak_kb = int(re.search(r"VmHWM:\s+([0-9]+)", Path("/proc/self/status").read_text())[1])
peak_kb += resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
{rows}
text = "\n".join(sorted("|".join(map(str, row)) for row in rows))
print(json.dumps([seconds, peak_kb, hashlib.sha256(text.encode()).hexdigest()]))
"""


@dataclass(frozen=True)
class Program:
    """`work` is timed. The code in `rows` then fills the list `rows`: merchant, balance, currency,
    stage, type, minor units, lines; or other columns that all compared programs share. It is empty
    if there is nothing to compare.
    """

    prepare: str
    work: str
    rows: str = ""
    repeats: int = 3


class Measured(NamedTuple):
    seconds: float
    memory_mb: float
    found: str


def measure(folder: Path, programs: Mapping[str, Program]) -> dict[str, Measured]:
    """Runs programs in turn, each `repeats` times after a first round that warms the page cache."""
    runs: dict[str, list[Measured]] = {name: [] for name in programs}
    for turn in range(1 + max(each.repeats for each in programs.values())):
        for name, program in programs.items():
            if turn <= program.repeats and (turn or program.repeats > 1):
                measured = _run(folder, name, program)
                if turn or program.repeats == 1:
                    runs[name].append(measured)
    return {
        name: Measured(
            median(each.seconds for each in some),
            max(each.memory_mb for each in some),
            some[0].found,
        )
        for name, some in runs.items()
    }


def _run(folder: Path, name: str, program: Program) -> Measured:
    text = _TIMED.format(prepare=program.prepare, work=program.work, rows=program.rows)
    done = subprocess.run(
        [sys.executable, "-c", text, folder],
        env=inherited(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    seconds, peak_kb, found = json.loads(done.stdout.splitlines()[-1])
    return Measured(seconds, peak_kb / 1024, found)
