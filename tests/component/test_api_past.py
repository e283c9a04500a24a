"""The past as the API tells it: exact at every border, the same for ever, and never a guess."""

import csv
import io
from collections import Counter
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any, ClassVar

import pytest
from botocore.exceptions import ClientError

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.ports import TryAgain
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.past_documents import FiguresV1
from falcon_balances.domain.blocks import Block, Purpose, block_writes, manual_block_id
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.operations import Stage
from falcon_balances.fakes.interruptions import never
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from inprocess.aws import BALANCES_TABLE, CLAIMS_TABLE, LOG_BUCKET
from lambdas.balance_api import handler as balance_api
from lambdas.balance_api import reading
from lambdas.reducer import handler as reducer
from lambdas.reducer.ports import ReducerPorts
from tests.builders import (
    Document,
    confirmed,
    context_of,
    cut_of,
    data_of,
    fee_of,
    marketplace,
    reconciled,
    record_of,
    shop,
)
from tests.component.api_calls import MERCHANT, Answer, get, pages
from tests.component.ledger import (
    MINUTE,
    QUARTER,
    SECOND,
    Ledger,
    adjustment,
    figures_at,
    id_of,
    live_figures,
    minor,
    payout,
)
from tests.component.world import SHARD, AwsWorld, utc

# One balance shop in two currencies, one of a second local merchant, and a marketplace's.
CONTEXTS = (
    context_of(fees=[fee_of("1.50")], balance_shops={"EUR": "bs-one", "JPY": "bs-one"}),
    context_of("5554", merchant_id=MERCHANT, balance_shops={"EUR": "bs-two"}),
    context_of("market"),
)
BALANCES = [("bs-one", "EUR"), ("bs-one", "JPY"), ("bs-two", "EUR")]
MONTHS = ["2026-09", "2026-10", "2026-11"]
FIGURES = list(FiguresV1.model_fields)


class Trade:
    """Random events, always the same: of both local merchants, in both stages, on any date."""

    KINDS: ClassVar[dict[str, Document]] = {
        "capture": {},
        "yen": {"currency": "JPY", "amount": "250"},
        "second": shop("5554"),
        "refund": {"type": "refund"},
        "chargeback": {"type": "chargeback"},
        "market": {},
    }

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._confirmed: list[Document] = []
        self._count = 0

    def events(self, now: datetime, count: int) -> list[Document]:
        return [self._event(now) for _ in range(count)]

    def _event(self, now: datetime) -> Document:
        self._count += 1
        reference, amount = f"trade-{self._count}", f"{self._random.randint(1, 99)}.50"
        kind = self._random.choice([*self.KINDS, "reconciled", "payout", "adjustment"])
        if kind == "payout":
            said = {"payout_id": reference, "requested_at": rfc3339(now), "amount": amount}
            return payout(balance_shop_id="bs-one", **said)
        if kind == "adjustment":
            way = self._random.choice(["credit", "debit"])
            said = {"adjustment_id": reference, "adjusted_at": rfc3339(now), "amount": amount}
            return adjustment(balance_shop_id="bs-one", direction=way, **said)
        if kind == "reconciled" and self._confirmed:
            event = self._confirmed.pop(self._random.randrange(len(self._confirmed)))
            return event | {"reconciled_date": rfc3339(now), "bank_reference": reference}
        ago = timedelta(seconds=self._random.randint(0, 9 * 86400))
        dated = {"external_reference": reference, "operation_date": rfc3339(now - ago)}
        if kind == "market":
            parts = [("5553", "60.00", "3.00"), ("5554", "40.00", None)]
            event = marketplace(parts, "100.00", **dated)
        else:
            event = confirmed(**{"amount": amount} | self.KINDS.get(kind, {}) | dated)
        self._confirmed.append(event)
        return event


def block(key: str, at: datetime) -> Block:
    return Block(
        block_id=manual_block_id(MERCHANT, key),
        merchant_id=MERCHANT,
        balance_shop_id="bs-two",
        currency="EUR",
        amount=150,
        purpose=Purpose.MANUAL,
        reference=key,
        requested_by="anna",
        created_at=at,
    )


Live = dict[datetime, dict[tuple[str, str], dict[str, Any]]]


@pytest.fixture
def traded(ledger):
    """Three months of trade, until three hours into the fourth."""
    ledger.contexts = CONTEXTS
    return ledger


def trade(ledger: Ledger, seed: int = 1) -> Live:
    """What was read live at the border of every quarter in which something was counted."""
    events, live = Trade(seed), dict[datetime, Any]()
    for start in quarters_of_trade():
        ledger.now = start + 7 * MINUTE
        ledger.count(*events.events(ledger.now, 4))
        border = ledger.now = start + QUARTER
        live[border] = live_figures()
        # Before the cut, but in the next quarter; and money set aside, which is no part of it.
        ledger.now = border + 3 * SECOND
        ledger.count(*events.events(ledger.now, 1))
        ledger.store.apply(block_writes(block(f"block-{border}", border)))
        ledger.now = border + 10 * SECOND
        ledger.cut()
    return live


def quarters_of_trade() -> list[datetime]:
    """The first and the last of every month, and some between."""
    months = [utc(f"{month}-01T00:00:00") for month in [*MONTHS, "2026-12"]]
    found = []
    for start, end in pairwise(months):
        found += [start, start + QUARTER, start + timedelta(days=11, hours=13)]
        found += [start + timedelta(days=20), end - 2 * QUARTER, end - QUARTER]
    last = months[-1] + timedelta(hours=2)
    return [*found, last]


def signed(line: dict[str, Any]) -> Counter[str]:
    """What a line of a statement adds to the figures of its own stage."""
    amount, stage = minor(line["amount"]), line["stage"]
    added = Counter({"operations_count": 1})
    match stage:
        case "payout":
            added["withdrawn"] -= amount
        case "adjustment":
            added["adjusted"] += amount
        case _:
            added[stage] += amount
    return added


OF_ONE_STAGE = ("confirmed", "reconciled", "withdrawn", "adjusted", "operations_count")


def of_one_stage(figures: Counter[str]) -> dict[str, int]:
    return {name: figures[name] for name in OF_ONE_STAGE}


