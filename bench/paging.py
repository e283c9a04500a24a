"""The cost of a page for a merchant with 10^2, 10^4 and 10^6 operations in a month."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from statistics import median
from typing import Any, Final

from bench.api import (
    CURSOR_SEAL,
    CUTS,
    MERCHANT,
    MONTH,
    Read,
    answer_to,
    event_of,
    function,
)
from bench.large_table import Table, id_of
from bench.results import Bound, Result, Row, reported
from bench.timing import measure, ratio
from bench.wire import Answer, answered, recorded
from falcon_balances.contracts.cursors import Cursors

SIZES: Final = (100, 10_000, 1_000_000)
ROUNDS: Final = 7
REQUESTS: Final = 5  # of a round
PAGE: Final = 50
CPU_RATIO_MAX: Final = 1.25
FILTERED_CALLS_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Page:
    """A page that begins `after` a place: the middle, or before the last page; "" is the first.

    If `is_flat`, the page must cost the same at all sizes, or the run fails.
    """

    name: str
    path: str
    query: str
    after: str = ""
    is_flat: bool = True


NONE: Final = "operations, none of the type"
_NEWEST: Final = {"order": "newest_first"}
PAGES: Final = (
    Page("operations, first", "/operations", f"limit={PAGE}"),
    Page("operations, middle", "/operations", f"limit={PAGE}", after="middle"),
    Page("operations, last", "/operations", f"limit={PAGE}", after="last"),
    Page(NONE, "/operations", "type=adjustment", is_flat=False),
    Page("statement, first", f"/statements/{MONTH}", f"limit={PAGE}", is_flat=False),
    Page("statement, last", f"/statements/{MONTH}", f"limit={PAGE}", after="last", is_flat=False),
)


def _read_of(page: Page, table: Table) -> Read:
    if not page.after:
        return Read(page.name, page.path, page.query)
    if page.path == "/operations":  # the newest first: what follows has lower numbers
        after = table.order({"middle": (table.operations + PAGE) // 2, "last": PAGE}[page.after])
        cursors = Cursors(CURSOR_SEAL, "operations", MERCHANT, _NEWEST)
    else:
        after = table.position(table.operations - PAGE - 1)
        cursors = Cursors(CURSOR_SEAL, page.path.removeprefix("/"), MERCHANT, {"format": "json"})
    return Read(page.name, page.path, f"{page.query}&cursor={cursors.write(after)}")


def run() -> list[Result]:
    rows: list[Row] = []
    bounds: list[Bound] = []
    with function():
        for page in PAGES:
            of_page = _rows(page)
            rows += of_page
            if page.is_flat:
                text = f"{page.name}: the same calls, items and bytes from {SIZES[1]:,} on"
                bounds.append(Bound(text, _is_flat(of_page)))
    items = max(int(row["items"]) for row in rows if row["page"] == NONE)
    calls = max(int(row["calls"]) for row in rows if row["page"] == NONE)
    text = f"none of the type: at most {FILTERED_CALLS_MAX} calls a page"
    bounds.append(Bound(text, calls <= FILTERED_CALLS_MAX))
    text = "none of the type: no operation read"
    bounds.append(Bound(text, items <= CUTS))
    flat = {page.name for page in PAGES if page.is_flat}
    worst = max(float(row["of_smallest"]) for row in rows if row["page"] in flat)
    text = f"operations: CPU of all sizes within {CPU_RATIO_MAX} of the smallest's"
    bounds.append(reported(text, holds=worst <= CPU_RATIO_MAX))
    return [_result(rows, bounds)]


def _is_flat(of_page: Sequence[Row]) -> bool:
    """Few operations may cost less, as their index ends before a page's worth of entries."""
    smallest, *others = ((row["calls"], row["items"], row["read_bytes"]) for row in of_page)
    return len(set(others)) == 1 and smallest <= others[0]


def _rows(page: Page) -> list[Row]:
    found: list[dict[str, str | int | float]] = []
    paths: dict[str, Callable[[], object]] = {}
    for size in SIZES:
        table = Table(size)
        event, answer = event_of(_read_of(page, table)), cache(table.answer)
        with answered(answer), recorded() as exchanges:
            body = answer_to(event)["body"]
        _check(page, json.loads(body), size)
        found.append(
            {
                "page": page.name,
                "operations": size,
                "calls": len(exchanges),
                "items": sum(items_in(each.response) for each in exchanges),
                "read_bytes": sum(len(each.response) for each in exchanges),
                "answer_bytes": len(body),
            }
        )
        paths[str(size)] = _asking(answer, event)
    cpu_s = [times.cpu_s for times in measure(paths, ROUNDS).values()]
    for row, taken in zip(found, cpu_s, strict=True):
        row["cpu_ms"] = round(1000 * median(taken) / REQUESTS, 2)
        row["of_smallest"] = ratio(taken, cpu_s[0])
    return list(found)


def _asking(answer: Answer, event: dict[str, Any]) -> Callable[[], None]:
    def run() -> None:
        with answered(answer):
            for _ in range(REQUESTS):
                answer_to(event)

    return run


def _check(page: Page, document: dict[str, Any], size: int) -> None:
    """Checks that the answer is the intended page, not another one of the same size."""
    found = document["operations" if page.path == "/operations" else "lines"]
    ids = list(dict.fromkeys(each["falcon_operation_id"] for each in found))
    if page.name == NONE:
        assert not ids
        return
    newest = {"": size, "middle": (size + PAGE) // 2, "last": PAGE}
    oldest = {"": 0, "last": size - PAGE}
    if page.path == "/operations":
        expected = range(newest[page.after] - PAGE, newest[page.after])[::-1]
    else:
        expected = range(oldest[page.after], oldest[page.after] + PAGE)
    assert ids == [id_of(number) for number in expected]
    assert (document["next_cursor"] is None) == (page.after == "last")


def items_in(response: bytes) -> int:
    document = json.loads(response)
    found = document.get("Responses", ())
    batches = found.values() if isinstance(found, dict) else [found]
    together = [*document.get("Items", ()), *chain.from_iterable(batches)]
    return len(together) + ("Item" in document)


def _result(rows: list[Row], bounds: Sequence[Bound]) -> Result:
    return Result(
        name="pages",
        title="What a page costs, by how many operations the merchant has in the month",
        columns={
            "page": "page",
            "operations": "of operations",
            "calls": "calls",
            "items": "items read",
            "read_bytes": "bytes read",
            "answer_bytes": "answered",
            "cpu_ms": ("CPU ms", 2),
            "of_smallest": ("to the smallest", 2),
        },
        rows=rows,
        notes=(
            f"pages of {PAGE} operations, the default; {CUTS} cuts are kept",
            "a statement's page also reads the closings of its month, and the windows of its first",
            "line's day and of all its lines",
            f"medians of {ROUNDS} rounds of {REQUESTS} requests in turn; ratios within a round",
        ),
        bounds=bounds,
    )
