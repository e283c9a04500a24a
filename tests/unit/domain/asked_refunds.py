"""A refund of a known sale, asked for, and what is set aside for it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from falcon_balances.domain.authorizations import (
    Authorization,
    BlockName,
)
from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.refund_authorization import (
    Debit,
    blocks_for,
)
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import SaleOperation
from falcon_balances.domain.sales import Sale
from falcon_balances.domain.table_keys import BalanceKey

NOW = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
OPERATION = uuid5_text("a refund")
SALE = SaleKey("m-market", "payu-ro", "order 1#1")
ASKED = Authorization(
    falcon_operation_id=OPERATION,
    attempt=1,
    merchant_id="m-market",
    asked={"external_reference": "r 1", "amount": "40.00"},
    currency="EUR",
    amount=4000,
    requested_by="refunds",
    created_at=NOW,
    expiry=NOW + timedelta(days=7),
    sale=SALE,
)
DEBITS = [
    Debit("m-a", BalanceKey("bs-a", "EUR"), 2000),
    Debit("m-market", BalanceKey("bs-m", "EUR"), 100),
]
BLOCKS = blocks_for(ASKED, DEBITS)
KNOWN = Sale(SALE, 3, 1, 0, 0, {})


def authorized(**changes):
    names = tuple(BlockName(each.merchant_id, each.block_id) for each in BLOCKS)
    return replace(ASKED, blocks=names, **changes)


HELD = SaleOperation.from_attributes(
    SALE.operation_item(OPERATION),
    {"version": 2, "operation_type": "refund", "set_aside": "EUR#4000"},
)
