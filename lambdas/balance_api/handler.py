"""Balance API: a merchant's own money, from DynamoDB and the transaction log (design §8).

Input     HTTP API requests that the gateway's JWT authorizer let through
Output    documents, or problem documents (RFC 9457)
Retries   reads only
Errors    404 alike for unknown items and another merchant's; 422 invalid; 503 data unreadable
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.observability import logger
from falcon_balances.settings import BalanceApiSettings
from lambdas.api_routes.context import Sources
from lambdas.api_routes.edge import Api
from lambdas.api_routes.merchant_routes import add_merchant_routes

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@cache
def _settings() -> BalanceApiSettings:
    return BalanceApiSettings.load()


def _own(merchant_id: str) -> Sources:
    """The sources of the token's merchant. Raises NotFoundError if the path names another one."""
    request = api.app.current_event.request_context
    claims = (request.authorizer.jwt_claim if request.authorizer else None) or {}
    claimed = claims.get("custom:merchant_id")
    if not isinstance(claimed, str) or not claimed or claimed != merchant_id:
        raise NotFoundError
    logger.info("asked", merchant_id=claimed, request_id=request.request_id)
    return sources(claimed)


def sources(merchant_id: str) -> Sources:
    settings, dynamodb = _settings(), client("dynamodb")
    return Sources(
        DynamoMerchantReads(dynamodb, settings.balances_table, settings.claims_table, merchant_id),
        S3TransactionLog(client("s3"), settings.log_bucket),
        settings.log_objects_max,
        settings.cursor_seal.encode(),
    )


api = Api()
routes = add_merchant_routes(api, "/v1/merchants/<merchant_id>", _own, utc_now, "merchants")


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    return api.handle(event, context)