def adds_up(figures: Counter[str]) -> bool:
    """What both stages agree on, worked out three times (design §7)."""
    of = figures
    agreed = of["available_before_blocks"] + of["withdrawn"] - of["adjusted"]
    return (
        agreed
        == of["confirmed"] - of["pending"] - of["debits_unconfirmed"]
        == of["reconciled"] - of["unapplied"] - of["debits_untraced"]
    )


def in_minor(figures: dict[str, Any]) -> Counter[str]:
    return Counter({name: minor(str(value)) for name, value in figures.items()})


def figures_in(balance: dict[str, Any]) -> dict[str, Any]:
    return {name: balance[name] for name in FIGURES}


def key_of(said: dict[str, Any]) -> tuple[str, str]:
    return said["balance_shop_id"], said["currency"]


def statement_pages(month: str, limit: int, **query: object) -> list[Any]:
    return pages(f"/statements/{month}", {"limit": limit, **query})


def lines_of(month: str, **query: object) -> list[dict[str, Any]]:
    return [line for page in statement_pages(month, 200, **query) for line in page["lines"]]


def lag_aside(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in {"as_of", "lag_seconds"}}


def counted_lines(ledger: Ledger, merchant_id: str = MERCHANT) -> list[tuple[Stage, Any]]:
    """Stage and line of all that was claimed of a merchant."""
    return [
        (claim.stage, line)
        for claim in ledger.claims.claims.values()
        for segment in claim.segments
        if segment.merchant_id == merchant_id
        for line in claim.lines_of(segment)
    ]


# Points in time


@pytest.mark.parametrize("seed", range(3))
def test_at_is_what_was_read_live_at_each_quarter_s_border(traded, seed):
    live = trade(traded, seed)
    assert len(live) == 19
    for border, figures in live.items():
        assert figures_at(border) == figures, border


def test_between_two_counts_every_border_says_the_same(traded):
    live = trade(traded)
    border = utc("2026-10-01T00:30:00")
    for later in (border + QUARTER, border + timedelta(hours=5), border + timedelta(days=11)):
        assert figures_at(later) == figures_at(border + QUARTER)
    assert figures_at(border) == live[border]


def test_before_its_first_operation_a_balance_was_not_there(traded):
    """Else the answer for a closed quarter would change when another balance begins."""
    trade(traded)
    for early in ("2026-09-01T00:00:00Z", "0001-01-01T00:00:00Z"):
        answer = get("/balances", {"at": early})
        assert (answer.status, answer.body["balances"]) == (200, [])
        assert get("/balances/bs-one", {"at": early}).status == 404


def test_at_can_be_asked_of_one_balance_shop_and_in_any_offset(traded):
    trade(traded)
    path, at = "/balances/bs-one", "2026-10-12T13:15:00"
    answer = get(path, {"at": f"{at}Z"})
    assert [key_of(each) for each in answer.body["balances"]] == BALANCES[:2]
    assert answer.body["at"] == f"{at}Z"
    assert (answer.body["by"], answer.body["source"]) == ("counting", "table")
    assert get(path, {"at": "2026-10-12T18:45:00+05:30"}).body == answer.body
    assert get("/balances/bs-none", {"at": f"{at}Z"}).status == 404


def test_an_open_quarter_is_404_and_says_until_when_quarters_are_closed(traded):
    trade(traded)
    assert traded.now == utc("2026-12-01T02:15:10")
    for at in ("2026-12-01T02:30:00Z", "2027-01-01T00:00:00Z", "9999-12-31T23:45:00Z"):
        answer = get("/balances", {"at": at})
        assert (answer.status, answer.problem) == (404, "period-not-closed")
        assert answer.body["closed_until"] == "2026-12-01T02:15:00Z"
        assert "2026-12-01T02:15:00Z" in answer.body["detail"]
    assert get("/balances", {"at": "2026-12-01T02:15:00Z"}).status == 200


def test_before_the_first_cut_nothing_is_closed(ledger):
    ledger.count(confirmed())
    for path, query in [
        ("/balances", {"at": "2026-11-20T10:00:00Z"}),
        ("/balances/bs-5553-eur/history", {}),
        ("/statements/2026-10", {}),
    ]:
        answer = get(path, query)
        assert (answer.status, answer.problem) == (404, "period-not-closed")
        assert answer.body["closed_until"] is None


