"""`/blocks`: sets money aside, shows blocks, and releases them."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from falcon_balances.adapters.authorizing import end_authorization, find_authorization
from falcon_balances.contracts.blocks import BlockListV1, BlockRequestV1, BlockV1, is_id
from falcon_balances.contracts.formats import ID_PATTERN, WORDS
from falcon_balances.contracts.problems import Problem
from falcon_balances.domain.blocks import Block, BlockStatus
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.table_keys import AttemptKey, BlockKey, ItemKey, merchant_pk
from lambdas.api_routes.context import RouteContext
from lambdas.api_routes.documented import answered, created
from lambdas.systems_api import adapters
from lambdas.systems_api.blocking import BlockConflictError, release, request_block
from lambdas.systems_api.callers import body_of, caller_of
from lambdas.systems_api.high_risk import log_reader
from lambdas.systems_api.problems import field_error


class BlockRoutes:
    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._api = context.api
        context.add(
            "POST",
            "/blocks",
            self.create_block,
            body=BlockRequestV1,
            summary="Set money aside",
            description="A request is decided once per `Idempotency-Key`: the same request gets "
            "the same answer.",
            **created(BlockV1),
        )
        context.add(
            "GET",
            "/blocks",
            self.list_blocks,
            summary="A merchant's blocks",
            responses=answered(BlockListV1),
        )
        context.add(
            "GET",
            "/blocks/<block_id>",
            self.show_block,
            summary="One block",
            responses=answered(BlockV1),
        )
        context.add(
            "POST",
            "/blocks/<block_id>/release",
            self.release_block,
            summary="Release a block",
            responses=answered(BlockV1, 409),
        )
        self._answer_conflicts()

    def create_block(self, merchant_id: str) -> Response[str]:
        """Creates a block under the caller's `Idempotency-Key`: the same request finds the same
        block.
        """
        caller = caller_of(self._api, merchant_id)
        key = self._api.app.current_event.headers.get("idempotency-key", "")
        if not is_id(key):
            raise RejectedOperation(
                RejectionCode.ID, f"Idempotency-Key: must be {WORDS[ID_PATTERN]}"
            )
        asked = BlockRequestV1.validated(body_of(self._api))
        merchant = _with_balance(merchant_id, asked.balance_shop_id, asked.currency)
        block = asked.to_block(merchant_id, key, caller, self._context.now())
        held = request_block(block, adapters.store(), log_reader(merchant, block))
        if held.status is BlockStatus.REFUSED:
            return self._insufficient(held)
        status = HTTPStatus.CREATED if held is block else HTTPStatus.OK
        return self._api.answer(BlockV1.of(held), status)

    def list_blocks(self, merchant_id: str) -> Response[str]:
        caller_of(self._api, merchant_id)
        blocks = adapters.store().blocks_of(merchant_id)
        if not blocks:
            _known(merchant_id)
        return self._api.answer(BlockListV1.of(blocks))

    def show_block(self, merchant_id: str, block_id: str) -> Response[str]:
        caller_of(self._api, merchant_id, block_id)
        return self._api.answer(BlockV1.of(_find(merchant_id, block_id)))

    def release_block(self, merchant_id: str, block_id: str) -> Response[str]:
        caller = caller_of(self._api, merchant_id, block_id)
        block = _find(merchant_id, block_id)
        if block.operation_id is not None and block.attempt is not None:
            self._release_refund(AttemptKey(block.operation_id, block.attempt).item, caller)
            block = _find(merchant_id, block_id)
        block = release(block, caller, self._context.now(), adapters.store())
        return self._api.answer(BlockV1.of(block))

    def _release_refund(self, key: ItemKey, caller: str) -> None:
        """Releases all blocks of the refund, and the amount that is set aside at its sale."""
        store = adapters.store()
        held = find_authorization(key, store)
        if held is not None:
            end_authorization(held, BlockStatus.RELEASED, self._context.now(), caller, store)

    def _insufficient(self, block: Block) -> Response[str]:
        document = BlockV1.of(block)
        return self._api.problem(
            Problem.INSUFFICIENT,
            field="amount",
            errors=[{"pointer": "/amount", "detail": "exceeds what is available"}],
            detail=f"amount: more than the {document.available} {document.currency} that were "
            "available at the first request with this key",
            available=document.available,
            currency=document.currency,
            block=document.model_dump(mode="json"),
        )

    def _answer_conflicts(self) -> None:
        @self._api.app.exception_handler(BlockConflictError)  # type: ignore[untyped-decorator]
        def conflict(error: BlockConflictError) -> Response[str]:
            more: dict[str, Any] = {"field": error.field, "detail": str(error)}
            if error.block is not None:
                more["block"] = BlockV1.of(error.block).model_dump(mode="json")
            errors = [field_error(error.field, error.detail)]
            return self._api.problem(Problem.CONFLICT, errors=errors, **more)


def _known(merchant_id: str) -> Merchant:
    merchant = adapters.directory().merchants([merchant_id]).get(merchant_id)
    if merchant is None:
        raise NotFoundError
    return merchant


def _with_balance(merchant_id: str, balance_shop_id: str, currency: str) -> Merchant:
    merchant = _known(merchant_id)
    if not merchant.has(balance_shop_id, currency):
        raise RejectedOperation(
            RejectionCode.NO_BALANCE_SHOP,
            "balance_shop_id, currency: the merchant has no balance of this shop in this currency",
        )
    return merchant


def _find(merchant_id: str, block_id: str) -> Block:
    key = ItemKey(merchant_pk(merchant_id), BlockKey(block_id).sk)
    block = adapters.store().blocks([key]).get(key)
    if block is None:
        raise NotFoundError
    return block
