"""`/statements/{month}`: the merchant statement of a month, as JSON or CSV."""

from datetime import datetime
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from falcon_balances.adapters.merchant_statements import read_statement_page
from falcon_balances.adapters.past_reads import read_past
from falcon_balances.contracts.cursors import Cursors
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.merchant_statement_documents import (
    MerchantStatementV1,
    merchant_statement_csv,
)
from falcon_balances.contracts.queries import MerchantStatementQuery
from falcon_balances.domain.history import parse_month
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_statements import stated_balances
from lambdas.api_routes.context import MerchantId, RouteContext
from lambdas.api_routes.documented import LINK, documented
from lambdas.api_routes.parameters import order_of, without_page


class MerchantStatementRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        docs = documented(
            "A month's statement",
            "What was counted in the month: opening balance, lines with running balance, "
            "closing balance. A statement never changes, and its closing balance is the next "
            "month's opening balance. JSON, or CSV with `format=csv`.",
            MerchantStatementV1,
            LINK,
        )
        docs["responses"][200]["content"]["text/csv"] = {"schema": {"type": "string"}}
        context.get("/statements/<month>", self.statement, MerchantStatementQuery, docs)

    def statement(
        self,
        merchant_id: MerchantId,
        month: Annotated[str, Path(description="`YYYY-MM`, UTC.")],
        query: Annotated[MerchantStatementQuery, Query()],
    ) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        start, end = period = _period_of(month)
        cursors = Cursors(f"statements/{month}", merchant_id, without_page(query))
        after = order_of(cursors.read(query.cursor), rfc3339(start), rfc3339(end))
        as_of, past = read_past(sources.reads, start, now)
        stated = stated_balances(past, start, end, query.balance_shop_id)
        if not stated:
            raise NotFoundError
        shop = query.balance_shop_id
        lines, position = read_statement_page(
            sources.reads, past, end, query.limit, after=after, balance_shop_id=shop
        )
        following = None if position is None else cursors.write(position)
        headers = self._context.link(query, following)
        if query.format == "csv":
            is_first, is_last = after is None, following is None
            body = merchant_statement_csv(stated, lines, period, is_first=is_first, is_last=is_last)
            headers |= _attachment(f"statement-{merchant_id}-{month}.csv")
            return self._context.api.text("text/csv; charset=utf-8", body, headers)
        fresh = freshness(merchant_id, as_of, now)
        document = MerchantStatementV1.of(fresh, period, stated, lines, following)
        return self._context.api.answer(document, headers=headers)


def _attachment(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name.replace(":", "_")}"'}


def _period_of(month: str) -> tuple[datetime, datetime]:
    try:
        return parse_month(month)
    except ValueError:
        raise NotFoundError from None
