"""Balance API: a merchant's own balances, from DynamoDB (design §8).

Input     HTTP API requests that the gateway's JWT authorizer let through
Output    the balance document, or a problem document (RFC 9457)
Retries   reads only
Errors    404 for what is unknown or another's, alike; 503 when data cannot be had, never a zero
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.observability import logger
from falcon_balances.settings import BalanceApiSettings
from lambdas.balance_api.answers import answer, answer_errors, read_balances

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = APIGatewayHttpResolver()


@app.get("/v1/merchants/<merchant_id>/balances")
def balances(merchant_id: str) -> Response[str]:
    return answer(read_balances(_own(merchant_id), _store()))


@app.get("/v1/merchants/<merchant_id>/balances/<balance_shop_id>")
def balances_of_shop(merchant_id: str, balance_shop_id: str) -> Response[str]:
    return answer(read_balances(_own(merchant_id), _store(), balance_shop_id))


def _own(merchant_id: str) -> str:
    """The merchant of the verified token; a path that names another is not found."""
    authorizer = app.current_event.request_context.authorizer
    claims = (authorizer.jwt_claim if authorizer else None) or {}
    claimed = claims.get("custom:merchant_id")
    if not isinstance(claimed, str) or claimed != merchant_id:
        raise NotFoundError
    logger.info(
        "asked", merchant_id=claimed, request_id=app.current_event.request_context.request_id
    )
    return claimed


answer_errors(app)


@cache
def _store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), BalanceApiSettings.load().balances_table)


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    return app.resolve(event, context)
