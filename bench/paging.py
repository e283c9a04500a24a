"""What a page costs of a merchant with 10^2, 10^4 and 10^6 operations in a month.

No table in memory holds a million: `Table` answers for one, and makes each item when it is read,
as the product would have written it. Orders sort by number, so positions are found by bisection.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from statistics import median
from typing import Any, Final

from bench.api import (
    AS_OF,
    CUTS,
    MERCHANT,
    MONTH,
    Read,
    answer_to,
    event_of,
    function,
)
from bench.core import measure
from bench.results import Bound, Column, Result, Row
from bench.wire import Answer, answered, recorded
from falcon_balances.adapters.balance_items import transact_item
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.instants import QUARTER, rfc3339
from falcon_balances.domain.operations import PspOperation
from falcon_balances.domain.parts import ArrivedSegment, CountablePart, countable_parts
from falcon_balances.domain.splitting import split
from falcon_balances.domain.table_keys import STREAM_PK, CutKey
from falcon_balances.domain.transactions import joined
from generated import events
from lambdas.balance_api.cursors import Cursors
from lambdas.balance_api.reading import MARKS_A_PAGE_MAX

SIZES: Final = (100, 10_000, 1_000_000)
ROUNDS: Final = 7
REQUESTS: Final = 5  # of a round
PAGE: Final = 50
CPU_RATIO_MAX: Final = 1.25
_BEGINNING: Final = datetime(2026, 3, 1, tzinfo=UTC)
_QUARTERS: Final = 31 * 96
_PAGE_BYTES_MAX: Final = 1_000_000  # where DynamoDB would end a page, and `Table` does not
_SECOND: Final = timedelta(seconds=1)


@cache
def _counted() -> tuple[CountablePart, str]:
    """One capture as it is counted, of which every other one is a copy; and its operation's id."""
    (message,) = events.captures(1, merchants=1)
    operation = parse_message(message.body, message.stage, mode="test", sent_at=events.SENT_AT)
    assert isinstance(operation, PspOperation)
    said = split(operation, events.histories_of(1))
    claim = ClaimV1.of(operation, events.RECEIVED_AT, said)
    (claimed,), (segment,) = claim.segments, said.segments
    arrived = ArrivedSegment(segment, _BEGINNING, claimed.log_key, claim.fingerprint)
    (part,), _ = joined(countable_parts(arrived), {})
    return part, said.falcon_operation_id


