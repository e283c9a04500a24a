"""Import time of each handler, in an interpreter of its own, beside a bare boto3 client."""

import json
import subprocess
import sys
from collections.abc import Mapping
from statistics import median
from typing import Any, Final

from bench.environment import inherited
from bench.results import Bound, Column, Result, Row

HANDLERS: Final = (
    "lambdas.dispatcher.handler",
    "lambdas.splitter.handler",
    "lambdas.persister.handler",
    "lambdas.publisher.handler",
    "lambdas.reducer.handler",
    "lambdas.cutter.handler",
    "lambdas.balance_api.handler",
    "lambdas.balance_api.systems",
    "lambdas.expirer.handler",
    "lambdas.payout_decider.handler",
    "lambdas.payout_logger.handler",
    "lambdas.payout_announcer.handler",
)
REPETITIONS: Final = 5
ABOVE_CLIENT_MS_MAX: Final = 300
# Each costs as much again as all the rest. The X-Ray SDK is what Powertools' Tracer loads when it
# is used; the Tracer's own module comes with Powertools and costs nothing.
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
    """`ms` on the clock, `cpu_ms` of the process, and which of the `heavy` modules came with it."""
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


def run() -> Result:
    """All of them in turn, again and again; the first time only fills the caches."""
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in _STATEMENTS}
    for repetition in range(REPETITIONS + 1):
        for name, statement in _STATEMENTS.items():
            answer = import_once(statement)
            if repetition:
                taken[name].append(answer)
    rows = [_row(name, taken) for name in _STATEMENTS]
    heavy = {module for answers in taken.values() for each in answers for module in each["heavy"]}
    above_ms = [float(row["cpu_above_ms"]) for row in rows]
    return Result(
        name="imports",
        title="Import time of each handler in a fresh interpreter",
        columns=(
            Column("module", "module"),
            Column("ms", "ms (median)"),
            Column("above_ms", "ms above the bare client"),
            Column("cpu_above_ms", "ms of CPU above it"),
        ),
        rows=rows,
        notes=(
            f"median of {REPETITIONS} interpreters each, in turn; differences within a turn",
            "judged by the least CPU of each, which a busy machine disturbs less than the clock",
        ),
        bounds=(
            Bound(
                f"each handler within {ABOVE_CLIENT_MS_MAX} ms of CPU of the bare client",
                holds=max(above_ms) <= ABOVE_CLIENT_MS_MAX,
                fails_the_run=False,
            ),
            Bound(f"none imports {', '.join(HEAVY)}", holds=not heavy, fails_the_run=True),
        ),
    )


def _row(name: str, taken: Mapping[str, list[dict[str, Any]]]) -> Row:
    turns = zip(taken[name], taken[_CLIENT], strict=True)
    above_ms: float = median(own["ms"] - client["ms"] for own, client in turns)
    cpu_ms, client_ms = (min(each["cpu_ms"] for each in taken[of]) for of in (name, _CLIENT))
    return {
        "module": name,
        "ms": round(median(answer["ms"] for answer in taken[name]), 1),
        "above_ms": round(above_ms, 1),
        "cpu_above_ms": round(cpu_ms - client_ms, 1),
    }
