"""`/unreconciled`: operations whose stages differ, or of which one is missing; with sums."""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.queries import UnreconciledQuery
from falcon_balances.contracts.unreconciled_documents import (
    UnreconciledOperationV1,
    UnreconciledV1,
    age_days,
    unreconciled_sums,
)
from falcon_balances.domain.standing import Standing
from lambdas.api_routes.context import MerchantId, RouteContext
from lambdas.api_routes.documented import LINK, documented
from lambdas.api_routes.edge import InvalidParameterError
from lambdas.api_routes.parameters import without_page

OPEN_MAX: Final = 20_000


class UnreconciledRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        docs = documented(
            "Operations that are not reconciled",
            "Operations that are confirmed but not reconciled, reconciled but not confirmed, or "
            "whose two stages differ; with their age, and sums by PSP.",
            UnreconciledV1,
            LINK,
        )
        context.get("/unreconciled", self.unreconciled, UnreconciledQuery, docs)

    def unreconciled(
        self, merchant_id: MerchantId, query: Annotated[UnreconciledQuery, Query()]
    ) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        cursors = sources.cursors("unreconciled", without_page(query))
        after = cursors.read(query.cursor) or ""
        as_of = sources.reads.indexed_as_of(now)
        found = sources.reads.open_standings(OPEN_MAX + 1)
        if len(found) > OPEN_MAX:
            raise InvalidParameterError(
                "older_than_days",
                f"more than {OPEN_MAX} operations are open: use `falcon audit trial-balance`",
            )
        if not found:
            self._context.check_known(sources)
        aged = sorted(
            (each for each in found if age_days(each, now) >= query.older_than_days), key=_by_age
        )
        page = [each for each in aged if _by_age(each) > after][: query.limit + 1]
        shown = page[: query.limit]
        following = cursors.write(_by_age(shown[-1])) if len(page) > query.limit else None
        return self._context.api.answer(
            UnreconciledV1(
                **freshness(merchant_id, as_of, now),
                older_than_days=query.older_than_days,
                sums=unreconciled_sums(aged),
                operations=tuple(UnreconciledOperationV1.of(each, now) for each in shown),
                next_cursor=following,
            ),
            headers=self._context.link(query, following),
        )


def _by_age(standing: Standing) -> str:
    return f"{standing.operation_date}#{standing.falcon_operation_id}"
