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

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.authorizing import end_authorization, find_authorization
from falcon_balances.adapters.aws import client
from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.directory_ports import ContextReader
from falcon_balances.adapters.logged_money import logged_money
from falcon_balances.adapters.merchant_directory import (
    CachedMerchantDirectory,
    DynamoMerchantDirectory,
)
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.ports import BalanceStore, RefundClaims, TransactionLog
from falcon_balances.adapters.queues import SqsQueues
from falcon_balances.adapters.refund_claims import DynamoRefundClaims
from falcon_balances.adapters.transaction_log import S3TransactionLog
from falcon_balances.contracts.authorizations import (
    RefundAuthorizationRequestV1,
    RefundAuthorizationV1,
)
from falcon_balances.contracts.blocks import BlockListV1, BlockRequestV1, BlockV1, is_id
from falcon_balances.contracts.decoding import decode_numbers
from falcon_balances.contracts.freshness_document import freshness_document
from falcon_balances.contracts.problems import Problem
from falcon_balances.domain.authorizations import Authorization
from falcon_balances.domain.blocks import Block, BlockStatus, LoggedMoney
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.refund_authorization import debits_of
from falcon_balances.domain.splitting import context_keys, split
from falcon_balances.domain.table_keys import AttemptKey, BlockKey, ItemKey, merchant_pk
from falcon_balances.observability import logger
from falcon_balances.settings import SystemsApiSettings
from lambdas.balance_api.authorizing import AuthorizationConflictError, request_authorization
from lambdas.balance_api.blocking import BlockConflictError, release, request_block
from lambdas.balance_api.documented import SYSTEMS_DOCS
from lambdas.balance_api.edge import Api
from lambdas.balance_api.merchant_routes import MerchantRoutes, Sources

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_ROOT: Final = "/v1/systems/merchants/<merchant_id>"
_NO_JSON: Final = {RejectionCode.SIZE, RejectionCode.JSON, RejectionCode.DUP_KEY}
api = Api()


def create_block(merchant_id: str) -> Response[str]:
    """Under the caller's `Idempotency-Key`: the same request again finds the same block."""
    caller = _caller(merchant_id)
    key = api.app.current_event.headers.get("idempotency-key", "")
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
    return api.answer(BlockV1.of(held), HTTPStatus.CREATED if held is block else HTTPStatus.OK)


def _release_refund(key: ItemKey, caller: str) -> None:
    """With one block of a refund end all of them, and what is set aside of its sale."""
    held = find_authorization(key, _store())
    if held is not None:
        end_authorization(held, BlockStatus.RELEASED, utc_now(), caller, _store())


def list_blocks(merchant_id: str) -> Response[str]:
    _caller(merchant_id)
    blocks = _store().blocks_of(merchant_id)
    if not blocks:
        _known(merchant_id)
    return api.answer(BlockListV1.of(blocks))


def show_block(merchant_id: str, block_id: str) -> Response[str]:
    _caller(merchant_id, block_id)
    return api.answer(BlockV1.of(_find(merchant_id, block_id)))


def release_block(merchant_id: str, block_id: str) -> Response[str]:
    caller = _caller(merchant_id, block_id)
    block = _find(merchant_id, block_id)
    if block.operation_id is not None and block.attempt is not None:
        _release_refund(AttemptKey(block.operation_id, block.attempt).item, caller)
        block = _find(merchant_id, block_id)
    block = release(block, caller, utc_now(), _store())
    return api.answer(BlockV1.of(block))


def authorize_refund(merchant_id: str) -> Response[str]:
    """The refund itself: split as it would be now, and all that it would take set aside."""
    caller, now = _caller(merchant_id), utc_now()
    asked = RefundAuthorizationRequestV1.validated(_body())
    refund = asked.to_operation(now)
    event = split(refund, _directory().histories(context_keys(refund)))
    if event.named_merchant_id != merchant_id:
        raise RejectedOperation(
            RejectionCode.UNKNOWN_MERCHANT, "local_merchant_id, shop_id: not this merchant's"
        )
    debits = debits_of(event.segments)
    merchants = _directory().merchants(sorted({each.merchant_id for each in debits}))
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
        _store(),
        _refund_claims(),
        lambda block: _logged(merchants.get(block.merchant_id), block),
    )
    status = HTTPStatus.CREATED if held.is_new and held.blocks else HTTPStatus.OK
    return api.answer(RefundAuthorizationV1.of(held.authorization, held.blocks), status)


def show_freshness() -> Response[str]:
    """How far the balances are, and what waits before them."""
    _caller()
    as_of, now = _store().as_of(), utc_now()
    return api.answer(freshness_document(as_of, _queues().look(now), now))


def _log_reader(merchant: Merchant, block: Block) -> Callable[[], LoggedMoney] | None:
    """Merchants of high risk are checked against the log as well."""
    if not merchant.is_high_risk:
        return None
    return lambda: logged_money(block, _store(), _log())


def _logged(merchant: Merchant | None, block: Block) -> LoggedMoney | None:
    read = None if merchant is None else _log_reader(merchant, block)
    return None if read is None else read()


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
    key = ItemKey(merchant_pk(merchant_id), BlockKey(block_id).sk)
    block = _store().blocks([key]).get(key)
    if block is None:
        raise NotFoundError
    return block


