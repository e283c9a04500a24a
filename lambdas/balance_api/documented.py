"""OpenAPI texts of each route: summary, description, answers and problems."""

from typing import Any, Final

from falcon_balances.contracts.authorizations import RefundAuthorizationV1
from falcon_balances.contracts.balance_document import BalanceDocumentV1
from falcon_balances.contracts.blocks import BlockListV1, BlockV1
from falcon_balances.contracts.finding_documents import FindingsV1
from falcon_balances.contracts.freshness_document import FreshnessV1
from falcon_balances.contracts.operation_documents import (
    OperationPageV1,
    OperationStoryV1,
    UnreconciledV1,
)
from falcon_balances.contracts.past_documents import (
    BalancesAtV1,
    HistoryV1,
    StatementV1,
    TurnoverV1,
)
from falcon_balances.contracts.problems import ProblemV1

_PROBLEM: Final = {"application/problem+json": {"model": ProblemV1}}
_ETAG: Final = {
    "ETag": {"description": "To send as `If-None-Match`.", "schema": {"type": "string"}}
}
_LINK: Final = {
    "Link": {
        "description": 'The next page as `rel="next"`; absent on the last page.',
        "schema": {"type": "string"},
    }
}


def problem_answers(*statuses: int) -> dict[int, dict[str, Any]]:
    said = {
        400: "Malformed: the body must be one JSON object in UTF-8",
        404: "Not found: unknown, not yours, or not closed yet",
        405: "Method not allowed here",
        409: "Conflicts with the current state",
        413: "Path or query too long",
        422: "Invalid: `errors` names the parameters or fields",
        503: "The data cannot be read now: try again",
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
    "A merchant's balances, now or at a point in time",
    "Every balance of the merchant. With `at`, as it was then; with `source=log`, added up "
    "from the transaction log instead of the table.",
    BalanceDocumentV1 | BalancesAtV1,
    _ETAG,
)
_BALANCES["responses"][304] = {
    "description": "Not changed since the ETag that you sent",
    "headers": _ETAG,
}

DOCS: Final[dict[str, dict[str, Any]]] = {
    "balances": _BALANCES,
    "balance": _BALANCES | {"summary": "One balance, now or at a point in time"},
    "history": _docs(
        "A balance's history by quarter of an hour",
        "Opening and closing figures of every quarter in which something was counted, and daily "
        "sums by type and operation date.",
        HistoryV1,
    ),
    "operations": _docs(
        "Operations in the order in which they were counted",
        "Pages neither skip nor repeat an operation that existed when paging began. `as_of` is the "
        "time of the index that is read, shortly behind that of the balances.",
        OperationPageV1,
        _LINK,
    ),
    "operation": _docs(
        "Everything known about one operation",
        "Its stages with lines, log keys and the time of counting; the money set aside for it; "
        "corrections; the return of a payout.",
        OperationStoryV1,
    ),
    "turnover": _docs(
        "A month's turnover by type and currency",
        "By operation date in UTC days, or in any time zone with `source=log`. Names what was "
        "counted after the month had ended.",
        TurnoverV1,
    ),
    "statement": _docs(
        "A month's statement",
        "What was counted in the month: opening balance, lines with running balance, closing "
        "balance. It never changes, and its closing balance is the next month's opening balance. "
        "JSON, or CSV with `format=csv`.",
        StatementV1,
        _LINK,
    ),
    "findings": _docs(
        "Operations that do not fit together",
        "Refunds above their sale, in another currency than it or of an unknown sale, stages that "
        "contradict each other, and similar. These operations were counted; a person should check "
        "them. An entry disappears when its operations fit together again.",
        FindingsV1,
        _LINK,
    ),
    "unreconciled": _docs(
        "Operations that are not reconciled",
        "Operations that are confirmed but not reconciled, reconciled but not confirmed, or whose "
        "two stages differ; with their age, and sums by PSP.",
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
    return {
        "responses": {
            201: {**answers[200], "description": "The money was set aside now"},
            **answers,
        }
    }


SYSTEMS_DOCS: Final[dict[str, dict[str, Any]]] = {
    "show_freshness": {
        "summary": "How up to date the balances are, and what is still queued",
        "responses": _answers(FreshnessV1),
    },
    "create_block": {
        "summary": "Set money aside",
        "description": "Decided once per `Idempotency-Key`: the same request gets the same answer.",
        **_created(BlockV1),
    },
    "list_blocks": {"summary": "A merchant's blocks", "responses": _answers(BlockListV1)},
    "show_block": {"summary": "One block", "responses": _answers(BlockV1)},
    "release_block": {
        "summary": "Release a block",
        "responses": _answers(BlockV1, 409),
    },
    "authorize_refund": {
        "summary": "Authorize a refund",
        "description": "The body describes the refund, which is split as it would be now. If it is "
        "authorized, a block is made for each balance that it will lower; if it is refused, the "
        "answer says what was available, or what is left of its sale. Decided once per `attempt`.",
        **_created(RefundAuthorizationV1),
    },
}
for _name, _said in SYSTEMS_DOCS.items():
    _said |= {"tags": ["systems"], "operation_id": f"systems_{_name}"}
