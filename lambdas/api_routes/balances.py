"""`/balances`: a merchant's balances, now or at an earlier moment."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Annotated, NamedTuple

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.params import Query

from falcon_balances.adapters.past_reads import (
    BALANCES_MAX,
    read_balance_keys,
    read_closed,
    read_past,
)
from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.contracts.fresh import freshness
from falcon_balances.contracts.past_balance_documents import BalancesAtV1, balances_at
from falcon_balances.contracts.queries import BalancesQuery
from falcon_balances.domain.history import Figures, parse_quarter
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.logged_balances import logged_balances, logged_figures
from falcon_balances.domain.table_keys import BalanceKey
from lambdas.api_routes.context import BalanceShopId, MerchantId, RouteContext, Sources
from lambdas.api_routes.documented import ETAG, documented
from lambdas.api_routes.parameters import instant_of


class BalanceRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        docs = documented(
            "A merchant's balances, now or at a point in time",
            "Every balance of the merchant. With `at`, the balances of that time; a merchant with "
            f"more than {BALANCES_MAX} balances must then name one balance shop. With "
            "`source=log`, the balances are added up from the transaction log instead of read "
            "from the table.",
            BalanceDocumentV1 | BalancesAtV1,
            ETAG,
        )
        docs["responses"][304] = {
            "description": "Not changed since the ETag that you sent",
            "headers": ETAG,
        }
        one = docs | {"summary": "One balance, now or at a point in time"}
        context.get("/balances", self.balances, BalancesQuery, docs)
        context.get("/balances/<balance_shop_id>", self.balance, BalancesQuery, one)

    def balances(
        self, merchant_id: MerchantId, query: Annotated[BalancesQuery, Query()]
    ) -> Response[str]:
        return self._balances(merchant_id, None, query)

    def balance(
        self,
        merchant_id: MerchantId,
        balance_shop_id: BalanceShopId,
        query: Annotated[BalancesQuery, Query()],
    ) -> Response[str]:
        return self._balances(merchant_id, balance_shop_id, query)

    def _balances(
        self, merchant_id: str, balance_shop_id: str | None, query: BalancesQuery
    ) -> Response[str]:
        sources = self._context.sources_of(merchant_id)
        if query.at is not None:
            return self._balances_at(sources, balance_shop_id, query, query.at)
        as_of = (
            sources.reads.as_of()
        )  # read first, so that everything that reached the stream by then is in the answer
        found = sources.reads.balances()
        objects_read = None
        if query.source == "log":
            segments = sources.log.segments_of(merchant_id, sources.log_objects_max)
            found, objects_read = logged_balances(segments, found), len(segments)
        found = [each for each in found if balance_shop_id in (None, each.balance_shop_id)]
        if not found:
            raise NotFoundError
        document = balance_document(
            merchant_id, as_of, found, now=self._context.now(), objects_read=objects_read
        )
        return self._unless_known(document)

    def _unless_known(self, document: BalanceDocumentV1) -> Response[str]:
        """The answer, or 304 if the client already has the same one: the ETag covers `as_of`, but
        not the lag.
        """
        api = self._context.api
        text = document.model_dump_json(exclude={"lag_seconds"})
        tag = f'W/"{sha256(text.encode()).hexdigest()[:32]}"'
        # RFC 9110, 13.1.2: compared weakly.
        known = api.app.current_event.headers.get("if-none-match", "")
        tags = {each.strip().removeprefix("W/") for each in known.split(",")}
        if tags & {tag.removeprefix("W/"), "*"}:
            return api.not_modified({"ETag": tag})
        return api.answer(document, headers={"ETag": tag})

    def _balances_at(
        self, sources: Sources, balance_shop_id: str | None, query: BalancesQuery, text: str
    ) -> Response[str]:
        now = self._context.now()
        past = (
            _from_log(sources, text)
            if query.source == "log"
            else _from_table(sources, balance_shop_id, text)
        )
        # A balance that began later is left out: otherwise the answer for a closed quarter would
        # change.
        figures = {
            key: value
            for key, value in past.figures.items()
            if balance_shop_id in (None, key.balance_shop_id) and value.operations_count
        }
        if not figures and balance_shop_id is not None:
            raise NotFoundError
        return self._context.api.answer(
            BalancesAtV1(
                **freshness(sources.reads.merchant_id, past.as_of, now),
                at=rfc3339(past.at),
                by="operation_date" if query.source == "log" else "counting",
                source=query.source,
                objects_read=past.objects_read,
                balances=balances_at(figures),
            )
        )


class _PastBalances(NamedTuple):
    at: datetime
    as_of: datetime | None
    figures: Mapping[BalanceKey, Figures]
    objects_read: int | None = None


def _from_log(sources: Sources, text: str) -> _PastBalances:
    at = instant_of("at", text, parse_rfc3339)
    as_of = sources.reads.as_of()
    segments = sources.log.segments_of(sources.reads.merchant_id, sources.log_objects_max)
    if not segments:
        raise NotFoundError
    return _PastBalances(at, as_of, logged_figures(segments, at), len(segments))


def _from_table(sources: Sources, balance_shop_id: str | None, text: str) -> _PastBalances:
    at = instant_of("at", text, parse_quarter)
    as_of, _ = read_closed(sources.reads, at)
    balances = read_balance_keys(sources.reads, balance_shop_id)
    return _PastBalances(at, as_of, read_past(sources.reads, balances, at, at).opening)