def test_a_quarter_closes_five_seconds_after_its_end(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    for time, status in (("10:15:04", 404), ("10:15:05", 200)):
        ledger.at(f"2026-11-20T{time}").cut()
        assert get("/balances", {"at": "2026-11-20T10:15:00Z"}).status == status


@pytest.mark.parametrize("at", ["10:14:59Z", "10:15:01Z", "10:07:00Z", "10:15:00+00:07"])
def test_between_borders_only_the_log_can_tell(ledger, at):
    ledger.count(confirmed())
    ledger.close()
    query = {"at": f"2026-11-20T{at}"}
    answer = get("/balances", query)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.named == ["at"]
    assert get("/balances", query | {"source": "log"}).status == 200


def test_the_two_axes_differ_where_something_was_told_late(ledger):
    """Booked at 09:00, told at 10:20: by operation date it was there at 10:00, by counting not."""
    ledger.at("2026-11-20T09:05:00").count(
        confirmed(operation_date="2026-11-20T09:00:00Z", external_reference="in-time")
    )
    ledger.at("2026-11-20T10:20:00").count(
        confirmed(operation_date="2026-11-20T09:00:00Z", external_reference="late")
    )
    ledger.close()
    by_counting = get("/balances", {"at": "2026-11-20T10:00:00Z"}).body
    by_date = get("/balances", {"at": "2026-11-20T10:00:00Z", "source": "log"}).body
    assert by_counting["balances"][0]["confirmed"] == "100.00"
    assert by_date["balances"][0]["confirmed"] == "200.00"
    assert (by_date["by"], by_date["source"]) == ("operation_date", "log")
    assert by_date["objects_read"] == 2


def test_from_the_log_an_instant_is_not_included(ledger):
    ledger.count(confirmed(operation_date="2026-11-20T10:15:30Z"))
    for at, amounts in (("10:15:30Z", []), ("10:15:31Z", ["100.00"])):
        body = get("/balances", {"at": f"2026-11-20T{at}", "source": "log"}).body
        assert [each["confirmed"] for each in body["balances"]] == amounts


class AtOnceReads(MemoryMerchantReads):
    """As TransactGetItems is: a hundred items at most."""

    def at_once(self, balances: Any, starts: Any) -> Any:
        assert 0 < len(balances) * (1 + len(starts)) <= 100
        return super().at_once(balances, starts)


@pytest.mark.parametrize("held_h", [0, 3, 12, 24])
def test_of_many_balances_and_many_open_quarters_all_is_exact(ledger, held_h):
    """Read in groups that a transaction can take, while others go on counting."""
    ledger.reader = AtOnceReads

    def count_all(name: str) -> None:
        said = {"adjusted_at": "2026-11-20T10:00:00Z"}
        for n in range(130):
            shop_id = f"bs-{n:03d}"
            ledger.count(adjustment(adjustment_id=f"{name}-{n}", balance_shop_id=shop_id, **said))

    ledger.at("2026-11-20T10:05:00")
    count_all("before")
    border = ledger.close()
    live = live_figures()
    ledger.now += timedelta(hours=held_h)
    count_all("after")
    assert len(live) == 130
    assert figures_at(border) == live
    assert {each["adjusted"] for each in live_figures().values()} == {"80.00"}


def test_whatever_is_counted_between_the_reads_closed_quarters_are_exact(traded):
    """Asked a moment before a border: money on both sides of it, and cuts that close it."""
    trade(traded)
    asked: list[tuple[str, dict[str, object]]] = [
        ("/balances", {"at": "2026-10-12T13:15:00Z"}),
        ("/balances", {"at": "2026-12-01T02:15:00Z"}),
        ("/balances/bs-one/history", {"from": "2026-11-30T00:00:00Z"}),
        ("/statements/2026-11", {}),
    ]
    expected = [get(path, query).body for path, query in asked]
    points: list[str] = []

    def meanwhile(point: str) -> None:
        if point.startswith("before MemoryMerchantReads"):
            points.append(point)
            traded.store.interrupt = never
            traded.now += 2 * SECOND
            traded.count(confirmed(external_reference=f"meanwhile-{len(points)}"))
            traded.cut()
            traded.store.interrupt = meanwhile

    for (path, query), right in zip(asked, expected, strict=True):
        for before_s in (1, 3, 5, 7, 9, 11):
            traded.now = utc("2026-12-01T02:30:00") - before_s * SECOND
            at_the_end = {"to": right["to"]} if "history" in path else {}
            traded.store.interrupt = meanwhile
            body = get(path, query | at_the_end).body
            traded.store.interrupt = never
            assert said_of_the_past(body) == said_of_the_past(right), (path, before_s)
    assert len(points) > 60


def said_of_the_past(body: dict[str, Any]) -> dict[str, Any]:
    """All but how fresh it is; days are of operation dates, and may learn more."""
    fresh = {"as_of", "lag_seconds", "closed_until"}
    said = {name: value for name, value in body.items() if name not in fresh}
    balances = [{**each, "days": []} for each in body["balances"]]
    return said | {"balances": balances}


# The log


def test_once_drained_the_log_adds_up_to_the_table(traded):
    trade(traded)
    table, log = get().body, get("/balances", {"source": "log"}).body
    assert any(each["blocked"] != "0.00" for each in table["balances"])
    assert log.pop("source") == "log"
    assert log.pop("objects_read") == len(traded.log.segments_of(MERCHANT))
    without = {"negative_since"}
    assert log["balances"] == [
        {name: value for name, value in each.items() if name not in without}
        for each in table["balances"]
    ]
    assert {**log, "balances": []} == {**table, "balances": []}


def test_what_is_logged_but_not_counted_yet_is_in_the_log_s_answer_alone(ledger):
    ledger.count(confirmed())
    held, ledger.reduce = ledger.reduce, lambda *_: None
    ledger.count(confirmed(external_reference="held", amount="7.00"))
    assert get().body["balances"][0]["confirmed"] == "100.00"
    assert get("/balances", {"source": "log"}).body["balances"][0]["confirmed"] == "107.00"
    ledger.reduce = held


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/balances", {}),
        ("/balances/bs-5553-eur", {}),
        ("/balances", {"at": "2026-11-20T10:15:00Z"}),
        ("/turnover", {"month": "2026-11"}),
    ],
)
def test_past_the_limit_the_log_is_422_and_names_the_auditor_s_command(ledger, path, query):
    ledger.log_objects_max = 3
    ledger.count(*(confirmed(external_reference=f"order-{n}") for n in range(3)))
    assert get(path, query | {"source": "log"}).body["objects_read"] == 3
    ledger.count(confirmed(external_reference="one more"[:3]))
    answer = get(path, query | {"source": "log"})
    assert (answer.status, answer.problem) == (422, "log-too-large")
    assert answer.body["objects_max"] == 3
    assert answer.body["command"] == "falcon audit replay --merchant m-5553"
    assert answer.body["command"] in answer.body["detail"]


# History


def test_history_is_the_balance_at_both_ends_of_every_quarter_that_changed_it(traded):
    live = trade(traded)
    start, end = utc("2026-10-01T00:00:00"), utc("2026-10-31T00:00:00")
    query = {"from": rfc3339(start), "to": rfc3339(end)}
    body = get("/balances/bs-one/history", query).body
    assert (body["from"], body["to"]) == (query["from"], query["to"])
    assert [key_of(each) for each in body["balances"]] == BALANCES[:2]
    for balance in body["balances"]:
        key = key_of(balance)
        assert balance["opening"] == figures_at(start)[key] == live[start][key]
        assert balance["closing"] == figures_at(end)[key]
        running = balance["opening"]
        for step in balance["steps"]:
            assert parse_rfc3339(step["to"]) - parse_rfc3339(step["from"]) == QUARTER
            assert step["opening"] == running == figures_at(parse_rfc3339(step["from"]))[key]
            assert step["closing"] == figures_at(parse_rfc3339(step["to"]))[key]
            assert step["closing"] != running
            running = step["closing"]
        assert balance["closing"] == running
        assert [step["from"] for step in balance["steps"]] == sorted(
            {step["from"] for step in balance["steps"]}
        )


