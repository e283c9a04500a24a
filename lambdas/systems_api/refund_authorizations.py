"""`/refund-authorizations`: authorizes a refund with blocks, or refuses it with a reason."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response

from falcon_balances.contracts.authorizations import (
    RefundAuthorizationRequestV1,
    RefundAuthorizationV1,
)
from falcon_balances.contracts.problems import Problem
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.blocks import Block, LoggedMoney
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.refund_authorization import debits_of
from falcon_balances.domain.splitting import context_keys, split
from lambdas.api_routes.context import RouteContext
from lambdas.api_routes.documented import created
from lambdas.systems_api import adapters
from lambdas.systems_api.authorizing import AuthorizationConflictError, request_authorization
from lambdas.systems_api.callers import body_of, caller_of
from lambdas.systems_api.high_risk import log_reader
from lambdas.systems_api.problems import field_error


class RefundAuthorizationRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._api = context.api
        context.add(
            "POST",
            "/refund-authorizations",
            self.authorize_refund,
            body=RefundAuthorizationRequestV1,
            summary="Authorize a refund",
            description="The body describes the refund, which is split as it would be now. If "
            "the refund is authorized, a block is made for each balance that it will lower. If it "
            "is refused, the answer says what was available, or what is left of its sale. Each "
            "`attempt` is decided once.",
            **created(RefundAuthorizationV1),
        )
        self._answer_conflicts()

    def authorize_refund(self, merchant_id: str) -> Response[str]:
        """Splits the refund as if it happened now, and sets aside all that it would take."""
        caller, now = caller_of(self._api, merchant_id), self._context.now()
        asked = RefundAuthorizationRequestV1.validated(body_of(self._api))
        refund = asked.to_operation(now)
        event = split(refund, adapters.directory().histories(context_keys(refund)))
        if event.named_merchant_id != merchant_id:
            raise RejectedOperation(
                RejectionCode.UNKNOWN_MERCHANT,
                "local_merchant_id, shop_id: belong to another merchant",
            )
        debits = debits_of(event.segments)
        merchant_ids = sorted({each.merchant_id for each in debits})
        merchants = adapters.directory().merchants(merchant_ids)
        held = request_authorization(
            Authorization(
                falcon_operation_id=event.falcon_operation_id,
                attempt=asked.attempt or 1,
                merchant_id=merchant_id,
                asked=asked.asked(refund),
                currency=asked.currency,
                amount=refund.amount.minor,
                requested_by=caller,
                created_at=now,
                expiry=asked.expiry(now),
                sale=None if event.sale is None else event.sale.sale,
            ),
            debits,
            adapters.store(),
            adapters.refund_claims(),
            lambda block: _logged(merchants.get(block.merchant_id), block),
        )
        status = HTTPStatus.CREATED if held.is_new and held.blocks else HTTPStatus.OK
        return self._api.answer(RefundAuthorizationV1.of(held.authorization, held.blocks), status)

    def _answer_conflicts(self) -> None:
        @self._api.app.exception_handler(AuthorizationConflictError)  # type: ignore[untyped-decorator]
        def conflict(error: AuthorizationConflictError) -> Response[str]:
            more: dict[str, Any] = {"field": error.field, "detail": str(error)}
            if error.held is not None:
                document = RefundAuthorizationV1.of(error.held.authorization, error.held.blocks)
                more["authorization"] = document.model_dump(mode="json")
            errors = [field_error(error.field, error.detail)]
            return self._api.problem(Problem.CONFLICT, errors=errors, **more)


def _logged(merchant: Merchant | None, block: Block) -> LoggedMoney | None:
    read = log_reader(merchant, block)
    return None if read is None else read()