def _body() -> dict[str, object]:
    body = api.app.current_event.body or ""
    if api.app.current_event.is_base64_encoded:
        return decode_numbers(b64decode(body))
    return decode_numbers(body.encode("utf-8", "surrogatepass"))


def _caller(*ids: str) -> str:
    """Who asks, as the gateway proved it; kept with what is done. `ids` are what the path names:
    what has no id's form is not found, and never becomes a key.
    """
    authorizer = api.app.current_event.request_context.authorizer
    iam = (authorizer.raw_event.get("iam") if authorizer else None) or {}
    caller = iam.get("userArn")
    if not caller or not all(map(is_id, ids)):
        raise NotFoundError
    logger.info("asked", caller=caller, request_id=api.app.current_event.request_context.request_id)
    return str(caller)


def _insufficient(block: Block) -> Response[str]:
    document = BlockV1.of(block)
    return api.problem(
        Problem.INSUFFICIENT,
        field="amount",
        errors=[{"pointer": "/amount", "detail": "more than is available"}],
        detail=f"amount: more than the {document.available} {document.currency} that were "
        "available when this was first asked",
        available=document.available,
        currency=document.currency,
        block=document.model_dump(mode="json"),
    )


@api.app.exception_handler(RejectedOperation)  # type: ignore[untyped-decorator]
def invalid(rejected: RejectedOperation) -> Response[str]:
    kind = Problem.MALFORMED if rejected.code in _NO_JSON else Problem.INVALID
    fields = rejected.reason.partition(":")[0]
    return api.problem(
        kind,
        code=rejected.code,
        field=fields,
        detail=rejected.reason,
        errors=[_error(field, rejected.reason) for field in fields.split(", ")],
    )


@api.app.exception_handler(AuthorizationConflictError)  # type: ignore[untyped-decorator]
def authorization_conflict(error: AuthorizationConflictError) -> Response[str]:
    more: dict[str, Any] = {"field": error.field, "detail": str(error)}
    if error.held is not None:
        document = RefundAuthorizationV1.of(error.held.authorization, error.held.blocks)
        more["authorization"] = document.model_dump(mode="json")
    errors = [_error(error.field, error.detail)]
    return api.problem(Problem.CONFLICT, errors=errors, **more)


@api.app.exception_handler(BlockConflictError)  # type: ignore[untyped-decorator]
def conflict(error: BlockConflictError) -> Response[str]:
    more: dict[str, Any] = {"field": error.field, "detail": str(error)}
    if error.block is not None:
        more["block"] = BlockV1.of(error.block).model_dump(mode="json")
    errors = [_error(error.field, error.detail)]
    return api.problem(Problem.CONFLICT, errors=errors, **more)


def _error(field: str, detail: str) -> dict[str, str]:
    if field == "Idempotency-Key":
        return {"parameter": field, "in": "header", "detail": detail}
    # RFC 6901; the whole body where it is no object.
    pointer = "" if field == "message" else "/" + field.replace(".", "/")
    return {"pointer": pointer, "detail": detail}


def _sources(merchant_id: str) -> Sources:
    _caller(merchant_id)
    return sources(merchant_id)


def sources(merchant_id: str) -> Sources:
    settings, dynamodb = SystemsApiSettings.load(), client("dynamodb")
    return Sources(
        DynamoMerchantReads(dynamodb, settings.balances_table, settings.claims_table, merchant_id),
        _log(),
        settings.log_objects_max,
    )


routes = MerchantRoutes(api, _ROOT, _sources, utc_now, "systems")
api.add("GET", "/v1/systems/freshness", show_freshness, **SYSTEMS_DOCS["show_freshness"])
for _method, _path, _handler in (
    ("POST", "/blocks", create_block),
    ("GET", "/blocks", list_blocks),
    ("GET", "/blocks/<block_id>", show_block),
    ("POST", "/blocks/<block_id>/release", release_block),
    ("POST", "/refund-authorizations", authorize_refund),
):
    api.add(_method, f"{_ROOT}{_path}", _handler, **SYSTEMS_DOCS[_handler.__name__])


@cache
def _store() -> BalanceStore:
    return DynamoBalanceStore(client("dynamodb"), SystemsApiSettings.load().balances_table)


@cache
def _refund_claims() -> RefundClaims:
    settings = SystemsApiSettings.load()
    return DynamoRefundClaims(client("dynamodb"), settings.claims_table, settings.balances_table)


@cache
def _log() -> TransactionLog:
    return S3TransactionLog(client("s3"), SystemsApiSettings.load().log_bucket)


@cache
def _queues() -> SqsQueues:
    urls = SystemsApiSettings.load().queue_urls
    return SqsQueues(client("sqs"), client("cloudwatch"), urls)


@cache
def _directory() -> ContextReader:
    return CachedMerchantDirectory(
        DynamoMerchantDirectory(client("dynamodb"), SystemsApiSettings.load().context_table)
    )


def lambda_handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    return api.handle(event, context)
