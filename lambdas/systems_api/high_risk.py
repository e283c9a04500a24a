"""Reads the log before any money of a merchant of high risk is set aside."""

from collections.abc import Callable

from falcon_balances.adapters.logged_money import logged_money
from falcon_balances.domain.blocks import Block, LoggedMoney
from falcon_balances.domain.merchant_context import Merchant
from lambdas.systems_api import adapters


def log_reader(merchant: Merchant | None, block: Block) -> Callable[[], LoggedMoney] | None:
    """The reader of the log; None for a merchant without high risk, whose table is enough."""
    if merchant is None or not merchant.is_high_risk:
        return None
    return lambda: logged_money(block, adapters.store(), adapters.log())
