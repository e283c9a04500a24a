"""The demo's act about reading: what a merchant's page shows."""

import json
from typing import Any

from demo.evidence import Api
from demo.story import Story

MERCHANT = "m-books"
MONTH = "2025-11"
REFERENCES = ["order-1001", "order-1001", "order-1002", "return-1001", "return-1002", "week-45"]
TURNOVER = {
    ("confirmed", "capture"): "149.50",
    ("confirmed", "psp_fee"): "-1.50",
    ("confirmed", "refund"): "-49.00",
    ("reconciled", "capture"): "100.00",
    ("reconciled", "psp_fee"): "-1.00",
}


def show_reads(story: Story, api: Api) -> None:
    story.act("What a merchant's page shows")
    reads = _Reads(story, api)
    operations = reads.pages(f"{MERCHANT}/operations?limit=4")
    story.table(
        [
            ("stage", "type", "reference", "operation date"),
            *(
                (each["stage"], each["type"], each["external_reference"], each["operation_date"])
                for each in operations
            ),
        ],
        left=4,
    )
    story.check(
        "two pages hold every operation once, the last counted first",
        sorted(each["external_reference"] for each in operations),
        REFERENCES,
    )
    captured = next(each for each in operations if each["external_reference"] == "order-1001")
    told = reads.get(f"{MERCHANT}/operations/{captured['falcon_operation_id']}")
    for stage in told["stages"]:
        story.say(f"   {stage['stage']}: {stage['log_key']}, counted in {stage['counted_in']}")
    story.check("order-1001 is shown in both stages", len(told["stages"]), 2)
    _show_sums(story, reads)
    _show_freshness(story, reads, api)


def _show_sums(story: Story, reads: "_Reads") -> None:
    waiting = reads.get(f"{MERCHANT}/unreconciled")
    story.say(f"   {json.dumps(waiting['sums'])}")
    story.check(
        "not reconciled yet: order-1002 and the two returns",
        sorted(each["external_reference"] for each in waiting["operations"]),
        ["order-1002", "return-1001", "return-1002"],
    )
    (euro,) = reads.get(f"{MERCHANT}/turnover?month={MONTH}")["currencies"]
    sums = {(each["stage"], each["type"]): each["amount"] for each in euro["sums"]}
    story.check(f"the turnover of {MONTH} equals the one worked out by hand", sums, TURNOVER)
    table = reads.get(f"{MERCHANT}/balances")
    log = reads.get(f"{MERCHANT}/balances?source=log")
    story.check(
        f"the balances added up from the log's {log['objects_read']} objects are the same",
        log["balances"],
        table["balances"],
    )


def _show_freshness(story: Story, reads: "_Reads", api: Api) -> None:
    token = api.token(MERCHANT)
    _, _, headers = api.get(f"{MERCHANT}/balances", token)
    known = {"If-None-Match": headers["ETag"]}
    status, _, _ = api.get(f"{MERCHANT}/balances", token, **known)
    story.say(f"   If-None-Match: {headers['ETag']}")
    story.check("a client that has these balances already gets 304", status, 304)
    history = reads.get(f"{MERCHANT}/balances/bs-books-eur/history")
    at = history["closed_until"]
    story.say(
        f"   quarters of an hour are closed until {at}: what was counted before then never changes"
    )
    past = reads.get(f"{MERCHANT}/balances?at={at}")
    (balance,) = history["balances"]
    closing = balance["closing"]
    story.check(
        "the balance at that time equals the end of its history",
        [{name: each[name] for name in closing} for each in past["balances"]],
        [closing] if closing["operations_count"] else [],
    )
    status, problem, _ = api.get(f"{MERCHANT}/balances?at=9999-01-01T00:00:00Z", token)
    story.say(f"   {json.dumps(problem)}")
    story.check(
        "a time that is not closed yet gets 404, with the time until which quarters are closed",
        (status, problem["closed_until"] >= at),
        (404, True),
    )


class _Reads:
    def __init__(self, story: Story, api: Api) -> None:
        self._story = story
        self._api = api

    def get(self, path: str) -> dict[str, Any]:
        self._story.say(f"   GET /v1/merchants/{path}")
        _, document, _ = self._api.get(path, self._api.token(MERCHANT))
        return document

    def pages(self, path: str) -> list[dict[str, Any]]:
        document = self.get(path)
        found: list[dict[str, Any]] = document["operations"]
        if document["next_cursor"]:
            found += self.pages(f"{path.partition('&')[0]}&cursor={document['next_cursor']}")
        return found