def test_history_s_days_are_sums_of_operation_dates_by_stage_and_type(traded):
    trade(traded)
    query = {"from": "2026-10-10T00:00:00Z", "to": "2026-10-21T00:15:00Z"}
    body = get("/balances/bs-one/history", query).body
    expected: dict[tuple[str, ...], int] = Counter()
    for stage, line in counted_lines(traded):
        day = rfc3339(line.operation_date)[:10]
        if line.balance_shop_id == "bs-one" and "2026-10-10" <= day <= "2026-10-21":
            expected[line.currency.code, day, stage, line.type] += line.amount.minor
    assert {
        (balance["currency"], day["date"], each["stage"], each["type"]): minor(each["amount"])
        for balance in body["balances"]
        for day in balance["days"]
        for each in day["sums"]
    } == expected


def test_by_default_history_is_the_day_before_the_newest_closed_quarter(ledger):
    ledger.at("2026-11-19T10:14:00").count(confirmed(external_reference="before"))
    ledger.at("2026-11-19T10:16:00").count(confirmed(external_reference="first"))
    ledger.at("2026-11-20T10:14:00").count(confirmed(external_reference="last"))
    ledger.close()
    body = get("/balances/bs-5553-eur/history").body
    assert (body["from"], body["to"]) == ("2026-11-19T10:15:00Z", "2026-11-20T10:15:00Z")
    assert body["closed_until"] == body["to"]
    [balance] = body["balances"]
    counts = [(step["from"], step["closing"]["operations_count"]) for step in balance["steps"]]
    assert counts == [("2026-11-19T10:15:00Z", 2), ("2026-11-20T10:00:00Z", 3)]
    assert balance["opening"]["operations_count"] == 1
    one_end = get("/balances/bs-5553-eur/history", {"from": "2026-11-20T10:00:00Z"}).body
    assert (one_end["from"], one_end["to"]) == ("2026-11-20T10:00:00Z", body["to"])


@pytest.mark.parametrize(
    ("start", "end", "named"),
    [
        ("2026-11-20T10:15:00Z", "2026-11-20T10:15:00Z", "to"),
        ("2026-11-20T10:15:00Z", "2026-11-20T10:00:00Z", "to"),
        ("2026-10-20T09:45:00Z", "2026-11-20T10:00:00Z", "from"),
        ("0001-01-01T00:00:00Z", "2026-11-20T10:00:00Z", "from"),
        ("2026-11-20T10:01:00Z", None, "from"),
        ("2026-11-31T10:00:00Z", None, "from"),
        (None, "2026-11-20T24:00:00Z", "to"),
        (None, "0001-01-01T00:00:00Z", "to"),
        ("0001-01-01T00:00:00+01:00", None, "from"),
        (None, "9999-12-31T23:45:00-01:00", "to"),
    ],
)
def test_ranges_that_are_none_are_422(ledger, start, end, named):
    ledger.count(confirmed())
    ledger.close()
    said = {"from": start, "to": end}
    query = {name: value for name, value in said.items() if value is not None}
    answer = get("/balances/bs-5553-eur/history", query)
    assert (answer.status, answer.problem) == (422, "invalid-request")
    assert answer.named == [named]


def test_history_goes_back_31_days_but_no_further_than_what_is_closed(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    ledger.close()
    path = "/balances/bs-5553-eur/history"
    widest = {"from": "2026-10-20T10:15:00Z", "to": "2026-11-20T10:15:00Z"}
    assert get(path, widest).status == 200
    for beyond in (
        {"from": "2026-11-20T10:00:00Z", "to": "2026-11-20T10:30:00Z"},
        {"from": "2026-11-20T10:30:00Z", "to": "2026-11-20T10:45:00Z"},
    ):
        answer = get(path, beyond)
        assert (answer.status, answer.problem) == (404, "period-not-closed")
        assert answer.body["closed_until"] == "2026-11-20T10:15:00Z"
    assert get("/balances/bs-none/history", widest).status == 404


# Statements


def test_statements_chain_and_their_lines_add_up_to_what_changed(traded):
    live = trade(traded)
    for month, following in zip(MONTHS, [*MONTHS[1:], "2026-12"], strict=True):
        start, end = (utc(f"{each}-01T00:00:00") for each in (month, following))
        [page] = statement_pages(month, 200)
        assert (page["from"], page["to"]) == (rfc3339(start), rfc3339(end))
        opening = {key_of(each): each["opening"] for each in page["balances"]}
        closing = {key_of(each): each["closing"] for each in page["balances"]}
        counted = {key: each for key, each in opening.items() if each["operations_count"]}
        assert counted == figures_at(start)
        assert closing == figures_at(end) == live[end]
        running = {key: in_minor(figures) for key, figures in opening.items()}
        last = {
            (key_of(each), each["falcon_operation_id"], each["stage"]): each["uuid"]
            for each in page["lines"]
        }
        for line in page["lines"]:
            key, said = key_of(line), in_minor(line["running"])
            running[key].update(signed(line))
            assert of_one_stage(said) == of_one_stage(running[key])
            if line["uuid"] == last[key, line["falcon_operation_id"], line["stage"]]:
                assert adds_up(said)
            running[key] = said
        assert running == {key: in_minor(figures) for key, figures in closing.items()}
        assert len(page["lines"]) > 30


def test_the_first_statement_opens_with_nothing_and_each_line_is_in_one_statement(traded):
    trade(traded)
    [first] = statement_pages("2026-09", 200)
    assert [key_of(each) for each in first["balances"]] == BALANCES
    assert all(not in_minor(each["opening"]).total() for each in first["balances"])
    traded.at("2027-01-01T00:00:10").cut()
    lines = [line["uuid"] for month in [*MONTHS, "2026-12"] for line in lines_of(month)]
    assert Counter(lines) == Counter(line.uuid for _, line in counted_lines(traded))


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 200])
def test_a_statement_is_the_same_on_pages_of_any_size(traded, limit):
    trade(traded)
    [whole] = statement_pages("2026-10", 200)
    found = statement_pages("2026-10", limit)
    assert [line for page in found for line in page["lines"]] == whole["lines"]
    assert all(page["balances"] == whole["balances"] for page in found)
    operations = [
        {(line["falcon_operation_id"], line["stage"]) for line in page["lines"]} for page in found
    ]
    assert all(len(each) == limit for each in operations[:-1])


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_a_statement_of_one_balance_shop_has_its_lines_alone(traded, limit):
    trade(traded)
    [whole] = statement_pages("2026-10", 200)
    found = statement_pages("2026-10", limit, balance_shop_id="bs-two")
    assert all([key_of(each) for each in page["balances"]] == BALANCES[2:] for page in found)
    assert [line for page in found for line in page["lines"]] == [
        line for line in whole["lines"] if line["balance_shop_id"] == "bs-two"
    ]
    assert get("/statements/2026-10", {"balance_shop_id": "bs-none"}).status == 404


