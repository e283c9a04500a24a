"""Registers all reads of a merchant, the same for merchants and systems: one module per noun."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from lambdas.api_routes.balances import BalanceRoutes
from lambdas.api_routes.context import RouteContext, Sources
from lambdas.api_routes.edge import Api
from lambdas.api_routes.findings import FindingRoutes
from lambdas.api_routes.history import HistoryRoutes
from lambdas.api_routes.merchant_statements import MerchantStatementRoutes
from lambdas.api_routes.operations import OperationRoutes
from lambdas.api_routes.turnover import TurnoverRoutes
from lambdas.api_routes.unreconciled import UnreconciledRoutes

_ROUTES: Final = (
    BalanceRoutes,
    HistoryRoutes,
    OperationRoutes,
    TurnoverRoutes,
    MerchantStatementRoutes,
    UnreconciledRoutes,
    FindingRoutes,
)


def add_merchant_routes(
    api: Api,
    root: str,
    sources_of: Callable[[str], Sources],
    now: Callable[[], datetime],
    tag: str,
) -> RouteContext:
    context = RouteContext(api, root, sources_of, now, tag)
    for routes in _ROUTES:
        routes(context)
    return context
