"""Merchants with more balances in one event than a mark holds effects on."""

import pytest

from falcon_balances.adapters import past_reads
from tests.builders import context_of, marketplace
from tests.component.api_calls import get
from tests.component.ledger import Ledger

SHOPS = 40  # a mark holds the effects on 24 balances


@pytest.fixture(autouse=True)
def _sold(monkeypatch):
    """A merchant sells through forty balance shops in one event, and the month is closed."""
    sellers = [context_of(str(n), merchant_id="m-5553") for n in range(SHOPS)]
    ledger = Ledger([context_of("market"), *sellers]).at("2026-10-20T10:15:00")
    ledger.serve(monkeypatch)
    sale = marketplace(
        [(str(n), "10.00", "1.00") for n in range(SHOPS)],
        "400.00",
        external_reference="market-1",
        operation_date="2026-10-20T10:00:00Z",
    )
    ledger.count(sale)
    ledger.at("2026-11-01T00:00:10").cut()


def test_the_statement_of_one_balance_shop_is_its_part_of_the_merchant_s_statement():
    lines = get("/statements/2026-10").body["lines"]
    shops = {line["balance_shop_id"] for line in lines}
    assert len(shops) == SHOPS
    for shop in shops:
        answer = get("/statements/2026-10", {"balance_shop_id": shop})
        assert answer.status == 200
        assert answer.body["lines"] == [each for each in lines if each["balance_shop_id"] == shop]


PAST = [("/balances", {"at": "2026-11-01T00:00:00Z"}), ("/statements/2026-10", {})]


@pytest.mark.parametrize(("path", "query"), PAST)
def test_more_balances_than_an_answer_about_the_past_has_need_a_balance_shop(
    monkeypatch, path, query
):
    monkeypatch.setattr(past_reads, "BALANCES_MAX", SHOPS)
    assert len(get(path, query).body["balances"]) == SHOPS
    monkeypatch.setattr(past_reads, "BALANCES_MAX", SHOPS - 1)
    answer = get(path, query)
    assert answer.status == 422
    [error] = answer.body["errors"]
    assert error["parameter"] == "balance_shop_id"
    assert len(get("/balances").body["balances"]) == SHOPS
    assert get("/statements/2026-10", {"balance_shop_id": "bs-24-eur"}).status == 200
    assert get("/balances/bs-24-eur", {"at": "2026-11-01T00:00:00Z"}).status == 200