def test_where_a_balance_shop_has_few_lines_a_page_ends_and_goes_on_with_its_cursor(
    traded, monkeypatch
):
    trade(traded)
    right = lines_of("2026-10", balance_shop_id="bs-two")
    monkeypatch.setattr(reading, "MARKS_A_PAGE_MAX", 2)
    found = statement_pages("2026-10", 5, balance_shop_id="bs-two")
    assert [line for page in found for line in page["lines"]] == right
    assert [] in [page["lines"] for page in found]


def csv_rows(month: str, limit: int) -> list[dict[str, Any]]:
    """Of all pages, each found by the link of the one before."""
    text, query = "", f"format=csv&limit={limit}"
    while query:
        answer = get(f"/statements/{month}", query)
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        text += answer.text
        query = answer.headers.get("Link", "").removeprefix("<?").removesuffix('>; rel="next"')
    assert "\r" not in text
    return list(csv.DictReader(io.StringIO(text)))


def as_text(said: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in said.items()}


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_as_csv_a_statement_says_the_same_line_by_line(traded, limit):
    trade(traded)
    [whole] = statement_pages("2026-10", 200)
    lines = [row for row in csv_rows("2026-10", limit) if row.pop("row") == "line"]
    for row, line in zip(lines, whole["lines"], strict=True):
        at, running = line.pop("counted_in"), line.pop("running")
        line |= {name: str(line[name]) for name in ("revision", "occurrence")}
        assert row == {"at": at, **line, **as_text(running)}


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_as_csv_a_statement_opens_on_its_first_page_and_closes_on_its_last(traded, limit):
    trade(traded)
    [whole] = statement_pages("2026-10", 200)
    rows = csv_rows("2026-10", limit)
    assert {row["row"] for row in rows[3:-3]} == {"line"}
    ends = (("opening", "2026-10-01", rows[:3]), ("closing", "2026-11-01", rows[-3:]))
    for end, day, found in ends:
        for row, balance in zip(found, whole["balances"], strict=True):
            assert (row["row"], row["at"], *key_of(row)) == (
                end,
                f"{day}T00:00:00Z",
                *key_of(balance),
            )
            assert figures_in(row) == as_text(balance[end])
            assert row["uuid"] == row["amount"] == ""


def test_a_statement_as_csv_is_a_file_with_a_name(traded):
    trade(traded)
    said = get("/statements/2026-10", "format=csv").headers["Content-Disposition"]
    assert said == 'attachment; filename="statement-m-5553-2026-10.csv"'


def test_a_statement_never_changes_whatever_is_counted_later(traded):
    trade(traded)
    before = [lag_aside(page) for month in MONTHS for page in statement_pages(month, 5)]
    late = {"operation_date": "2026-09-10T10:00:00Z"}
    traded.count(
        *(confirmed(external_reference=f"late-{n}", **late) for n in range(5)),
        confirmed(external_reference="yen", currency="JPY", amount="7", **late),
    )
    traded.store.apply(block_writes(block("later", traded.now)))
    assert [lag_aside(p) for month in MONTHS for p in statement_pages(month, 5)] == before
    traded.close()
    assert [lag_aside(p) for month in MONTHS for p in statement_pages(month, 5)] == before


def test_a_month_that_is_not_over_is_404_and_says_until_when_quarters_are_closed(ledger):
    ledger.at("2026-11-30T23:50:00").count(confirmed())
    ledger.at("2026-12-01T00:00:04").cut()
    answer = get("/statements/2026-11")
    assert (answer.status, answer.problem) == (404, "period-not-closed")
    assert answer.body["closed_until"] == "2026-11-30T23:45:00Z"
    assert get("/statements/2026-12").problem == "period-not-closed"
    ledger.at("2026-12-01T00:00:05").cut()
    assert get("/statements/2026-11").status == 200
    assert get("/statements/2026-12").body["closed_until"] == "2026-12-01T00:00:00Z"


def test_a_month_in_which_nothing_was_counted_closes_as_it_opened(ledger):
    ledger.at("2026-09-10T10:00:00").count(confirmed())
    ledger.at("2026-11-01T00:00:10").cut()
    [page] = statement_pages("2026-10", 200)
    [balance] = page["balances"]
    assert balance["opening"] == balance["closing"]
    assert balance["opening"]["confirmed"] == "100.00"
    assert page["lines"] == []
    assert get("/statements/2026-08").status == 404


def every_answer(query: dict[str, object]) -> list[Answer]:
    """Pages of the statement of October until one is refused, or there are no more."""
    found = [get("/statements/2026-10", query)]
    while found[-1].status == 200 and found[-1].body["next_cursor"] is not None:
        following = {"cursor": found[-1].body["next_cursor"]}
        found.append(get("/statements/2026-10", query | following))
    return found


class LaggingReads(MemoryMerchantReads):
    """An index in which one mark has not arrived yet."""

    missing = ""

    def marks(self, start: str, end: str, **how: Any) -> Any:
        page = super().marks(start, end, **how)
        kept = [mark for mark in page.marks if mark.order != self.missing]
        return type(page)(kept, page.is_last)


