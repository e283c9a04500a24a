"""What OpenAPI says of each read: summaries, answers, and the problems that may come instead."""

from typing import Any, Final

from falcon_balances.contracts.authorizations import RefundAuthorizationV1
from falcon_balances.contracts.balance_document import BalanceDocumentV1
from falcon_balances.contracts.blocks import BlockListV1, BlockV1
from falcon_balances.contracts.finding_documents import FindingsV1
from falcon_balances.contracts.freshness_document import FreshnessV1
from falcon_balances.contracts.history_documents import HistoryV1
from falcon_balances.contracts.merchant_statement_documents import MerchantStatementV1
from falcon_balances.contracts.operation_documents import (
    OperationPageV1,
    OperationStoryV1,
    UnreconciledV1,
)
from falcon_balances.contracts.past_balance_documents import BalancesAtV1
from falcon_balances.contracts.problems import ProblemV1
from falcon_balances.contracts.turnover_documents import TurnoverV1

_PROBLEM: Final = {"application/problem+json": {"model": ProblemV1}}
_ETAG: Final = {"ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}}}
_LINK: Final = {
    "Link": {"description": '`rel="next"`, if there is more.', "schema": {"type": "string"}}
}


def problem_answers(*statuses: int) -> dict[int, dict[str, Any]]:
    said = {
        400: "Malformed: no JSON, or not UTF-8",
        404: "Unknown, another's, or not closed yet",
        405: "A method that this address does not know",
        409: "What holds now does not allow it",
        413: "Too large",
        422: "Invalid: `errors` name the parameters or fields",
        503: "The data cannot be had now",
    }
    return {status: {"description": said[status], "content": _PROBLEM} for status in statuses}


def _docs(
    summary: str,
    description: str,
    model: Any,  # noqa: ANN401 - a model, or a union of models
    headers: dict[str, Any] | None = None,
) -> dict[str, Any]:
    ok: dict[str, Any] = {
        "description": "The document",
        "content": {"application/json": {"model": model}},
    }
    if headers:
        ok["headers"] = headers
    return {
        "summary": summary,
        "description": description,
        "responses": {200: ok, **problem_answers(404, 405, 413, 422, 503)},
    }


_BALANCES: Final = _docs(
    "The balances, now or as they were",
    "All money of the merchant. With `at`, as it was; with `source=log`, added up from the "
    "transaction log instead of the table.",
    BalanceDocumentV1 | BalancesAtV1,
    _ETAG,
)
_BALANCES["responses"][304] = {"description": "What you know is still so", "headers": _ETAG}

DOCS: Final[dict[str, dict[str, Any]]] = {
    "balances": _BALANCES,
    "balance": _BALANCES | {"summary": "One balance, now or as it was"},
    "history": _docs(
        "A balance's history in quarters of an hour",
        "Opening and closing of every quarter in which something was counted, and daily sums by "
        "type, which are of operation dates.",
        HistoryV1,
    ),
    "operations": _docs(
        "Operations in the order they were counted",
        "Paging neither skips nor repeats what was there when it began. `as_of` is that of the "
        "index that is read, a little behind the one of the balances.",
        OperationPageV1,
        _LINK,
    ),
    "operation": _docs(
        "One operation's whole story",
        "Its stages with their lines and log keys, when they were counted, the money set aside "
        "for it, corrections, and the return of a payout.",
        OperationStoryV1,
    ),
    "turnover": _docs(
        "A month's turnover by type and currency",
        "By operation date, in UTC days; in any time zone with `source=log`. Says what it learned "
        "of after the month had ended.",
        TurnoverV1,
    ),
    "statement": _docs(
        "A month's statement",
        "What was counted in the month: opening, lines with running balance, closing. It never "
        "changes, and closing is the next month's opening. As JSON, or as CSV with `format=csv`.",
        MerchantStatementV1,
        _LINK,
    ),
    "findings": _docs(
        "What does not fit",
        "Refunds above their sale, in another currency or of an unknown sale, stages that "
        "contradict each other, and the like: facts that were counted, and that a person should "
        "look at. What fits again is not listed any more.",
        FindingsV1,
        _LINK,
    ),
    "unreconciled": _docs(
        "What awaits reconciliation",
        "Confirmed without reconciled, reconciled without confirmed, and pairs that differ; with "
        "age, and sums by PSP.",
        UnreconciledV1,
        _LINK,
    ),
}
DOCS["statement"]["responses"][200]["content"]["text/csv"] = {"schema": {"type": "string"}}


def _answers(model: Any, *statuses: int) -> dict[int, dict[str, Any]]:  # noqa: ANN401 - a model
    content = {"application/json": {"model": model}}
    answers: dict[int, dict[str, Any]] = {200: {"description": "The document", "content": content}}
    return answers | problem_answers(404, 405, 503, *statuses)


def _created(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a model
    answers = _answers(model, 400, 409, 422)
    return {"responses": {201: {**answers[200], "description": "Set aside now"}, **answers}}


SYSTEMS_DOCS: Final[dict[str, dict[str, Any]]] = {
    "show_freshness": {
        "summary": "How far the balances are, and what waits before them",
        "responses": _answers(FreshnessV1),
    },
    "create_block": {
        "summary": "Set money aside",
        "description": "Decided once under the `Idempotency-Key`: asked again, the same answer.",
        **_created(BlockV1),
    },
    "list_blocks": {"summary": "A merchant's blocks", "responses": _answers(BlockListV1)},
    "show_block": {"summary": "One block", "responses": _answers(BlockV1)},
    "release_block": {
        "summary": "Give back what was set aside",
        "responses": _answers(BlockV1, 409),
    },
    "authorize_refund": {
        "summary": "May this refund be made?",
        "description": "The refund itself, split as it would be now: yes with a block for each "
        "balance that it will lower, or no with what was available, or left of its sale. Decided "
        "once for each `attempt`.",
        **_created(RefundAuthorizationV1),
    },
}
for _name, _said in SYSTEMS_DOCS.items():
    _said |= {"tags": ["systems"], "operation_id": f"systems_{_name}"}