class Table:
    """The table `balances` of one merchant, whose operations are counted evenly over a month."""

    def __init__(self, operations: int) -> None:
        self.operations = operations
        part, self._template_id = _counted()
        item = transact_item("-", part.mark)["Put"]["Item"]
        self._mark = json.dumps(item)
        self._template_window = item["window"]["S"]
        self._template_booked = item["counted_order"]["S"].split("#")[1]
        self._counters = {
            key.sk.partition("#")[0]: (key.sk, counters) for key, counters in part.additions.items()
        }

    def answer(self, operation: str, request: bytes) -> bytes:
        asked = json.loads(request)
        if operation == "GetItem":
            assert asked["Key"] == {"pk": {"S": STREAM_PK}, "sk": {"S": "AS_OF"}}
            return _encoded({"Item": asked["Key"] | {"as_of": {"S": rfc3339(AS_OF)}}})
        if operation == "TransactGetItems":
            keys = [each["Get"]["Key"]["sk"]["S"] for each in asked["TransactItems"]]
            return _encoded({"Responses": [self._at_once(sk) for sk in keys]})
        assert operation == "Query"
        body = self._marks(asked) if "IndexName" in asked else _page(self._items(asked))
        assert len(body) < _PAGE_BYTES_MAX
        return body

    def order(self, number: int) -> str:
        return "#".join((*self._times(number), _id_of(number), "confirmed"))

    def _times(self, number: int) -> tuple[str, str]:
        """The quarter in which it is counted, and when it was booked; both as texts."""
        quarter = number * _QUARTERS // self.operations
        start = _BEGINNING + quarter * QUARTER
        return rfc3339(start), rfc3339(start + (number - self._first_of(quarter)) * _SECOND)

    def _first_of(self, quarter: int) -> int:
        return -(-quarter * self.operations // _QUARTERS)

    def _marks(self, asked: dict[str, Any]) -> bytes:
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        numbers = range(self.operations)
        start = bisect_left(numbers, values[":start"], key=self.order)
        end = bisect_right(numbers, values[":end"], key=self.order)
        after = asked.get("ExclusiveStartKey", {}).get("counted_order", {}).get("S")
        limit: int = asked["Limit"]
        if asked["ScanIndexForward"]:
            if after is not None:
                start = max(start, bisect_right(numbers, after, key=self.order))
            chosen = numbers[start : min(end, start + limit)]
            is_last = start + limit > end
        else:
            if after is not None:
                end = min(end, bisect_left(numbers, after, key=self.order))
            chosen = numbers[max(start, end - limit) : end][::-1]
            is_last = end - limit < start
        return _page([self._mark_of(number) for number in chosen], is_last=is_last)

    def _mark_of(self, number: int) -> str:
        window, booked = self._times(number)
        # The order holds both times, so it is replaced first.
        return (
            self._mark.replace(
                f"{self._template_window}#{self._template_booked}", f"{window}#{booked}"
            )
            .replace(self._template_window, window)
            .replace(self._template_booked, booked)
            .replace(self._template_id, _id_of(number))
        )

    def _items(self, asked: dict[str, Any]) -> list[str]:
        values = [value["S"] for value in asked["ExpressionAttributeValues"].values()]
        first, last = values[-2], values[-1]
        if last == "BALANCE#":
            return [json.dumps(self._balance()["Item"])]
        if last == "CUT#":
            return [json.dumps(_cut(minutes)) for minutes in range(min(CUTS, asked["Limit"]))]
        assert first.startswith("WINDOW#")
        quarters = (
            range(_QUARTERS)
            if self.operations >= _QUARTERS
            else (number * _QUARTERS // self.operations for number in range(self.operations))
        )
        windows = (self._window(quarter) for quarter in quarters)
        return [json.dumps(item) for item in windows if first <= item["sk"]["S"] <= last]

    def _at_once(self, sk: str) -> dict[str, Any]:
        return self._balance() if sk.startswith("BALANCE#") else {}

    def _balance(self) -> dict[str, Any]:
        sk, counters = self._counters["BALANCE"]
        return {"Item": _item(sk, counters, self.operations)}

    def _window(self, quarter: int) -> dict[str, Any]:
        sk, counters = self._counters["WINDOW"]
        _, _, balance = sk.split("#", 2)
        start = rfc3339(_BEGINNING + quarter * QUARTER)
        count = self._first_of(quarter + 1) - self._first_of(quarter)
        return _item(f"WINDOW#{start}#{balance}", counters, count)


def _id_of(number: int) -> str:
    return f"{number:08x}-0000-5000-8000-{number:012x}"


def _item(sk: str, counters: Any, times: int) -> dict[str, Any]:  # noqa: ANN401 - a mapping
    numbers = {name: {"N": str(times * value)} for name, value in counters.items()}
    return {"pk": {"S": f"MERCHANT#{MERCHANT}"}, "sk": {"S": sk}, **numbers}


def _cut(minutes: int) -> dict[str, Any]:
    cut_at = AS_OF - timedelta(minutes=minutes)
    return {
        "pk": {"S": STREAM_PK},
        "sk": {"S": CutKey(rfc3339(cut_at)).item.sk},
        "met": {"SS": ["shardId-000000000000"]},
        "completed_at": {"S": rfc3339(cut_at + 2 * _SECOND)},
        "expires_at": {"N": "1777716000"},
    }


def _page(items: Sequence[str], *, is_last: bool = True) -> bytes:
    more = ""
    if not is_last:
        item = json.loads(items[-1])
        names = ("pk", "sk", "merchant_id", "counted_order")
        more = f', "LastEvaluatedKey": {json.dumps({name: item[name] for name in names})}'
    count = len(items)
    text = f'{{"Items": [{", ".join(items)}], "Count": {count}, "ScannedCount": {count}{more}}}'
    return text.encode()


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Page:
    """`operations` before or after its cursor are worked out from the size; none is the first.

    Only what `is_flat` fails the run where it is not.
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
        after = {"middle": (table.operations + PAGE) // 2, "last": PAGE}[page.after]
        cursors = Cursors("operations", MERCHANT, _NEWEST)
    else:
        after = table.operations - PAGE - 1
        cursors = Cursors(page.path.removeprefix("/"), MERCHANT, {"format": "json"})
    return Read(page.name, page.path, f"{page.query}&cursor={cursors.write(table.order(after))}")


def run() -> Result:
    rows: list[Row] = []
    bounds: list[Bound] = []
    with function():
        for page in PAGES:
            of_page = _rows(page)
            rows += of_page
            if page.is_flat:
                costs = {(row["calls"], row["items"], row["read_bytes"]) for row in of_page}
                text = f"{page.name}: the same calls, items and bytes at all sizes"
                bounds.append(Bound(text, holds=len(costs) == 1, fails_the_run=True))
    looked_at = [int(row["items"]) for row in rows if row["page"] == NONE]
    text = f"none of the type: at most {MARKS_A_PAGE_MAX:,} operations looked at"
    holds = max(looked_at) <= MARKS_A_PAGE_MAX + CUTS
    bounds.append(Bound(text, holds=holds, fails_the_run=True))
    flat = {page.name for page in PAGES if page.is_flat}
    worst = max(float(row["of_smallest"]) for row in rows if row["page"] in flat)
    text = f"operations: CPU of all sizes within {CPU_RATIO_MAX} of the smallest's"
    bounds.append(Bound(text, holds=worst <= CPU_RATIO_MAX, fails_the_run=False))
    return _result(rows, bounds)


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
                "items": sum(_items_in(each.response) for each in exchanges),
                "read_bytes": sum(len(each.response) for each in exchanges),
                "answer_bytes": len(body),
            }
        )
        paths[str(size)] = _asking(answer, event)
    cpu_s = [times.cpu_s for times in measure(paths, ROUNDS).values()]
    for row, taken in zip(found, cpu_s, strict=True):
        ratios = [own / other for own, other in zip(taken, cpu_s[0], strict=True)]
        row |= {
            "cpu_ms": round(1000 * median(taken) / REQUESTS, 2),
            "of_smallest": round(median(ratios), 2),
        }
    return list(found)


def _asking(answer: Answer, event: dict[str, Any]) -> Callable[[], None]:
    def run() -> None:
        with answered(answer):
            for _ in range(REQUESTS):
                answer_to(event)

    return run


def _check(page: Page, document: dict[str, Any], size: int) -> None:
    """The page that was meant, and not one that is merely like it."""
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
    assert ids == [_id_of(number) for number in expected]
    assert (document["next_cursor"] is None) == (page.after == "last")


def _items_in(response: bytes) -> int:
    document = json.loads(response)
    together = [*document.get("Items", ()), *document.get("Responses", ())]
    return len(together) + ("Item" in document)


def _result(rows: list[Row], bounds: Sequence[Bound]) -> Result:
    return Result(
        name="pages",
        title="What a page costs, by how many operations the merchant has in the month",
        columns=(
            Column("page", "page"),
            Column("operations", "of operations"),
            Column("calls", "calls"),
            Column("items", "items read"),
            Column("read_bytes", "bytes read"),
            Column("answer_bytes", "answered"),
            Column("cpu_ms", "CPU ms", decimals=2),
            Column("of_smallest", "to the smallest", decimals=2),
        ),
        rows=rows,
        notes=(
            f"pages of {PAGE} operations, the default; {CUTS} cuts are kept",
            "a statement's page also reads all windows since its month began, 2,976 of a month and",
            "balance at the most, and the quarter of an hour that it begins in from its beginning",
            f"medians of {ROUNDS} rounds of {REQUESTS} requests in turn; ratios within a round",
        ),
        bounds=bounds,
    )
