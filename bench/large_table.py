"""The table of a merchant with up to a million operations, as it was then or years later; it makes
only the items that are read.

Each item is made as the product would have written it. Orders sort by number, so bisection finds
positions.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any, Final

from bench.api import AS_OF, CUTS, MERCHANT
from falcon_balances.adapters.balance_items import transact_item
from falcon_balances.contracts.staged_operations import parse_message
from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.history import Figures, last_day_before
from falcon_balances.domain.instants import QUARTER, parse_rfc3339, rfc3339
from falcon_balances.domain.merged_marks import index_partition
from falcon_balances.domain.parts import CountablePart
from falcon_balances.domain.past_keys import ClosingKey, WindowKey
from falcon_balances.domain.statement_positions import MerchantStatementPosition
from falcon_balances.domain.table_keys import STREAM_PK, CutKey
from falcon_balances.domain.transactions import joined
from generated import events
from inprocess.pure import claim_of, parts_of, records_of

_BEGINNING: Final = datetime(2026, 3, 1, tzinfo=UTC)
_QUARTERS: Final = 31 * 96
_PAGE_BYTES_MAX: Final = 1_000_000  # where DynamoDB would end a page, and `Table` does not
_ENTRY: Final = ("pk", "sk", "spread", "counted_order")
_SECOND: Final = timedelta(seconds=1)
_BURST: Final = 1000  # the quarter in which all are counted at once
_BURST_BOOKED: Final = timedelta(days=5)  # before
_EACH_LATER: Final = 3  # operations in each quarter after the month


@cache
def _counted() -> tuple[CountablePart, str]:
    """The one counted capture that all others are copies of, and its operation's id."""
    (message,) = events.captures(1, merchants=1)
    operation = parse_message(message.body, message.stage, mode="test", sent_at=events.SENT_AT)
    claim = claim_of(operation, events.RECEIVED_AT, events.histories_of(1))
    (part,), _ = joined(parts_of(records_of(claim), _BEGINNING), {})
    return part, claim.falcon_operation_id


