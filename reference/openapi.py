"""OpenAPI 3.1 of both APIs: Powertools' document, and what Powertools cannot know."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import Any, Final
from unittest.mock import patch

from pydantic import BaseModel

from falcon_balances.contracts.formats import ID_PATTERN
from inprocess.gateway import request_of
from lambdas.balance_api import handler
from lambdas.systems_api import adapters
from lambdas.systems_api import handler as systems
from reference.world import MemoryApi, example_world, operation_id_of

TITLE: Final = "Falcon Balances"
VERSION: Final = "1.0.0"
DESCRIPTION: Final = (
    "What every merchant owns, where it came from, and what can be paid out. Amounts are strings "
    "with all decimals of their currency, times are RFC 3339 in UTC, problems are RFC 9457. An "
    "answer contains everything that had reached the stream by `as_of`, which never goes back."
)
MERCHANT: Final = "m-books"
SHOP: Final = "bs-m-books-eur"
_ROUTES: Final = {route.operation_id: route for route in handler.api.routes + systems.api.routes}
_BODY_EXAMPLES: Final = {
    "systems_create_block": {
        "balance_shop_id": SHOP,
        "amount": "10.00",
        "currency": "EUR",
        "reference": "case-17",
        "expires_in_seconds": 86400,
    },
    "systems_authorize_refund": {
        "psp_id": "demo-psp-ro",
        "external_reference": "return-1002",
        "local_merchant_id": "5553",
        "shop_id": "shop-5553",
        "amount": "5.00",
        "currency": "EUR",
    },
}
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string", "pattern": ID_PATTERN},
    "example": "case-17-block-1",
}
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
}
_SECURITY: Final = {
    "merchants": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The ID token of the user pool; its `custom:merchant_id` is the merchant.",
    },
    "systems": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": "AWS Signature Version 4 for the service `execute-api`.",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
}
_PATH_EXAMPLES: Final = {"merchant_id": MERCHANT, "balance_shop_id": SHOP, "month": "2026-11"}
_QUERY_EXAMPLES: Final = {"turnover": "month=2026-11", "operations": "limit=2"}


def document() -> dict[str, Any]:
    """Both functions' routes in one document, the same at every call."""
    merged = _generated(handler.api.app)
    other = _generated(systems.api.app)
    merged["paths"] |= other["paths"]
    merged["components"]["schemas"] |= other["components"]["schemas"]
    merged["components"]["securitySchemes"] = dict(_SECURITY)
    schemas = merged["components"]["schemas"]
    world = example_world()
    for path, method, operation in operations(merged):
        name = operation["operationId"]
        operation["security"] = [{operation["tags"][0]: []}]
        _mend_parameters(operation)
        if name.endswith(("_balances", "_balance")):
            operation["parameters"].append(dict(_IF_NONE_MATCH))
        if (body := _ROUTES[name].body) is not None:
            _add_body(body, name, operation, schemas)
        if name == "systems_create_block":
            operation["parameters"].append(dict(_IDEMPOTENCY_KEY))
        _mend_answers(operation)
        _add_example(world, path, method, operation)
    merged["components"]["schemas"] = _referenced(merged, schemas)
    merged["paths"] = dict(sorted(merged["paths"].items()))
    return merged


