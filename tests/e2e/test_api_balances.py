"""A merchant's balances over the API: now, in the past, and as statements."""

import csv
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.closings import DynamoClosings
from falcon_balances.adapters.merchant_past import DynamoPastReads
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.table_keys import BalanceKey
from tests.e2e.api_world import (
    BEFORE_THIS_MONTH,
    NOW,
    OWN,
    PLAIN,
)
from tests.e2e.asking import Asker

DAY = timedelta(days=1)


@pytest.mark.parametrize("name", PLAIN)
def test_balances_are_what_a_pencil_gives_from_table_and_log_alike(served, name):
    with Asker(served.target, served.tokens[name]) as asker:
        (balance,) = asker.ask(f"merchants/m-{name}/balances").document["balances"]
        log = asker.ask(f"merchants/m-{name}/balances?source=log").document
        at = rfc3339(served.months.this)
        then = asker.ask(f"merchants/m-{name}/balances?at={at}").document
    shop = {"balance_shop_id": f"bs-{name}", "currency": "EUR"}
    assert balance == NOW | shop
    assert (log["balances"], log["source"], log["objects_read"]) == ([balance], "log", 11)
    assert then["balances"] == [BEFORE_THIS_MONTH | shop]
    assert (then["at"], then["by"]) == (at, "counting")


def test_history_begins_where_nothing_was_and_ends_where_the_statement_does(served, asker):
    start, end = served.months.this - timedelta(days=2), served.months.this
    path = f"merchants/m-{OWN}/balances/bs-{OWN}/history?from={rfc3339(start)}&to={rfc3339(end)}"
    (history,) = asker.ask(path).document["balances"]
    steps = history["steps"]
    assert steps
    assert history["opening"] == steps[0]["opening"]
    assert [each["opening"] for each in steps[1:]] == [each["closing"] for each in steps[:-1]]
    assert steps[-1]["closing"] == history["closing"] == BEFORE_THIS_MONTH


def statement(served, asker, month, query=""):
    return asker.ask(f"merchants/m-{OWN}/statements/{month:%Y-%m}{query}")


def test_statements_chain_and_their_lines_add_up(served, asker):
    first = statement(served, asker, served.months.first).document
    last = statement(served, asker, served.months.last).document
    (opened,), (closed,) = first["balances"], last["balances"]
    assert set(opened["opening"].values()) == {"0.00", 0}
    assert opened["closing"] == closed["opening"]
    assert closed["closing"] == BEFORE_THIS_MONTH
    for document, balance in ((first, opened), (last, closed)):
        lines = document["lines"]
        assert document["next_cursor"] is None
        assert lines[-1]["running"] == balance["closing"]
        added = sum(Decimal(each["amount"]) for each in lines)
        stage = lines[0]["stage"]
        assert {each["stage"] for each in lines} == {stage}
        assert added == Decimal(balance["closing"][stage]) - Decimal(balance["opening"][stage])


def test_a_statement_comes_as_csv_with_the_same_lines(served, asker):
    answer = statement(served, asker, served.months.last, "?format=csv")
    document = statement(served, asker, served.months.last).document
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    month = f"{served.months.last:%Y-%m}"
    disposition = answer.headers["content-disposition"]
    assert disposition == f'attachment; filename="statement-m-{OWN}-{month}.csv"'
    opening, *lines, closing = csv.DictReader(StringIO(answer.body.decode()))
    assert (opening["row"], closing["row"]) == ("opening", "closing")
    assert [each["uuid"] for each in lines] == [each["uuid"] for each in document["lines"]]
    for row, line in zip(lines, document["lines"], strict=True):
        assert row["amount"] == line["amount"]
        assert row["available_before_blocks"] == line["running"]["available_before_blocks"]


def test_a_months_statement_in_pages_is_the_whole_one(served, asker):
    path = f"merchants/m-{OWN}/statements/{served.months.first:%Y-%m}"
    whole = asker.ask(path).document
    pages = list(asker.pages(f"{path}?limit=1"))
    assert len(pages) == 4
    assert [line for page in pages for line in page["lines"]] == whole["lines"]
    assert {json.dumps(page["balances"]) for page in pages} == {json.dumps(whole["balances"])}


def test_what_is_not_closed_yet_says_until_when_it_is(served, asker):
    as_of = asker.ask(f"merchants/m-{OWN}/balances").document["as_of"]
    for path in (
        f"merchants/m-{OWN}/statements/{served.months.this:%Y-%m}",
        f"merchants/m-{OWN}/statements/2999-01",
        f"merchants/m-{OWN}/balances?at=2999-01-01T00:00:00Z",
        f"merchants/m-{OWN}/balances/bs-{OWN}/history?to=2999-01-01T00:00:00Z",
    ):
        answer = asker.ask(path)
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
        assert answer.document["type"] == "urn:falcon:balances:problem:period-not-closed"
        assert answer.document["closed_until"] <= as_of


def test_cursors_are_sealed_with_the_secret_itself(served):
    """The template names it only; the functions have the value, both the same."""
    lambdas = served.target.client("lambda")
    seals = {
        lambdas.get_function_configuration(FunctionName=f"falcon-balances-local-{name}")[
            "Environment"
        ]["Variables"]["CURSOR_SEAL"]
        for name in ("balance-api", "systems-api")
    }
    [seal] = seals
    assert len(seal) == 43


def test_what_was_is_the_same_once_its_days_are_closed(served, asker):
    months = served.months
    paths = [f"merchants/m-{OWN}/statements/{each:%Y-%m}" for each in (months.first, months.last)]
    paths += [f"merchants/m-{OWN}/balances?at={rfc3339(months.this + n * DAY)}" for n in (-20, 0)]
    before = [said_of_the_past(asker.ask(path).document) for path in paths]
    dynamodb = served.target.client("dynamodb")
    closings = DynamoClosings(dynamodb, served.target.balances_table)
    reads = DynamoPastReads(dynamodb, served.target.balances_table, f"m-{OWN}")
    assert not list(reads.closings(BalanceKey(f"bs-{OWN}", "EUR"), "9999-12-31", 9))
    answer = served.target.client("lambda").invoke(FunctionName="falcon-balances-local-closer")
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert closings.closed_day().day == (utc_now() - DAY).date().isoformat()
    assert list(reads.closings(BalanceKey(f"bs-{OWN}", "EUR"), "9999-12-31", 9))
    assert [said_of_the_past(asker.ask(path).document) for path in paths] == before


def said_of_the_past(document):
    return {name: value for name, value in document.items() if name not in {"as_of", "lag_seconds"}}