class Table:
    """The table `balances` of one merchant, whose operations are counted evenly over a month, or in
    one quarter of it.

    `later`: how long after the month it is read. Something was counted in each quarter since then.
    """

    def __init__(
        self, operations: int, *, later: timedelta = timedelta(), in_one_quarter: bool = False
    ) -> None:
        self.operations = operations
        self.as_of = AS_OF + later
        self._is_later = bool(later)
        self._in_one_quarter = in_one_quarter
        part, self._template_id = _counted()
        item = transact_item("-", part.mark)["Put"]["Item"]
        self._mark = json.dumps(item)
        self._template_spread = item["spread"]["S"]
        self._template_window = item["window"]["S"]
        self._template_booked = item["counted_order"]["S"].split("#")[1]
        self._counters = {
            key.sk.partition("#")[0]: (key.sk, counters) for key, counters in part.additions.items()
        }

    def answer(self, operation: str, request: bytes) -> bytes:
        asked = json.loads(request)
        if operation == "GetItem":
            assert asked["Key"] == {"pk": {"S": STREAM_PK}, "sk": {"S": "AS_OF"}}
            return _encoded({"Item": self._stream()[0]})
        if operation == "BatchGetItem":
            return self._marks(asked)
        assert operation == "Query"
        body = self._index(asked) if "IndexName" in asked else _page(self._items(asked))
        assert len(body) < _PAGE_BYTES_MAX
        return body

    def order(self, number: int) -> str:
        return "#".join((*self._times(number), id_of(number), "confirmed"))

    def position(self, number: int) -> str:
        """Where a page of a statement ended with this operation."""
        quarter = self._quarter_of(number)
        times = number + 1 - self._first_of(quarter)
        key, counters = self._counters["WINDOW"]
        counted = Figures.of({name: times * value for name, value in counters.items()})
        order = CountedOrder.parse(self.order(number))
        return MerchantStatementPosition(order, {WindowKey.parse(key).balance: counted}).text

    def _quarter_of(self, number: int) -> int:
        return _BURST if self._in_one_quarter else number * _QUARTERS // self.operations

    def _times(self, number: int) -> tuple[str, str]:
        """The quarter in which the operation is counted, and when it was booked; both as texts."""
        quarter = self._quarter_of(number)
        start = _BEGINNING + quarter * QUARTER
        booked = start - _BURST_BOOKED if self._in_one_quarter else start
        return rfc3339(start), rfc3339(booked + (number - self._first_of(quarter)) * _SECOND)

    def _first_of(self, quarter: int) -> int:
        """How many operations were counted before a quarter."""
        later = _EACH_LATER * max(quarter - _QUARTERS, 0) if self._is_later else 0
        if self._in_one_quarter:
            return later + (self.operations if quarter > _BURST else 0)
        return later + -(-min(quarter, _QUARTERS) * self.operations // _QUARTERS)

    def _index(self, asked: dict[str, Any]) -> bytes:
        """The entries of one partition of the index, without reading the others' orders."""
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        numbers = range(self.operations)
        start = bisect_left(numbers, values[":first"], key=self.order)
        end = bisect_right(numbers, values[":last"], key=self.order)
        among = range(start, end) if asked["ScanIndexForward"] else range(start, end)[::-1]
        own = (n for n in among if index_partition(MERCHANT, id_of(n)) == values[":partition"])
        chosen = list(islice(own, asked["Limit"] + 1))
        limit: int = asked["Limit"]
        asked_for = {value for name, value in values.items() if name.startswith(":tag")}
        entries = [entry for n in chosen[:limit] if asked_for <= _tags(entry := self._entry(n))]
        more = self._entry(chosen[limit - 1]) if len(chosen) > limit else None
        return _page(list(map(json.dumps, entries)), more)

    def _entry(self, number: int) -> dict[str, Any]:
        item = json.loads(self._mark_of(number))
        return {name: item[name] for name in (*_ENTRY, "tags")}

    def _marks(self, asked: dict[str, Any]) -> bytes:
        [(name, said)] = asked["RequestItems"].items()
        ids = [key["sk"]["S"].split("#")[1] for key in said["Keys"]]
        marks = [self._mark_of(int(each.rpartition("-")[2], 16)) for each in ids]
        return f'{{"Responses": {{"{name}": [{", ".join(marks)}]}}}}'.encode()

    def _mark_of(self, number: int) -> str:
        window, booked = self._times(number)
        # `counted_order` holds both times, so it is replaced first.
        return (
            self._mark.replace(
                f"{self._template_window}#{self._template_booked}", f"{window}#{booked}"
            )
            .replace(self._template_window, window)
            .replace(self._template_booked, booked)
            .replace(self._template_id, id_of(number))
            .replace(self._template_spread, index_partition(MERCHANT, id_of(number)))
        )

    def _items(self, asked: dict[str, Any]) -> list[str]:
        values = [value["S"] for value in asked["ExpressionAttributeValues"].values()]
        first, last = values[-2], values[-1]
        if last == "BALANCE#":
            return [json.dumps(self._balance()["Item"])]
        if last == "CUT#":
            cuts = range(min(CUTS, asked["Limit"]))
            return [json.dumps(_cut(self.as_of, minutes)) for minutes in cuts]
        if first == "AS_OF":
            return list(map(json.dumps, self._stream()))
        if first.startswith("CLOSING#"):
            return [json.dumps(each) for each in self._closings(last, asked["Limit"])]
        assert first.startswith("WINDOW#")
        start, end = (parse_rfc3339(WindowKey.parse(sk).start) for sk in (first, last))
        quarters = range(max((start - _BEGINNING) // QUARTER, 0), (end - _BEGINNING) // QUARTER + 1)
        windows = (each for each in map(self._window, quarters) if each is not None)
        return [json.dumps(item) for item in windows]

    def _stream(self) -> list[dict[str, Any]]:
        day = last_day_before(self.as_of.replace(hour=0))
        said = {"as_of": rfc3339(self.as_of)}, {"day": day, "journal": ""}
        return [
            {"pk": {"S": STREAM_PK}, "sk": {"S": sk}} | {n: {"S": v} for n, v in each.items()}
            for sk, each in zip(("AS_OF", "CLOSED_DAY"), said, strict=True)
        ]

    def _balance(self) -> dict[str, Any]:
        sk, counters = self._counters["BALANCE"]
        return {"Item": _item(sk, counters, self._first_of(self._last_quarter))}

    @property
    def _last_quarter(self) -> int:
        return (self.as_of - _BEGINNING) // QUARTER

    def _closings(self, last: str, limit: int) -> Iterator[dict[str, Any]]:
        """Newest first, of days on which something was counted."""
        day = (parse_rfc3339(f"{last[-11:-2]}1T00:00:00Z") - _BEGINNING).days + 10
        found = (each for n in range(day, -1, -1) if (each := self._closing(n, last)) is not None)
        return islice(found, limit)

    def _closing(self, day: int, last: str) -> dict[str, Any] | None:
        sk, counters = self._counters["WINDOW"]
        start = (_BEGINNING + timedelta(days=day)).date().isoformat()
        key = ClosingKey(WindowKey.parse(sk).balance, start).sk
        first, end = 96 * day, 96 * (day + 1)
        if key > last or self._first_of(end) == self._first_of(first):
            return None
        times = self._first_of(end)
        figures = Figures.of({name: times * value for name, value in counters.items()})
        return _item(key, asdict(figures), 1)

    def _window(self, quarter: int) -> dict[str, Any] | None:
        sk, counters = self._counters["WINDOW"]
        start = rfc3339(_BEGINNING + quarter * QUARTER)
        count = self._first_of(quarter + 1) - self._first_of(quarter)
        key = WindowKey(WindowKey.parse(sk).balance, start).sk
        return _item(key, counters, count) if count else None


def id_of(number: int) -> str:
    return f"{number:08x}-0000-5000-8000-{number:012x}"


def _item(sk: str, counters: Any, times: int) -> dict[str, Any]:  # noqa: ANN401 - a mapping
    numbers = {name: {"N": str(times * value)} for name, value in counters.items()}
    return {"pk": {"S": f"MERCHANT#{MERCHANT}"}, "sk": {"S": sk}, **numbers}


def _cut(as_of: datetime, minutes: int) -> dict[str, Any]:
    cut_at = as_of - timedelta(minutes=minutes)
    return {
        "pk": {"S": STREAM_PK},
        "sk": {"S": CutKey(rfc3339(cut_at)).item.sk},
        "met": {"SS": ["shardId-000000000000"]},
        "completed_at": {"S": rfc3339(cut_at + 2 * _SECOND)},
        "expires_at": {"N": "1777716000"},
    }


def _tags(entry: dict[str, Any]) -> set[str]:
    return {*entry["tags"]["S"].split()}


def _page(items: Sequence[str], last: dict[str, Any] | None = None) -> bytes:
    """`last`: the entry after which the next page begins."""
    more = ""
    if last is not None:
        more = f', "LastEvaluatedKey": {json.dumps({name: last[name] for name in _ENTRY})}'
    count = len(items)
    text = f'{{"Items": [{", ".join(items)}], "Count": {count}, "ScannedCount": {count}{more}}}'
    return text.encode()


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
