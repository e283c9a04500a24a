"""Systems' API: balances, blocks and refund authorizations, for callers known by IAM (design §8).

Input     HTTP API requests that the gateway let through by IAM, under /v1/systems/
Output    documents, or a problem document (RFC 9457) that names the field and what holds now
Retries   safe: the caller's key, or the refund's identity, decides once what becomes of a request
Errors    400 no JSON, 404 unknown, 409 conflict, 422 invalid, 503 when nothing could be decided
"""

from base64 import b64decode
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.logged_money import logged_money
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.ports import BalanceStore, ContextReader, TransactionLog
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.blocks import (
    BlockListV1,
    BlockRequestV1,
    BlockV1,
    RefundAuthorizationRequestV1,
    RefundAuthorizationV1,
    is_id,
)
from falcon_balances.contracts.decoding import decode_numbers
from falcon_balances.domain.blocks import Block, BlockStatus, LoggedMoney
from falcon_balances.domain.counting import ItemKey, block_sk, merchant_pk
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.merchant_context import ContextKey, Merchant, in_force
from falcon_balances.observability import logger
from falcon_balances.settings import SystemsApiSettings
from lambdas.balance_api.answers import answer, answer_errors, problem, read_balances
from lambdas.balance_api.blocking import BlockConflictError, release, request_block

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_MERCHANT: Final = "/v1/systems/merchants/<merchant_id>"
_NO_JSON: Final = {RejectionCode.SIZE, RejectionCode.JSON, RejectionCode.DUP_KEY}
app = APIGatewayHttpResolver()
answer_errors(app)


@app.get(f"{_MERCHANT}/balances")
def balances(merchant_id: str) -> Response[str]:
    _caller()
    return answer(read_balances(merchant_id, _store()))


@app.get(f"{_MERCHANT}/balances/<balance_shop_id>")
def balances_of_shop(merchant_id: str, balance_shop_id: str) -> Response[str]:
    _caller()
    return answer(read_balances(merchant_id, _store(), balance_shop_id))


@app.post(f"{_MERCHANT}/blocks")
def create_block(merchant_id: str) -> Response[str]:
    """Under the caller's `Idempotency-Key`: the same request again finds the same block."""
    caller = _caller()
    key = app.current_event.headers.get("idempotency-key", "")
    if not is_id(key):
        raise RejectedOperation(
            RejectionCode.ID, "Idempotency-Key: missing, or not of an id's form"
        )
    asked = BlockRequestV1.validated(_body())
    merchant = _with_balance(merchant_id, asked.balance_shop_id, asked.currency)
    block = asked.to_block(merchant_id, key, caller, utc_now())
    held = request_block(block, _store(), _log_reader(merchant, block))
    if held.status is BlockStatus.REFUSED:
        return _insufficient(held)
    return answer(BlockV1.of(held), HTTPStatus.CREATED if held is block else HTTPStatus.OK)


@app.get(f"{_MERCHANT}/blocks")
def list_blocks(merchant_id: str) -> Response[str]:
    _caller()
    blocks = _store().blocks_of(merchant_id)
    if not blocks:
        _known(merchant_id)
    return answer(BlockListV1.of(blocks))


@app.get(f"{_MERCHANT}/blocks/<block_id>")
def show_block(merchant_id: str, block_id: str) -> Response[str]:
    _caller()
    return answer(BlockV1.of(_find(merchant_id, block_id)))


@app.post(f"{_MERCHANT}/blocks/<block_id>/release")
def release_block(merchant_id: str, block_id: str) -> Response[str]:
    caller = _caller()
    return answer(BlockV1.of(release(_find(merchant_id, block_id), caller, utc_now(), _store())))


@app.post(f"{_MERCHANT}/refund-authorizations")
def authorize_refund(merchant_id: str) -> Response[str]:
    caller = _caller()
    asked = RefundAuthorizationRequestV1.validated(_body())
    merchant, balance_shop_id = _balance_shop(merchant_id, asked)
    block = asked.to_block(merchant_id, balance_shop_id, caller, utc_now())
    held = request_block(block, _store(), _log_reader(merchant, block))
    if held.status not in (BlockStatus.ACTIVE, BlockStatus.REFUSED):
        raise BlockConflictError("external_reference", f"the authorization is {held.status}", held)
    return answer(
        RefundAuthorizationV1.of(held), HTTPStatus.CREATED if held is block else HTTPStatus.OK
    )


