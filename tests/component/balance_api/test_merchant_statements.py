"""The merchant statement as the API answers with it: it chains, adds up and never changes."""

import csv
import io
from collections import Counter
from typing import Any

import pytest

from falcon_balances.adapters import merchant_statements
from falcon_balances.domain.blocks import block_writes
from falcon_balances.domain.instants import rfc3339
from falcon_balances.fakes.merchant_reads import MemoryMerchantReads
from tests.builders import confirmed
from tests.component.api_calls import MERCHANT, Answer, get
from tests.component.balance_api.trading import (
    BALANCES,
    MONTHS,
    adds_up,
    block,
    counted_lines,
    figures_in,
    in_minor,
    key_of,
    lag_aside,
    lines_of,
    of_one_stage,
    signed,
    statement_pages,
    trade,
)
from tests.component.ledger import MINUTE, SECOND, adjustment, figures_at
from tests.component.world import utc


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
    monkeypatch.setattr(merchant_statements, "MARKS_A_QUERY", 1)
    monkeypatch.setattr(merchant_statements, "MARKS_FURTHER", 1)
    traded.now += MINUTE
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


def test_a_page_that_ends_amid_a_quarter_waits_until_the_index_had_time_to_follow(
    ledger, monkeypatch
):
    """The quarter has more operations than are read, so its sums cannot be compared yet."""
    monkeypatch.setattr(merchant_statements, "MARKS_A_QUERY", 2)
    monkeypatch.setattr(merchant_statements, "MARKS_FURTHER", 1)
    events = [confirmed(external_reference=f"order-{n}") for n in range(5)]
    ledger.at("2026-10-31T23:50:00").count(*events)
    ledger.at("2026-11-01T00:00:06").cut()
    ledger.now += 9 * SECOND
    assert get("/statements/2026-10", {"limit": 2}).problem == "unavailable"
    ledger.now += SECOND
    pages = every_answer({"limit": 2})
    assert [page.status for page in pages] == [200, 200, 200]
    assert sum(len(page.body["lines"]) for page in pages) == 5


def test_of_more_balances_than_a_cursor_can_hold_each_can_be_asked_for(ledger):
    ledger.at("2026-10-31T23:50:00")
    for n in range(130):
        shop_id = f"bs-{'x' * 32}-{n:03d}"
        said = {"adjusted_at": "2026-10-01T00:00:00Z", "balance_shop_id": shop_id}
        ledger.count(adjustment(adjustment_id=f"adj-{n}", **said))
    ledger.close()
    assert get("/statements/2026-10", {"limit": 40}).status == 200
    assert len(get("/statements/2026-10").body["lines"]) == 130
    answer = get("/statements/2026-10", {"limit": 120})
    assert (answer.problem, answer.named) == ("invalid-request", ["balance_shop_id"])
    [page] = statement_pages("2026-10", 1, balance_shop_id=shop_id)
    assert len(page["lines"]) == 1


def test_a_quarter_of_which_the_index_knows_nothing_yet_is_503_too(ledger):
    ledger.at("2026-10-31T23:50:00").count(confirmed())
    ledger.close()

    class Empty(MemoryMerchantReads):
        def marks(self, start: str, end: str, **how: Any) -> Any:
            return type(super().marks(start, end, **how))([], is_last=True)

    assert get("/statements/2026-10").status == 200
    ledger.reader = Empty
    assert get("/statements/2026-10").problem == "unavailable"
