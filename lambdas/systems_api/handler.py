"""Systems' API: balances, blocks and refund authorizations, for callers known by IAM (design §8).

Input     HTTP API requests under /v1/systems/ that the gateway let through, by IAM
Output    documents, or a problem document (RFC 9457) with the field and the present state
Retries   safe: each key of a caller, and each attempt of a refund, is decided only once
Errors    400 no JSON, 404 unknown, 409 conflict, 422 invalid, 503 when nothing could be decided
"""

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import Response

from falcon_balances.adapters.clock import utc_now
from falcon_balances.contracts.freshness_document import FreshnessV1, freshness_document
from falcon_balances.observability import metrics
from lambdas.api_routes.context import Sources
from lambdas.api_routes.documented import answered
from lambdas.api_routes.edge import Api
from lambdas.api_routes.merchant_routes import add_merchant_routes
from lambdas.systems_api import adapters
from lambdas.systems_api.blocks import BlockRoutes
from lambdas.systems_api.callers import caller_of
from lambdas.systems_api.problems import answer_rejections, answer_unchecked
from lambdas.systems_api.refund_authorizations import RefundAuthorizationRoutes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def _sources(merchant_id: str) -> Sources:
    caller_of(api, merchant_id)
    return sources(merchant_id)


def sources(merchant_id: str) -> Sources:
    settings, reads = adapters.settings(), adapters.merchant_reads(merchant_id)
    return Sources(reads, adapters.log(), settings.log_objects_max, settings.cursor_seal.encode())


def show_freshness() -> Response[str]:
    """How up to date the balances are, and what is still queued."""
    caller_of(api)
    as_of, now = adapters.store().as_of(), routes.now()
    return api.answer(freshness_document(as_of, adapters.queues().look(now), now))


api = Api()
routes = add_merchant_routes(
    api, "/v1/systems/merchants/<merchant_id>", _sources, utc_now, "systems"
)
BlockRoutes(routes)
RefundAuthorizationRoutes(routes)
answer_rejections(api)
answer_unchecked(api)
api.add(
    "GET",
    "/v1/systems/freshness",
    show_freshness,
    summary="How up to date the balances are, and what is still queued",
    responses=answered(FreshnessV1),
    tags=["systems"],
    operation_id="systems_show_freshness",
)


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    answer = api.handle(event, context)
    if metrics.metric_set:  # only a check against the log counts anything
        metrics.flush_metrics()
    return answer
