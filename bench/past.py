"""The cost of a read of the past, by its age and by how much one quarter of an hour counted.

The counts are the same on every machine, so the run fails if one is above its bound.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from time import process_time
from typing import Any, Final
from unittest.mock import patch

from bench.api import MONTH, NOW, Read, answer_to, event_of, function
from bench.large_table import Table
from bench.paging import items_in
from bench.results import Bound, Result, Row
from bench.wire import answered, recorded
from falcon_balances.adapters.aws import client
from lambdas.balance_api import handler

AGES: Final = (0, 3, 12, 36)  # months
OPERATIONS: Final = 100_000  # in the month, as long as they are spread over it
BURSTS: Final = (100, 1_000, 100_000)  # in one quarter
PAGE: Final = 200
_MONTH: Final = timedelta(days=30)
AT: Final = Read("balances, at=", "/balances", f"at={MONTH}-15T12:45:00Z")
STATEMENT: Final = Read("statement, first page", f"/statements/{MONTH}", f"limit={PAGE}")


@dataclass(frozen=True, slots=True)
class Most:
    """What a read may cost at most."""

    calls: int
    items: int | None = None
    bytes_read: int | None = None


AT_MOST: Final = {
    "balances": Most(5, items=300),
    "statement": Most(9, items=700, bytes_read=300_000),
}


def run() -> list[Result]:
    rows: list[Row] = []
    with function():
        for age in AGES:
            table = Table(OPERATIONS, later=age * _MONTH)
            rows += [_row(table, AT, age), _row(table, STATEMENT, age)]
        for operations in BURSTS:
            table = Table(operations, in_one_quarter=True)
            rows += _pages_of_burst(table)
    return [_result(rows)]


def _pages_of_burst(table: Table) -> list[Row]:
    """The first page, and the second, which begins in the middle of the quarter."""
    first = _row(table, STATEMENT, 0)
    if (cursor := _document(table, STATEMENT)["next_cursor"]) is None:
        return [first]
    query = f"limit={PAGE}&cursor={cursor}"
    return [first, _row(table, Read("statement, second page", STATEMENT.path, query), 0)]


def _document(table: Table, read: Read) -> dict[str, Any]:
    with _asked_of(table):
        found: dict[str, Any] = json.loads(answer_to(event_of(read))["body"])
    return found


def _asked_of(table: Table) -> Any:  # noqa: ANN401 - a context manager
    return answered(cache(table.answer))


def _row(table: Table, read: Read, age: int) -> Row:
    event = event_of(read)
    now = NOW + (age * _MONTH)
    client("dynamodb")
    with patch.object(handler.routes, "now", lambda: now), _asked_of(table):
        with recorded() as exchanges:
            body = answer_to(event)["body"]
        begun = process_time()
        answer_to(event)
        cpu_s = process_time() - begun
    return {
        "read": read.name,
        "months": age,
        "operations": table.operations,
        "calls": len(exchanges),
        "items": sum(items_in(each.response) for each in exchanges),
        "read_bytes": sum(len(each.response) for each in exchanges),
        "answer_bytes": len(body),
        "cpu_ms": round(1000 * cpu_s, 2),
    }


def _result(rows: list[Row]) -> Result:
    return Result(
        name="past",
        title="What a read of the past costs, by its age and by what one quarter counted",
        columns={
            "read": "read",
            "months": "months ago",
            "operations": "operations",
            "calls": "calls",
            "items": "items read",
            "read_bytes": "bytes read",
            "answer_bytes": "answered",
            "cpu_ms": ("CPU ms", 2),
        },
        rows=rows,
        notes=(
            f"first {OPERATIONS:,} operations spread over a month, and something counted in each",
            "quarter since; then operations that were all counted in one quarter of an hour",
        ),
        bounds=tuple(_bound(kind, most, rows) for kind, most in AT_MOST.items()),
    )


def _bound(kind: str, most: Most, rows: list[Row]) -> Bound:
    of_kind = [row for row in rows if str(row["read"]).startswith(kind)]
    limits = {"calls": most.calls, "items": most.items, "read_bytes": most.bytes_read}
    named = {name: limit for name, limit in limits.items() if limit is not None}
    text = ", ".join(f"{limit:,} {name.replace('_', ' ')}" for name, limit in named.items())
    holds = all(int(row[name]) <= limit for row in of_kind for name, limit in named.items())
    return Bound(f"{kind}: at most {text}, at any age and in any quarter", holds)