def _balance_shop(merchant_id: str, asked: RefundAuthorizationRequestV1) -> tuple[Merchant, str]:
    """By the context in force now, as the refund will find it."""
    key = ContextKey(asked.psp_id, asked.local_merchant_id, asked.shop_id)
    history, merchant = _directory().context_of(key, merchant_id)
    context = in_force(history, utc_now())
    if context is None or merchant is None or context.merchant_id != merchant_id:
        raise RejectedOperation(
            RejectionCode.UNKNOWN_MERCHANT, "local_merchant_id, shop_id: not this merchant's"
        )
    if asked.currency not in context.balance_shops:
        raise RejectedOperation(
            RejectionCode.NO_BALANCE_SHOP, "currency: the merchant has no balance shop in it"
        )
    return merchant, context.balance_shops[asked.currency]


def _log_reader(merchant: Merchant, block: Block) -> Callable[[], LoggedMoney] | None:
    """Merchants of high risk are checked against the log as well."""
    if not merchant.is_high_risk:
        return None
    return lambda: logged_money(block, _store(), _log())


def _known(merchant_id: str) -> Merchant:
    merchant = _directory().merchants([merchant_id]).get(merchant_id)
    if merchant is None:
        raise NotFoundError
    return merchant


def _with_balance(merchant_id: str, balance_shop_id: str, currency: str) -> Merchant:
    merchant = _known(merchant_id)
    if not merchant.has(balance_shop_id, currency):
        raise RejectedOperation(
            RejectionCode.NO_BALANCE_SHOP,
            "balance_shop_id, currency: the merchant has no such balance shop in this currency",
        )
    return merchant


def _find(merchant_id: str, block_id: str) -> Block:
    key = ItemKey(merchant_pk(merchant_id), block_sk(block_id))
    block = _store().blocks([key]).get(key)
    if block is None:
        raise NotFoundError
    return block


def _body() -> dict[str, object]:
    body = app.current_event.body or ""
    if app.current_event.is_base64_encoded:
        return decode_numbers(b64decode(body))
    return decode_numbers(body.encode("utf-8", "surrogatepass"))


def _caller() -> str:
    """Who asks, as the gateway proved it; kept with what is done."""
    authorizer = app.current_event.request_context.authorizer
    iam = (authorizer.raw_event.get("iam") if authorizer else None) or {}
    caller = iam.get("userArn")
    if not caller:
        raise NotFoundError
    logger.info("asked", caller=caller, request_id=app.current_event.request_context.request_id)
    return str(caller)


def _insufficient(block: Block) -> Response[str]:
    document = BlockV1.of(block)
    return problem(
        HTTPStatus.CONFLICT,
        "Insufficient balance",
        field="amount",
        detail=f"amount: more than the {document.available} {document.currency} that were "
        "available when this was first asked",
        available=document.available,
        currency=document.currency,
        block=document.model_dump(mode="json"),
    )


@app.exception_handler(RejectedOperation)  # type: ignore[untyped-decorator]
def invalid(rejected: RejectedOperation) -> Response[str]:
    bad = rejected.code in _NO_JSON
    status = HTTPStatus.BAD_REQUEST if bad else HTTPStatus.UNPROCESSABLE_ENTITY
    field = rejected.reason.partition(":")[0]
    return problem(
        status, "Invalid request", code=rejected.code, field=field, detail=rejected.reason
    )


@app.exception_handler(BlockConflictError)  # type: ignore[untyped-decorator]
def conflict(error: BlockConflictError) -> Response[str]:
    more: dict[str, object] = {"field": error.field, "detail": str(error)}
    if error.block is not None:
        more["block"] = BlockV1.of(error.block).model_dump(mode="json")
    return problem(HTTPStatus.CONFLICT, "Conflict", **more)


@cache
def _store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), SystemsApiSettings.load().balances_table)


@cache
def _log() -> TransactionLog:
    return S3TransactionLog(client("s3"), SystemsApiSettings.load().log_bucket)


@cache
def _directory() -> ContextReader:
    return CachedMerchantDirectory(
        DynamoMerchantDirectory(client("dynamodb"), SystemsApiSettings.load().context_table)
    )


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    return app.resolve(event, context)
