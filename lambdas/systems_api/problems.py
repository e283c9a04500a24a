"""Problem documents of the systems API: which field, and why."""

from typing import Final

from aws_lambda_powertools.event_handler import Response

from falcon_balances.adapters.checked_marks import NotCheckedNowError
from falcon_balances.contracts.problems import Problem
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.observability import logger
from lambdas.api_routes.edge import Api

_RETRY_AFTER_S: Final = "60"
_NO_JSON: Final = {RejectionCode.SIZE, RejectionCode.JSON, RejectionCode.DUP_KEY}


def answer_rejections(api: Api) -> None:
    """400 if the body is too large or not valid JSON, or has a key twice; otherwise 422."""

    @api.app.exception_handler(RejectedOperation)  # type: ignore[untyped-decorator]
    def invalid(rejected: RejectedOperation) -> Response[str]:
        kind = Problem.MALFORMED if rejected.code in _NO_JSON else Problem.INVALID
        fields = rejected.reason.partition(":")[0]
        return api.problem(
            kind,
            code=rejected.code,
            field=fields,
            detail=rejected.reason,
            errors=[field_error(field, rejected.reason) for field in fields.split(", ")],
        )


def answer_unchecked(api: Api) -> None:
    """503, with what to do, if a merchant of high risk cannot be checked against the log now."""

    @api.app.exception_handler(NotCheckedNowError)  # type: ignore[untyped-decorator]
    def not_checked(error: NotCheckedNowError) -> Response[str]:
        logger.warning("not checked against the log", why=str(error))
        return api.problem(
            Problem.UNAVAILABLE,
            headers={"Retry-After": _RETRY_AFTER_S},
            detail="The merchant is checked against its log, which takes too long now. Nothing was "
            "decided: repeat the request; after the day is closed it takes less.",
        )


def field_error(field: str, detail: str) -> dict[str, str]:
    if field == "Idempotency-Key":
        return {"parameter": field, "in": "header", "detail": detail}
    # RFC 6901; the whole body if it is not an object.
    pointer = "" if field == "message" else "/" + field.replace(".", "/")
    return {"pointer": pointer, "detail": detail}
