"""OpenAPI texts of a route: summary, description, answers and problems."""

from typing import Any, Final

from falcon_balances.contracts.problems import ProblemV1

_PROBLEM: Final = {"application/problem+json": {"model": ProblemV1}}
ETAG: Final = {"ETag": {"description": "To send as `If-None-Match`.", "schema": {"type": "string"}}}
LINK: Final = {
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


def documented(
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


def answered(model: Any, *statuses: int) -> dict[int, dict[str, Any]]:  # noqa: ANN401 - a model
    content = {"application/json": {"model": model}}
    answers: dict[int, dict[str, Any]] = {200: {"description": "The document", "content": content}}
    return answers | problem_answers(404, 405, 503, *statuses)


def created(model: Any) -> dict[str, Any]:  # noqa: ANN401 - a model
    answers = answered(model, 400, 409, 422)
    return {
        "responses": {
            201: {**answers[200], "description": "The money was set aside now"},
            **answers,
        }
    }
