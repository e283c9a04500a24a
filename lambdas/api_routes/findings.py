"""`/findings`: operations that do not fit together, for a person to check."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from falcon_balances.contracts.cursors import Cursors
from falcon_balances.contracts.finding_documents import FindingsV1, FindingV1
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.queries import FindingsQuery
from lambdas.api_routes.context import MerchantId, RouteContext
from lambdas.api_routes.documented import LINK, documented
from lambdas.api_routes.parameters import finding_after, without_page


class FindingRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        docs = documented(
            "Operations that do not fit together",
            "Refunds that exceed their sale, have another currency than their sale, or name an "
            "unknown sale; stages that contradict each other; and so on. These operations were "
            "counted; a person should check them. A finding disappears when its operations fit "
            "together again.",
            FindingsV1,
            LINK,
        )
        context.get("/findings", self.findings, FindingsQuery, docs)

    def findings(
        self, merchant_id: MerchantId, query: Annotated[FindingsQuery, Query()]
    ) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        cursors = Cursors("findings", merchant_id, without_page(query))
        after = finding_after(cursors.read(query.cursor))
        as_of = sources.reads.as_of()
        found = sources.reads.findings(after, query.limit + 1)
        if not found and after is None:
            self._context.check_known(sources)
        shown = found[: query.limit]
        following = cursors.write(shown[-1].sk) if len(found) > query.limit else None
        return self._context.api.answer(
            FindingsV1(
                **freshness(merchant_id, as_of, now),
                findings=tuple(map(FindingV1.of, shown)),
                next_cursor=following,
            ),
            headers=self._context.link(query, following),
        )
