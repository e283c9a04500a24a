"""`/operations`: a merchant's operations in the order of counting, and the story of one."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Query

from falcon_balances.adapters.operation_pages import (
    TooManyReferencedError,
    read_operations,
    read_referenced,
)
from falcon_balances.adapters.operation_stories import read_story
from falcon_balances.adapters.sale_stories import sale_of
from falcon_balances.contracts.cursors import Cursors
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.operation_documents import OperationPageV1, OperationV1
from falcon_balances.contracts.operation_story_documents import OperationStoryV1
from falcon_balances.contracts.queries import OperationsQuery
from falcon_balances.domain.history import Mark
from falcon_balances.domain.operation_filter import OperationFilter
from lambdas.api_routes.context import MerchantId, RouteContext
from lambdas.api_routes.documented import LINK, documented
from lambdas.api_routes.edge import InvalidParameterError
from lambdas.api_routes.parameters import OPERATION_ID, order_of, quarter_or_none, without_page


class OperationRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        page = documented(
            "Operations in the order in which they were counted",
            "Pages neither skip nor repeat an operation that existed when paging began. `as_of` "
            "is a little earlier than that of the balances, because the list is read from an "
            "index.",
            OperationPageV1,
            LINK,
        )
        story = documented(
            "Everything known about one operation",
            "The operation's stages, each with its lines, its log key and the time of counting; "
            "the money that is set aside for the operation; its corrections; a payout's returns.",
            OperationStoryV1,
        )
        context.get("/operations", self.operations, OperationsQuery, page)
        context.get("/operations/<falcon_operation_id>", self.operation, None, story)

    def operations(
        self, merchant_id: MerchantId, query: Annotated[OperationsQuery, Query()]
    ) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        wanted = _filter_of(query)
        cursors = Cursors("operations", merchant_id, without_page(query))
        after = order_of(cursors.read(query.cursor), *wanted.bounds)
        as_of = sources.reads.indexed_as_of(now)
        try:
            marks, position = _reader_of(query)(
                sources.reads,
                wanted,
                query.limit,
                after=after,
                newest_first=query.order == "newest_first",
            )
        except TooManyReferencedError as error:
            detail = f"borne by more than {error.operations_max} operations: leave it out, and "
            raise InvalidParameterError("reference", f"{detail}narrow `from`") from None
        if not marks and query.cursor is None:
            self._context.check_known(sources)
        following = None if position is None else cursors.write(position)
        return self._context.api.answer(
            OperationPageV1(
                **freshness(merchant_id, as_of, now),
                operations=tuple(OperationV1.of(mark) for mark in marks),
                next_cursor=following,
            ),
            headers=self._context.link(query, following),
        )

    def operation(self, merchant_id: MerchantId, falcon_operation_id: str) -> Response[str]:
        sources, now = self._context.sources_of(merchant_id), self._context.now()
        reads = sources.reads
        if not OPERATION_ID.fullmatch(falcon_operation_id):
            raise NotFoundError
        as_of = reads.as_of()
        claims = reads.claims(falcon_operation_id)
        story = read_story(falcon_operation_id, claims, [merchant_id], lambda _: reads)
        if story.main is None:
            raise NotFoundError
        document = OperationStoryV1.of(
            story,
            merchant_id,
            freshness(merchant_id, as_of, now),
            sale_of(story.main, reads),
            for_systems=self._context.for_systems,
        )
        return self._context.api.answer(document)


def _filter_of(query: OperationsQuery) -> OperationFilter:
    wanted = OperationFilter(
        quarter_or_none("from", query.start),
        quarter_or_none("to", query.end),
        query.type,
        query.stage,
        query.balance_shop_id,
        query.psp_id,
    )
    if wanted.start is not None and wanted.end is not None and wanted.start >= wanted.end:
        raise InvalidParameterError("to", "must be after `from`")
    return wanted


def _reader_of(query: OperationsQuery) -> Callable[..., tuple[list[Mark], str | None]]:
    if query.reference is None:
        return read_operations
    return partial(read_referenced, query.reference)