@pytest.mark.parametrize("limit", [200, 7, 1])
def test_with_an_index_that_lags_a_statement_is_503_and_no_page_of_it_is_wrong(traded, limit):
    trade(traded)
    right = statement_pages("2026-10", limit)
    orders = [
        mark.order
        for mark in traded.sources(MERCHANT)
        .reads.marks("2026-10-01", "2026-11-01", after=None, newest_first=False, limit=1000)
        .marks
    ]
    assert len(orders) > 25
    traded.reader = type("Lagging", (LaggingReads,), {})
    for order in orders:
        traded.reader.missing = order
        *fine, last = every_answer({"limit": limit})
        assert last.status == 503, order
        assert last.problem == "unavailable"
        assert [lag_aside(each.body) for each in fine] == [
            lag_aside(page) for page in right[: len(fine)]
        ]


def test_a_page_that_ends_with_its_quarter_does_not_wait_for_the_next_one(ledger):
    """The index lacks the middle one of the next quarter's three: this page is right without it."""
    ledger.at("2026-10-12T09:00:00").count(confirmed(external_reference="first"))
    later = [confirmed(external_reference=f"later-{n}") for n in range(3)]
    ledger.at("2026-10-12T09:20:00").count(*later)
    ledger.at("2026-11-01T00:01:00").close()
    reads = ledger.sources(MERCHANT).reads
    every = reads.marks("2026-10-01", "2026-11-01", after=None, newest_first=False, limit=9).marks
    ledger.reader = type("Lagging", (LaggingReads,), {"missing": every[2].order})
    first, second = every_answer({"limit": 1})
    assert first.status == 200
    assert {line["external_reference"] for line in first.body["lines"]} == {"first"}
    assert second.status == 503


def test_a_quarter_of_which_the_index_knows_nothing_yet_is_503_too(ledger):
    ledger.at("2026-10-31T23:50:00").count(confirmed())
    ledger.close()

    class Empty(MemoryMerchantReads):
        def marks(self, start: str, end: str, **how: Any) -> Any:
            return type(super().marks(start, end, **how))([], is_last=True)

    assert get("/statements/2026-10").status == 200
    ledger.reader = Empty
    assert get("/statements/2026-10").problem == "unavailable"


# When the reducer stands still, and when cuts come as they like


