"""Calls the API with a merchant's token, or signed by the IAM identity that runs the command."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from falcon_balances.adapters.sessions import signed
from falcon_balances.cli.errors import AwsError, CliError, InvalidInputError
from falcon_balances.cli.target import LOCAL, Target

_TIMEOUT_S = 29  # the gateway's own limit


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: dict[str, Any]

    @property
    def is_ok(self) -> bool:
        return self.status < 300  # noqa: PLR2004 - HTTP's own bound

    def refusal(self) -> CliError:
        """The error that ends a command, made from the problem document."""
        said = self.document.get("detail") or self.document.get("title") or self.document
        if self.status in (400, 404, 409, 422):
            return InvalidInputError(f"{said}")
        return AwsError(f"the API answered {self.status}: {said}")


def call(
    target: Target,
    method: str,
    path: str,
    *,
    body: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
) -> Answer:
    """The API's answer. `path` is relative to `/v1/`, with its parts already quoted. Raises
    AwsError if no answer arrives.
    """
    url = f"{target.api_url}/v1/{path}"
    data = None if body is None else json.dumps(body).encode()
    sent = dict(headers or {})
    if data is not None:
        sent["Content-Type"] = "application/json"
    if token is None:
        sent = _signed(target, method, url, data, sent)
    else:
        sent["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(  # noqa: S310 - our own API's address
        url, data=data, headers=sent, method=method
    )
    try:
        with _opener(target).open(request, timeout=_TIMEOUT_S) as answer:
            return Answer(answer.status, json.load(answer))
    except urllib.error.HTTPError as error:
        return Answer(error.code, _problem(error))
    except (OSError, ValueError) as error:
        raise AwsError(f"the API did not answer: {type(error).__name__}") from error


def _problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """The problem document; empty for the gateway's own refusals, which have another format."""
    try:
        document = json.loads(error.read())
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _signed(
    target: Target, method: str, url: str, data: bytes | None, headers: Mapping[str, str]
) -> dict[str, str]:
    own = target.access_key_id and target.secret_access_key
    key = (target.access_key_id or "", target.secret_access_key or "") if own else None
    return signed(method, url, data, headers, region=target.region, key=key)


def _opener(target: Target) -> urllib.request.OpenerDirector:
    """Uses no proxy for the embedded AWS, which is on this machine."""
    handlers = [urllib.request.ProxyHandler({})] if target.env == LOCAL else []
    return urllib.request.build_opener(*handlers)
