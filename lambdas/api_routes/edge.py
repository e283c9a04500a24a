"""HTTP behaviour that both APIs share: methods, query names, problem documents, HEAD, OPTIONS."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError
from pydantic import BaseModel

from falcon_balances.adapters.past_reads import TooManyBalancesError
from falcon_balances.adapters.ports import LogTooLargeError
from falcon_balances.contracts.cursors import InvalidCursorError
from falcon_balances.contracts.formats import expected
from falcon_balances.contracts.problems import Problem
from falcon_balances.domain.errors import IntegrityError, TransientError
from falcon_balances.domain.history import NotClosedError, NothingCountedError
from falcon_balances.domain.instants import rfc3339
from falcon_balances.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

PATH_CHARACTERS_MAX: Final = 1_024
QUERY_CHARACTERS_MAX: Final = 7_000  # the gateway takes 10,240 with the headers
_PARAMETER = re.compile(r"<\w+>")
Handler = Callable[..., Response[str]]


class InvalidParameterError(Exception):
    """A query parameter whose value is refused although its format is right."""

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Route:
    """A route. `query` and `body` are the models of its parameters and body, `operation_id` its
    name in OpenAPI.
    """

    method: str
    rule: str
    path: re.Pattern[str]
    operation_id: str
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None

    @property
    def parameters(self) -> frozenset[str]:
        """The names of its query parameters."""
        fields = {} if self.query is None else self.query.model_fields
        return frozenset(field.alias or name for name, field in fields.items())


class Api:
    """One resolver with its routes. Browsers' preflights bear no token, so only the gateway can
    answer them; they do not arrive here.
    """

    def __init__(self) -> None:
        self.app = APIGatewayHttpResolver(enable_validation=True)
        self.routes: list[Route] = []
        self._request_id = ""
        self._answer_refusals()
        self._answer_missing_data()

    def add(
        self,
        method: str,
        rule: str,
        handler: Handler,
        *,
        operation_id: str,
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        **docs: Any,  # noqa: ANN401 - handed on to Powertools
    ) -> None:
        """Registers a route. A handler without a query model reads its request itself;
        Powertools does not validate it.

        `body` is the model that such a handler reads, for OpenAPI.
        """
        path = re.compile(_PARAMETER.sub("[^/]+", rule))
        self.routes.append(Route(method, rule, path, operation_id, query, body))
        docs.setdefault("enable_validation", query is not None)
        self.app.route(rule, method, operation_id=operation_id, **docs)(handler)

    def handle(self, event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
        self._request_id = event["requestContext"].get("requestId", "")
        http = event["requestContext"]["http"]
        method = http["method"].upper()
        answer = self._refused_at_sight(method, event)
        if answer is None:
            if method == "HEAD":
                http["method"] = "GET"
            answer = self.app.resolve(event, context)
        answer["headers"]["X-Request-Id"] = self._request_id
        return answer | {"body": ""} if method == "HEAD" else answer

    def _refused_at_sight(self, method: str, event: Mapping[str, Any]) -> dict[str, Any] | None:
        """Refusals that do not depend on the caller."""
        path, query = event["rawPath"], event.get("rawQueryString", "")
        if len(path) > PATH_CHARACTERS_MAX or len(query) > QUERY_CHARACTERS_MAX:
            return _plain(self.problem(Problem.TOO_LARGE))
        if not path.isprintable():
            return _plain(self.problem(Problem.NOT_FOUND))
        routes = [route for route in self.routes if route.path.fullmatch(path)]
        if not routes:
            return None
        allowed = {route.method for route in routes}
        allowed |= {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())
        allow = {"Allow": ", ".join(sorted(allowed))}
        if method == "OPTIONS":
            return {"statusCode": int(HTTPStatus.NO_CONTENT), "headers": allow, "body": ""}
        if method not in allowed:
            return _plain(self.problem(Problem.METHOD, headers=allow))
        return self._refused_query(routes, "GET" if method == "HEAD" else method, query)

    def _refused_query(self, routes: list[Route], method: str, query: str) -> dict[str, Any] | None:
        known = next(route.parameters for route in routes if route.method == method)
        seen: set[str] = set()
        for name, value in parse_qsl(query, keep_blank_values=True):
            detail = None
            if name not in known:
                detail = "unknown parameter"
            elif name in seen:
                detail = "must be given only once"
            elif not value or "," in value:  # the gateway reads a comma as several values
                detail = "must not be empty or contain a comma"
            seen.add(name)
            if detail is not None:
                return _plain(self._invalid([_parameter(name, detail)]))
        return None

    def answer(
        self,
        document: BaseModel,
        status: HTTPStatus = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> Response[str]:
        return _response(
            status, "application/json", document.model_dump_json(by_alias=True), headers
        )

    def text(
        self, content_type: str, body: str, headers: Mapping[str, str] | None = None
    ) -> Response[str]:
        return _response(HTTPStatus.OK, content_type, body, headers)

    def not_modified(self, headers: Mapping[str, str]) -> Response[str]:
        return _response(HTTPStatus.NOT_MODIFIED, "application/json", "", headers)

    def problem(
        self,
        problem: Problem,
        *,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> Response[str]:
        document = {
            "type": problem.urn,
            "title": problem.title,
            "status": int(problem.status),
            "request_id": self._request_id,
            **more,
        }
        body = json.dumps(document)
        return _response(problem.status, "application/problem+json", body, headers)

    def _invalid(self, errors: list[dict[str, str]]) -> Response[str]:
        return self.problem(Problem.INVALID, detail=_summary(errors), errors=errors)

    def _answer_refusals(self) -> None:
        """Unknown things answer 404, invalid requests 422."""

        @self.app.not_found
        def not_found(_error: NotFoundError) -> Response[str]:
            return self.problem(Problem.NOT_FOUND)

        @self.app.exception_handler(NothingCountedError)  # type: ignore[untyped-decorator]
        def nothing_counted(_error: NothingCountedError) -> Response[str]:
            return self.problem(Problem.NOT_FOUND)

        @self.app.exception_handler(RequestValidationError)  # type: ignore[untyped-decorator]
        def not_valid(error: RequestValidationError) -> Response[str]:
            return self._invalid([_of_pydantic(each) for each in error.errors()])

        @self.app.exception_handler(InvalidParameterError)  # type: ignore[untyped-decorator]
        def invalid(error: InvalidParameterError) -> Response[str]:
            return self._invalid([_parameter(error.parameter, error.detail)])

        @self.app.exception_handler(TooManyBalancesError)  # type: ignore[untyped-decorator]
        def too_many_balances(error: TooManyBalancesError) -> Response[str]:
            detail = f"required: the merchant has more than {error.balances_max} balances"
            return self._invalid([_parameter("balance_shop_id", detail)])

        @self.app.exception_handler(InvalidCursorError)  # type: ignore[untyped-decorator]
        def invalid_cursor(error: InvalidCursorError) -> Response[str]:
            return self._invalid([_parameter("cursor", str(error))])

    def _answer_missing_data(self) -> None:
        """Periods not closed answer 404, unreadable data 503; no zeros, no stack traces."""

        @self.app.exception_handler(NotClosedError)  # type: ignore[untyped-decorator]
        def not_closed(error: NotClosedError) -> Response[str]:
            until = None if error.closed_until is None else rfc3339(error.closed_until)
            closed = "no quarter of an hour is closed yet"
            if until is not None:
                closed = f"quarters of an hour are closed until {until}"
            detail = f"The requested period is not complete yet: {closed}."
            return self.problem(Problem.NOT_CLOSED, detail=detail, closed_until=until)

        @self.app.exception_handler(LogTooLargeError)  # type: ignore[untyped-decorator]
        def log_too_large(error: LogTooLargeError) -> Response[str]:
            command = f"falcon audit replay --merchant {error.merchant_id}"
            return self.problem(
                Problem.LOG_TOO_LARGE,
                detail=f"The log has more than {error.objects_max} objects: use `{command}`.",
                objects_max=error.objects_max,
                command=command,
            )

        @self.app.exception_handler([TransientError, IntegrityError])  # type: ignore[untyped-decorator]
        def unavailable(error: TransientError | IntegrityError) -> Response[str]:
            logger.error("the data cannot be read", error=str(error))
            return self.problem(Problem.UNAVAILABLE, headers={"Retry-After": "1"})


def _response(
    status: HTTPStatus, content_type: str, body: str, headers: Mapping[str, str] | None
) -> Response[str]:
    return Response(
        status_code=int(status),
        content_type=content_type,
        body=body,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _plain(response: Response[str]) -> dict[str, Any]:
    """The answer in the gateway's format, for refusals before routing."""
    headers = {name: str(value) for name, value in response.headers.items()}
    return {"statusCode": response.status_code, "headers": headers, "body": response.body}


def _parameter(name: str, detail: str) -> dict[str, str]:
    """The error of a parameter. A name that could hold markup or control characters is not
    repeated.
    """
    said = name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,40}", name) else "(unknown name)"
    return {"parameter": said, "in": "query", "detail": detail}


def _of_pydantic(error: Mapping[str, Any]) -> dict[str, str]:
    names = [str(part) for part in error["loc"] if part not in {"query", "path"}]
    return _parameter(names[0] if names else "", expected(error))


def _summary(errors: list[dict[str, str]]) -> str:
    return "; ".join(f"{each['parameter']}: {each['detail']}" for each in errors)
