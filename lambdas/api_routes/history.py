"""`/balances/{balance_shop_id}/history`: a balance by quarter of an hour."""

from datetime import timedelta
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Query

from falcon_balances.adapters.past_reads import read_balance_keys, read_closed, read_past
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.history_documents import BalanceHistoryV1, HistoryV1
from falcon_balances.contracts.queries import HistoryQuery
from falcon_balances.domain.history import NotClosedError, last_day_before
from falcon_balances.domain.instants import rfc3339
from lambdas.api_routes.context import BalanceShopId, MerchantId, RouteContext
from lambdas.api_routes.documented import documented
from lambdas.api_routes.parameters import FIRST, check_range, quarter_or_none

_DAY: Final = timedelta(days=1)


class HistoryRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        docs = documented(
            "A balance's history by quarter of an hour",
            "Opening and closing figures of every quarter in which something was counted, and "
            "daily sums by type and operation date.",
            HistoryV1,
        )
        context.get("/balances/<balance_shop_id>/history", self.history, HistoryQuery, docs)

    def history(
        self,
        merchant_id: MerchantId,
        balance_shop_id: BalanceShopId,
        query: Annotated[HistoryQuery, Query()],
    ) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        start, end = quarter_or_none("from", query.start), quarter_or_none("to", query.end)
        as_of, closed = read_closed(sources.reads)
        end = closed if end is None else end
        start = max(end, FIRST + _DAY) - _DAY if start is None else start
        check_range(start, end)
        if end > closed:
            raise NotClosedError(closed)
        keys = read_balance_keys(sources.reads, balance_shop_id)
        if not keys:
            raise NotFoundError
        past = read_past(sources.reads, keys, start, end)
        days = sources.reads.days(start.date().isoformat(), last_day_before(end))
        return self._context.api.answer(
            HistoryV1(
                **freshness(merchant_id, as_of, now),
                start=rfc3339(start),
                end=rfc3339(end),
                closed_until=rfc3339(closed),
                balances=tuple(BalanceHistoryV1.of(key, past, (start, end), days) for key in keys),
            )
        )
