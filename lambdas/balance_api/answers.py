"""What both APIs answer with: documents, and problem documents (RFC 9457)."""

import json
from http import HTTPStatus

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from pydantic import BaseModel

from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.ports import BalanceStore
from falcon_balances.contracts.balance_document import BalanceDocumentV1, balance_document
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.observability import logger


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


def answer(document: BaseModel, status: HTTPStatus = HTTPStatus.OK) -> Response[str]:
    return Response(
        status_code=status,
        content_type="application/json",
        body=document.model_dump_json(),
        headers={"Cache-Control": "no-store"},
    )


def problem(status: HTTPStatus, title: str, **more: object) -> Response[str]:
    document = {"type": "about:blank", "title": title, "status": int(status), **more}
    return Response(
        status_code=status,
        content_type="application/problem+json",
        body=json.dumps(document),
        headers={"Cache-Control": "no-store"},
    )


def answer_errors(app: APIGatewayHttpResolver) -> None:
    """404 for what is unknown, 503 when data cannot be had: never a zero, never a trace."""

    @app.not_found
    def not_found(_error: NotFoundError) -> Response[str]:
        return problem(HTTPStatus.NOT_FOUND, "Not found")

    @app.exception_handler([TransientError, IntegrityError])  # type: ignore[untyped-decorator]
    def unavailable(error: TransientError | IntegrityError) -> Response[str]:
        logger.error("data cannot be had", error=str(error))
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "Balances cannot be read now")
