"""A marketplace's sale of 100.00, and refunds of it that are asked for."""

from typing import Any

import pytest

from falcon_balances.domain.blocks import Block
from falcon_balances.domain.merchant_context import merchants_of
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.table_keys import ItemKey
from lambdas.systems_api import authorizing
from lambdas.systems_api.blocking import ATTEMPTS
from tests.builders import (
    Document,
    confirmed,
    context_of,
    marketplace,
    shop,
)
from tests.component.api_calls import Answer, get, post_as_system
from tests.component.ledger import Ledger
from tests.component.test_sales import traced

CONTEXTS = (context_of("a"), context_of("b"), context_of("c"), context_of("market"))
PARTS = [("a", "20.00", "2.00"), ("b", "10.00", None)]
SOLD = marketplace([("a", "60.00", "6.00"), ("b", "40.00", None)], "100.00")
SALE = SaleKey("m-market", "payu-ro", "order-1")


def refund(parts: Any = PARTS, amount: str = "30.00", **changes: Any) -> Document:
    said = {"type": "refund", "external_reference": "r 1", "original_reference": "order-1"}
    return marketplace(parts, amount, **said | changes)


def asking(event: Document, **more: Any) -> Document:
    """The request that the refund's own fields make."""
    left_out = {"schema_version", "type", "operation_date"}
    return {name: value for name, value in event.items() if name not in left_out} | more


def authorize(event: Document | None = None, **more: Any) -> Answer:
    asked = asking(refund() if event is None else event, **more)
    return post_as_system("/refund-authorizations", asked, merchant_id="m-market")


def money(merchant_id: str) -> tuple[str, str]:
    """Available and blocked."""
    [balance] = get("/balances", merchant_id=merchant_id).body["balances"]
    return balance["available"], balance["blocked"]


def moneys() -> list[tuple[str, str]]:
    return [money(each) for each in ("m-a", "m-b", "m-market")]


def left(ledger: Ledger) -> tuple[int, int]:
    """Of the sale: what could still be refunded, and what is set aside."""
    figures = Sale.from_attributes(SALE.item, ledger.store.item(SALE.item)).currencies["EUR"]
    return figures.left, figures.set_aside


LOSS = confirmed(type="chargeback", amount="35.00", **shop("b"))
UNTOUCHED = [("54.00", "0.00"), ("40.00", "0.00"), ("6.00", "0.00")]
HELD = [("36.00", "18.00"), ("30.00", "10.00"), ("4.00", "2.00")]
TAKEN = [("36.00", "0.00"), ("30.00", "0.00"), ("4.00", "0.00")]


def blocks(ledger: Ledger) -> list[Block]:
    return [each for m in ("m-a", "m-b", "m-c", "m-market") for each in ledger.store.blocks_of(m)]


def statuses(ledger: Ledger) -> set[str]:
    return {each.status.value for each in blocks(ledger)}


def authorize_key(ledger: Ledger) -> ItemKey:
    return next(key for key in sorted(ledger.store.marks) if key.sk.startswith("ATTEMPT#"))


def sold(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A sale of 100.00 in both stages: a has 54.00, b 40.00, the marketplace 6.00."""
    ledger = Ledger(CONTEXTS)
    ledger.directory.contexts |= {context.key: [context] for context in CONTEXTS}
    ledger.directory.named |= merchants_of(CONTEXTS)
    ledger.serve(monkeypatch)
    monkeypatch.setattr(authorizing, "contention_delays", lambda: [0] * ATTEMPTS)
    ledger.count(SOLD, traced(SOLD))
    return ledger
