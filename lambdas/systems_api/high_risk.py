"""Reads the log before any money of a merchant of high risk is set aside."""

from collections.abc import Callable, Mapping

from falcon_balances.adapters.log_check import LogCheck
from falcon_balances.domain.blocks import Block, LoggedMoney
from falcon_balances.domain.merchant_context import Merchant
from lambdas.systems_api import adapters

LogReader = Callable[[Block], LoggedMoney | None]


def log_readers(merchants: Mapping[str, Merchant]) -> dict[str, LogReader]:
    """How the log is asked, for each merchant of high risk; the table is enough for the others. All
    share the limits of one request.
    """
    risky = [name for name, each in merchants.items() if each.is_high_risk]
    if not risky:
        return {}
    check = LogCheck(adapters.store(), adapters.log(), adapters.merchant_reads)
    return dict.fromkeys(risky, check.logged_money)
