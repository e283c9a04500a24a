"""Merchants with more balances in one event than a mark holds effects on."""

from tests.builders import context_of, marketplace
from tests.component.api_calls import get
from tests.component.ledger import Ledger

SHOPS = 40  # a mark holds the effects on 24 balances


def test_the_statement_of_one_balance_shop_is_its_part_of_the_merchant_s_statement(monkeypatch):
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
    lines = get("/statements/2026-10").body["lines"]
    shops = {line["balance_shop_id"] for line in lines}
    assert len(shops) == SHOPS
    for shop in shops:
        answer = get("/statements/2026-10", {"balance_shop_id": shop})
        assert answer.status == 200
        assert answer.body["lines"] == [each for each in lines if each["balance_shop_id"] == shop]
