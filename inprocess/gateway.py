"""Requests as the HTTP API hands them to a function (payload format 2.0)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl


def request_of(
    method: str, path: str, query: str = "", body: str | None = None, /, **headers: str
) -> dict[str, Any]:
    """A request, not authorized yet. Like AWS, it joins the values of a repeated name by commas.

    Only by position: a header may be called `path`, too.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        given[name] = f"{given[name]},{value}" if name in given else value
    return {
        "version": "2.0",
        "routeKey": "ANY /v1/{proxy+}",
        "rawPath": path,
        "rawQueryString": query,
        "queryStringParameters": given,
        "headers": {name.replace("_", "-").lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "123456789012",
            "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": False,
    }


def authorized(request: Mapping[str, Any], authorizer: Mapping[str, Any]) -> dict[str, Any]:
    """The request with its authorizer's result: `jwt` for a merchant, `iam` for a system."""
    context = {**request["requestContext"], "authorizer": authorizer}
    return {**request, "requestContext": context}