def test_while_the_reducer_is_held_as_of_stands_still_and_says_so(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    border = ledger.close()
    as_of = "2026-11-20T10:15:10Z"
    before = figures_at(border)
    for minutes in (1, 16, 300):
        ledger.now = border + minutes * MINUTE + 10 * SECOND
        # One shard goes on counting, another is held: so no cut is complete.
        ledger.count(confirmed(external_reference=f"meanwhile-{minutes}"))
        ledger.reduce(data_of(cut_of(rfc3339(ledger.now), SHARD, "shardId-held")))
        for path, query in EVERYTHING_FRESH:
            body = get(path, query).body
            assert (body["as_of"], body["lag_seconds"]) == (as_of, 60 * minutes), path
        assert get().body["balances"][0]["operations_count"] > 1
        assert figures_at(border) == before
        assert get("/balances", {"at": rfc3339(border + QUARTER)}).status == 404
    ledger.cut()
    assert get().body["as_of"] == "2026-11-20T15:15:10Z"
    assert figures_at(border) == before
    assert figures_at(ledger.close()) == live_figures()


EVERYTHING_FRESH: list[tuple[str, dict[str, object]]] = [
    ("/balances", {}),
    ("/balances", {"source": "log"}),
    ("/balances", {"at": "2026-11-20T10:15:00Z"}),
    ("/balances/bs-5553-eur/history", {}),
    ("/operations", {}),
    (f"/operations/{id_of(confirmed())}", {}),
    ("/turnover", {"month": "2026-11"}),
    ("/unreconciled", {}),
]


def test_nothing_closed_for_a_day_is_503_rather_than_a_guess(ledger):
    ledger.at("2026-11-20T10:05:00").count(confirmed())
    border = ledger.close()
    ledger.now = border + timedelta(hours=24)
    assert figures_at(border) == live_figures()
    ledger.now = border + timedelta(hours=25)
    assert get("/balances", {"at": rfc3339(border)}).problem == "unavailable"
    assert get().status == 200


def test_as_of_never_goes_back_and_closed_quarters_stay_whatever_cuts_do(ledger):
    """Lost, late, doubled and out of order, with money arriving behind every one of them."""
    random, events = Random(7), Trade(7)
    ledger.contexts = CONTEXTS
    ledger.at("2026-11-20T00:00:00").count(*events.events(ledger.now, 9))
    as_of, known, taken = "", dict[datetime, Any](), []
    for _ in range(300):
        ledger.now += random.choice([SECOND, MINUTE, 5 * MINUTE])
        taken.append(data_of(cut_of(rfc3339(ledger.now), SHARD)))
        ledger.count(*events.events(ledger.now, 1))
        for _ in range(random.choice([0, 0, 1, 2])):
            ledger.reduce(random.choice(taken[-5:]))
        said = get().body["as_of"] or ""
        assert said >= as_of
        as_of = said
        for border, figures in known.items():
            assert figures_at(border) == figures
        if as_of:
            border = utc(as_of.removesuffix("Z"))
            border = border.replace(minute=border.minute // 15 * 15, second=0) - QUARTER
            known = dict(list(known.items())[-3:]) | {border: figures_at(border)}
    assert len(counted_lines(ledger)) > 300


class BusyReads(MemoryMerchantReads):
    """Others write at the same moment, so many times."""

    conflicts = 0

    def at_once(self, *asked: Any) -> Any:
        if type(self).conflicts:
            type(self).conflicts -= 1
            return TryAgain()
        return super().at_once(*asked)


def test_reads_that_meet_others_writes_are_tried_again_and_in_the_end_503(ledger):
    ledger.at("2026-10-31T23:50:00").count(confirmed())
    border = ledger.close()
    ledger.reader = BusyReads
    asked: list[tuple[str, dict[str, object]]] = [
        ("/balances", {"at": rfc3339(border)}),
        ("/balances/bs-5553-eur/history", {}),
        ("/statements/2026-10", {}),
    ]
    for path, query in asked:
        for conflicts, status in ((reading.ATTEMPTS - 1, 200), (reading.ATTEMPTS, 503)):
            BusyReads.conflicts = conflicts
            answer = get(path, query)
            assert (answer.status, BusyReads.conflicts) == (status, 0)
        assert answer.problem == "unavailable"
        assert answer.headers["Retry-After"] == "1"


# Turnover


def turnover_of(ledger: Ledger, month: str) -> dict[tuple[str, ...], int]:
    """By an independent few lines: what was claimed, by the date it bears."""
    sums: dict[tuple[str, ...], int] = Counter()
    for stage, line in counted_lines(ledger):
        if rfc3339(line.operation_date).startswith(month):
            sums[line.currency.code, stage, line.type] += line.amount.minor
    return sums


def sums_of(body: dict[str, Any], name: str = "sums") -> dict[tuple[str, ...], int]:
    return {
        (each["currency"], said["stage"], said["type"]): minor(said["amount"])
        for each in body["currencies"]
        for said in each[name]
    }


@pytest.mark.parametrize("month", MONTHS)
def test_turnover_is_by_operation_date_and_the_log_says_the_same(traded, month):
    trade(traded)
    table = get("/turnover", {"month": month}).body
    log = get("/turnover", {"month": month, "source": "log"}).body
    assert sums_of(table) == sums_of(log) == turnover_of(traded, month)
    assert [each["operations_count"] for each in table["currencies"]] == [
        each["operations_count"] for each in log["currencies"]
    ]
    assert log["late_operations"] is None
    assert log["objects_read"] == len(traded.log.segments_of(MERCHANT))
    assert "objects_read" not in table


def test_turnover_says_which_operations_it_learned_of_after_the_month_s_end(ledger):
    in_time = confirmed(operation_date="2026-10-31T23:59:59Z", external_reference="in-time")
    late = confirmed(operation_date="2026-10-31T23:59:59Z", external_reference="late")
    traced = reconciled(
        operation_date="2026-10-31T23:00:00Z",
        reconciled_date="2026-10-31T23:59:59Z",
        external_reference="in-time",
        amount="90.00",
    )
    november = confirmed(operation_date="2026-11-01T00:00:00Z", external_reference="november")
    ledger.at("2026-10-31T23:59:59").count(in_time)
    ledger.at("2026-11-01T00:00:00").count(late, november)
    ledger.at("2026-11-02T00:00:00").count(traced)
    body = get("/turnover", {"month": "2026-10"}).body
    assert [
        (each["falcon_operation_id"], each["stage"], each["operation_date"], each["counted_in"])
        for each in body["late_operations"]
    ] == [
        (id_of(late), "confirmed", "2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"),
        (id_of(in_time), "reconciled", "2026-10-31T23:59:59Z", "2026-11-02T00:00:00Z"),
    ]
    assert sums_of(body) == {
        ("EUR", "confirmed", "capture"): 20000,
        ("EUR", "reconciled", "capture"): 9000,
    }
    assert sums_of(body, "late_sums") == {
        ("EUR", "confirmed", "capture"): 10000,
        ("EUR", "reconciled", "capture"): 9000,
    }
    assert body["has_more_late_operations"] is False
    assert get("/turnover", {"month": "2026-11"}).body["late_operations"] == []
    ledger.at("2026-12-01T00:00:10").cut()
    assert [line["falcon_operation_id"] for line in lines_of("2026-10")] == [id_of(in_time)]
    assert {line["falcon_operation_id"] for line in lines_of("2026-11")} == {
        id_of(each) for each in (late, november, in_time)
    }


def test_of_late_operations_the_first_hundred_are_shown_and_it_says_that_there_are_more(ledger):
    late = [
        confirmed(operation_date="2026-10-10T00:00:00Z", external_reference=f"late-{n}")
        for n in range(101)
    ]
    ledger.count(*late[:100])
    first = get("/turnover", {"month": "2026-10"}).body
    assert (len(first["late_operations"]), first["has_more_late_operations"]) == (100, False)
    ledger.now += QUARTER
    ledger.count(late[100])
    body = get("/turnover", {"month": "2026-10"}).body
    assert (body["late_operations"], body["has_more_late_operations"]) == (
        first["late_operations"],
        True,
    )
    assert sums_of(body, "late_sums") == sums_of(body) != sums_of(first)


@pytest.mark.parametrize(
    ("zone", "total"),
    [
        ("UTC", 10000),
        ("Asia/Kolkata", 10100),
        ("Pacific/Auckland", 100),
        ("America/New_York", 10800),
        ("Etc/GMT+5", 10800),
    ],
)
def test_from_the_log_a_month_is_one_of_any_time_zone(ledger, zone, total):
    dates = {
        "2026-10-31T12:00:00Z": "100.00",  # November in Auckland
        "2026-09-30T23:00:00Z": "1.00",  # October there, and in Kolkata
        "2026-11-01T03:59:59Z": "8.00",  # October in New York
    }
    ledger.count(
        *(
            confirmed(operation_date=date, external_reference=amount, amount=amount)
            for date, amount in dates.items()
        )
    )
    body = get("/turnover", {"month": "2026-10", "time_zone": zone, "source": "log"}).body
    assert body["time_zone"] == zone
    assert sums_of(body) == {("EUR", "confirmed", "capture"): total}


@pytest.mark.parametrize("zone", ["America/New_York", "Mars/Olympus", "America", "europe/"])
def test_another_time_zone_needs_the_log_and_must_be_one(ledger, zone):
    ledger.count(confirmed())
    answer = get("/turnover", {"month": "2026-11", "time_zone": zone})
    assert (answer.problem, answer.named) == ("invalid-request", ["time_zone"])
    answer = get("/turnover", {"month": "2026-11", "time_zone": zone, "source": "log"})
    if zone == "America/New_York":
        assert answer.status == 200
    else:
        assert (answer.problem, answer.named) == ("invalid-request", ["time_zone"])


@pytest.mark.parametrize("date", ["2000-01-01T00:00:00Z", "2000-05-05T00:00:00Z"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"])
def test_however_old_an_operation_is_the_log_can_be_asked(ledger, date, zone):
    ledger.count(adjustment(adjusted_at=date), adjustment(adjustment_id="new"))
    query = {"source": "log", "time_zone": zone}
    body = get("/turnover", query | {"month": "2026-11"}).body
    assert sums_of(body) == {("EUR", "adjustment", "adjustment"): 4000}
    if zone == "UTC":
        old = get("/turnover", query | {"month": date[:7]})
        table = get("/turnover", {"month": date[:7]})
        assert sums_of(old.body) == sums_of(table.body) == sums_of(body)


def test_a_month_without_anything_is_empty_and_of_nobody_known_not_found(ledger):
    ledger.count(confirmed())
    for source in ("table", "log"):
        query = {"month": "2026-09", "source": source}
        answer = get("/turnover", query)
        assert (answer.status, answer.body["currencies"]) == (200, [])
        assert get("/turnover", query, merchant_id="m-nobody").problem == "not-found"


# The same on DynamoDB


# The same on DynamoDB and S3


ASKED: list[tuple[str, dict[str, object]]] = [
    ("/balances", {}),
    ("/balances", {"source": "log"}),
    ("/balances", {"at": "2026-10-12T13:15:00Z"}),
    ("/balances", {"at": "2026-10-12T13:07:11Z", "source": "log"}),
    ("/balances/bs-one/history", {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}),
    ("/operations", {"limit": 200}),
    ("/turnover", {"month": "2026-10"}),
    ("/turnover", {"month": "2026-10", "source": "log", "time_zone": "Asia/Kolkata"}),
    ("/unreconciled", {"limit": 200}),
    ("/statements/2026-10", {}),
    ("/statements/2026-10", {"format": "csv"}),
]


def test_on_dynamodb_and_s3_all_is_answered_as_on_the_fakes(aws, monkeypatch):
    fakes = Ledger(CONTEXTS)
    with monkeypatch.context() as patch:
        fakes.serve(patch)
        trade(fakes)
        operation_id = get("/operations", {"limit": 1}).body["operations"][0]["falcon_operation_id"]
        asked = [*ASKED, (f"/operations/{operation_id}", {})]
        fakes.now += MINUTE
        expected = [get(path, query) for path, query in asked]
        paged = statement_pages("2026-10", 25), pages("/operations", {"limit": 60})
    replay(fakes, aws, monkeypatch)
    for (path, query), answer in zip(asked, expected, strict=True):
        assert answer.status == 200, path
        assert get(path, query) == answer
    # A page's cursors too: they are the same operations' orders.
    assert (statement_pages("2026-10", 25), pages("/operations", {"limit": 60})) == paged


def replay(fakes: Ledger, aws: AwsWorld, patch: pytest.MonkeyPatch) -> None:
    """All that reached the stream and the claims, through the reducer's own handler."""
    clock = {"now": fakes.now}
    patch.setattr(balance_api.routes, "now", lambda: fakes.now)
    patch.setattr(reducer, "ReducerPorts", partial(ReducerPorts, now=lambda: clock["now"]))
    store = DynamoBalanceStore(client("dynamodb"), BALANCES_TABLE)
    claims = DynamoEventClaims(client("dynamodb"), CLAIMS_TABLE)
    log = S3TransactionLog(client("s3"), LOG_BUCKET)
    for claim in fakes.claims.claims.values():
        claims.claim(claim)
    for key, logged in fakes.log.objects.items():
        log.append(key, logged)
    for now, records in fakes.batches:
        clock["now"] = now
        aws.reduce(*records, arrived_at=now)
    for held in fakes.store.blocks_of(MERCHANT):
        store.transact(block_writes(held))


class BusyDynamo:
    """TransactGetItems meets counting transactions, so many times."""

    def __init__(self, times: int, *codes: str) -> None:
        self._real = client("dynamodb")
        self._times = times
        self._codes = codes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def transact_get_items(self, **said: Any) -> Any:
        if not self._times:
            return self._real.transact_get_items(**said)
        self._times -= 1
        reasons = [{"Code": "None"} for _ in said["TransactItems"]]
        for reason, code in zip(reasons, self._codes, strict=False):
            reason["Code"] = code
        error = {
            "Error": {"Code": "TransactionCanceledException", "Message": ""},
            "CancellationReasons": reasons,
        }
        raise ClientError(error, "TransactGetItems")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("times", "codes", "status"),
    [
        (reading.ATTEMPTS - 1, ["None", "TransactionConflict"], 200),
        (reading.ATTEMPTS, ["TransactionConflict"], 503),
        (1, ["ThrottlingError"], 200),
        (1, ["ProvisionedThroughputExceeded"], 200),
        (1, ["None", "ValidationError"], 503),
    ],
)
def test_of_reads_that_dynamodb_cancels_conflicts_and_throttles_are_tried_again(
    aws, monkeypatch, times, codes, status
):
    aws.reduce(data_of(record_of(confirmed())), arrived_at=utc("2026-11-20T10:05:00"))
    aws.reduce(
        data_of(cut_of("2026-11-20T10:15:10Z", SHARD)), arrived_at=utc("2026-11-20T10:15:10")
    )
    monkeypatch.setattr(balance_api.routes, "now", lambda: utc("2026-11-20T10:15:20"))
    monkeypatch.setattr(reading.read_past, "__defaults__", (lambda _seconds: None,))
    busy = BusyDynamo(times, *codes)
    monkeypatch.setattr(
        balance_api, "client", lambda name: busy if name == "dynamodb" else client(name)
    )
    answer = get("/balances", {"at": "2026-11-20T10:15:00Z"})
    assert answer.status == status
    assert answer.body.get("balances") or answer.problem == "unavailable"


def test_however_long_a_shard_is_held_as_of_of_the_operations_does_not_go_back(aws, monkeypatch):
    """Its other shard meets a cut every minute, and none of them is ever complete."""
    counted, now = utc("2026-11-20T10:05:00"), {"now": utc("2026-11-20T10:06:00")}
    monkeypatch.setattr(balance_api.routes, "now", lambda: now["now"] + MINUTE)
    monkeypatch.setattr(reducer, "ReducerPorts", partial(ReducerPorts, now=lambda: now["now"]))
    aws.reduce(data_of(record_of(confirmed())), arrived_at=counted)
    aws.reduce(data_of(cut_of("2026-11-20T10:06:00Z", SHARD)), arrived_at=now["now"])
    for _ in range(60):
        now["now"] += MINUTE
        cut = cut_of(rfc3339(now["now"]), SHARD, "shardId-held")
        aws.reduce(data_of(cut), arrived_at=now["now"])
        for path in ("/balances", "/operations"):
            assert get(path).body["as_of"] == "2026-11-20T10:06:00Z"
