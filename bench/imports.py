"""Import time of each handler, in an interpreter of its own, beside a bare boto3 client."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.environment import inherited
from bench.results import Bound, Result, Row, reported

_LAMBDAS: Final = Path(__file__).parents[1] / "lambdas"
HANDLERS: Final = (
    *sorted(f"lambdas.{each.parent.name}.handler" for each in _LAMBDAS.glob("*/handler.py")),
)
REPETITIONS: Final = 5
ABOVE_CLIENT_MS_MAX: Final = 300
# Each costs as much as all other imports together. Powertools' Tracer loads the X-Ray SDK on use;
# the Tracer's own module comes with Powertools and costs nothing.
HEAVY: Final = ("pyarrow", "aws_xray_sdk")
_CLIENT: Final = "a bare boto3 client"
_STATEMENTS: Final = {
    _CLIENT: "import boto3; boto3.client('dynamodb')",
    **{handler: f"import {handler}" for handler in HANDLERS},
}
_PROGRAM: Final = """
import json, sys, time
begun, cpu_begun = time.perf_counter(), time.process_time()
{statement}
cpu_ms = (time.process_time() - cpu_begun) * 1000
taken_ms = (time.perf_counter() - begun) * 1000
heavy = [name for name in {heavy!r} if name in sys.modules]
print(json.dumps({{"ms": taken_ms, "cpu_ms": cpu_ms, "heavy": heavy}}))
"""


def import_once(statement: str) -> dict[str, Any]:
    """`ms` on the clock, `cpu_ms` of the process, and the `heavy` modules that were imported."""
    program = _PROGRAM.format(statement=statement, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=inherited(),
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def run() -> list[Result]:
    """Imports all handlers in turn, several times; the first round only fills the caches."""
    turns = [
        {name: import_once(statement) for name, statement in _STATEMENTS.items()}
        for _ in range(REPETITIONS + 1)
    ][1:]
    rows = [_row(name, turns) for name in _STATEMENTS]
    heavy = {module for turn in turns for each in turn.values() for module in each["heavy"]}
    worst_ms = max(float(row["cpu_above_ms"]) for row in rows)
    return [
        Result(
            name="imports",
            title="Import time of each handler in a fresh interpreter",
            columns={
                "module": "module",
                "ms": "ms (median)",
                "above_ms": "ms above the bare client",
                "cpu_above_ms": "ms of CPU above it",
            },
            rows=rows,
            notes=(
                f"median of {REPETITIONS} interpreters each, in turn; differences within a turn",
                "judged by the least CPU of each, which a busy machine disturbs less",
            ),
            bounds=(
                reported(
                    f"each handler within {ABOVE_CLIENT_MS_MAX} ms of CPU of the bare client",
                    holds=worst_ms <= ABOVE_CLIENT_MS_MAX,
                ),
                Bound(f"none imports {', '.join(HEAVY)}", not heavy),
            ),
        )
    ]


def _row(name: str, turns: list[dict[str, dict[str, Any]]]) -> Row:
    cpu_ms, client_ms = (min(turn[each]["cpu_ms"] for turn in turns) for each in (name, _CLIENT))
    above_ms: float = median(turn[name]["ms"] - turn[_CLIENT]["ms"] for turn in turns)
    return {
        "module": name,
        "ms": round(median(turn[name]["ms"] for turn in turns), 1),
        "above_ms": round(above_ms, 1),
        "cpu_above_ms": round(cpu_ms - client_ms, 1),
    }