def operations(said: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in said["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _generated(app: Any) -> dict[str, Any]:  # noqa: ANN401 - Powertools' resolver
    text = app.get_openapi_json_schema(
        title=TITLE, version=VERSION, description=DESCRIPTION, openapi_version="3.1.0"
    )
    generated: dict[str, Any] = json.loads(text)
    return generated


def _mend_parameters(operation: dict[str, Any]) -> None:
    """Takes formats from the query model: Powertools loses those of optional parameters."""
    model = _ROUTES[operation["operationId"]].query
    properties = {} if model is None else model.model_json_schema(by_alias=True)["properties"]
    definitions = {} if model is None else model.model_json_schema().get("$defs", {})
    for parameter in operation.get("parameters", []):
        parameter.pop("deprecated", None)
        if parameter["in"] == "query":
            parameter["schema"] = _plain_schema(properties[parameter["name"]], definitions)
        elif parameter["name"] in {"merchant_id", "balance_shop_id"}:
            parameter["schema"] = {"type": "string", "pattern": ID_PATTERN}
        else:
            parameter["schema"] = {"type": "string"}
        if parameter["name"] in _PATH_EXAMPLES:
            parameter["example"] = _PATH_EXAMPLES[parameter["name"]]


def _plain_schema(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """A query parameter's schema without null, as it is left out instead, and without `$ref`."""
    choices = [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]
    plain = dict(choices[0])
    if "$ref" in plain:
        plain = dict(definitions[plain["$ref"].rpartition("/")[2]])
    for name in ("title", "description"):
        plain.pop(name, None)
    if schema.get("default") is not None:
        plain["default"] = schema["default"]
    return plain


def _add_body(
    model: type[BaseModel], name: str, operation: dict[str, Any], schemas: dict[str, Any]
) -> None:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas[model.__name__] = schema
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": reference, "example": _BODY_EXAMPLES[name]}}
    operation["requestBody"] = {"required": True, "content": content}


def _mend_answers(operation: dict[str, Any]) -> None:
    """Adds the answers that the gateway itself gives, in its own format."""
    answers = operation["responses"]
    if operation["tags"] == ["merchants"]:
        answers["401"] = {"description": "No valid token; in the gateway's own format"}
    else:
        answers["403"] = {"description": "Not permitted by IAM; in the gateway's own format"}
    answers["429"] = {"description": "Throttled by the gateway; in its own format"}
    answers.get("304", {}).pop("content", None)
    if "HTTPValidationError" in json.dumps(answers.get("422", {})):
        del answers["422"]  # Powertools adds it; our routes never answer it
    operation["responses"] = dict(sorted(answers.items()))


def _referenced(said: Mapping[str, Any], schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas that the document refers to, by name."""
    kept: dict[str, Any] = {}
    pending = _names_in(said["paths"])
    while pending:
        name = pending.pop()
        if name not in kept:
            kept[name] = schemas[name]
            pending |= _names_in(schemas[name])
    return dict(sorted(kept.items()))


def _names_in(said: object) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([A-Za-z0-9_]+)"', json.dumps(said)))


def _add_example(world: MemoryApi, path: str, method: str, operation: dict[str, Any]) -> None:
    """Adds an example: the code's own answer to the request in the small world."""
    name = operation["operationId"]
    ids = _PATH_EXAMPLES | {
        "falcon_operation_id": operation_id_of(world, "order-1001"),
        "block_id": next(iter(world.store.blocks_of(MERCHANT))).block_id,
    }
    if name.startswith("systems_release") or name == "systems_show_freshness":
        return  # needs another purpose's block, or queues, which this world does not have
    query = _QUERY_EXAMPLES.get(name.partition("_")[2], "")
    body = json.dumps(_BODY_EXAMPLES[name]) if name in _BODY_EXAMPLES else None
    request = request_of(
        method.upper(), path.format(**ids), query, body, idempotency_key="case-17-block-1"
    )
    with served_by(world):
        answer = world.ask(request, MERCHANT)
    status = str(answer["statusCode"])
    if status not in {str(int(HTTPStatus.OK)), str(int(HTTPStatus.CREATED))}:
        raise ValueError(f"{name}: the example is answered {status}: {answer['body']}")
    operation["responses"][status]["content"]["application/json"]["example"] = json.loads(
        answer["body"]
    )


@contextmanager
def served_by(world: MemoryApi) -> Iterator[None]:
    """Both APIs answer from this world while it lasts."""
    with ExitStack() as patches:
        for api in (handler, systems):
            patches.enter_context(patch.object(api, "sources", world.sources))
            patches.enter_context(patch.object(api.routes, "now", lambda: world.now))
        patches.enter_context(
            patch.multiple(
                adapters,
                store=lambda: world.store,
                refund_claims=lambda: world.refunds,
                log=lambda: world.log,
                directory=lambda: world.directory,
            )
        )
        yield
