"""Balance API: a merchant's own balances, from DynamoDB (design §8).

Input     HTTP API requests that the gateway's JWT authorizer let through
Output    the balance document, or a problem document (RFC 9457)
Retries   reads only
Errors    404 for what is unknown or another's, alike; 503 when data cannot be had, never a zero
"""

import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.observability import logger
from falcon_balances.settings import BalanceApiSettings

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

app = APIGatewayHttpResolver()


@app.get("/v1/merchants/<merchant_id>/balances")
def balances(merchant_id: str) -> Response[str]:
    return _answer(read_balances(_own(merchant_id), _store()))


@app.get("/v1/merchants/<merchant_id>/balances/<balance_shop_id>")
def balances_of_shop(merchant_id: str, balance_shop_id: str) -> Response[str]:
    return _answer(read_balances(_own(merchant_id), _store(), balance_shop_id))


def read_balances(
    merchant_id: str, store: BalanceStore, balance_shop_id: str | None = None
) -> BalanceDocumentV1:
    """`as_of` is read first, so that everything which had reached the stream by then is in."""
    as_of = store.as_of()
    found = [
        balance
        for balance in store.balances(merchant_id)
        if balance_shop_id in (None, balance.balance_shop_id)
    ]
    if not found:
        raise NotFoundError
    return balance_document(merchant_id, as_of, found, now=utc_now())


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


def _answer(document: BalanceDocumentV1) -> Response[str]:
    return Response(
        status_code=HTTPStatus.OK,
        content_type="application/json",
        body=document.model_dump_json(),
        headers={"Cache-Control": "no-store"},
    )


def _problem(status: HTTPStatus, title: str) -> Response[str]:
    return Response(
        status_code=status,
        content_type="application/problem+json",
        body=json.dumps({"type": "about:blank", "title": title, "status": int(status)}),
        headers={"Cache-Control": "no-store"},
    )


@app.not_found
def not_found(_error: NotFoundError) -> Response[str]:
    return _problem(HTTPStatus.NOT_FOUND, "Not found")


@app.exception_handler([TransientError, IntegrityError])  # type: ignore[untyped-decorator]
def unavailable(error: TransientError | IntegrityError) -> Response[str]:
    logger.error("data cannot be had", error=str(error))
    return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "Balances cannot be read now")


@cache
def _store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), BalanceApiSettings.load().balances_table)


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    return app.resolve(event, context)
