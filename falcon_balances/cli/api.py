"""Calls to the API: with a merchant's token, or signed by whoever runs the command."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from falcon_balances.adapters.sessions import signed
from falcon_balances.cli.errors import AwsError, CliError, InvalidInputError
from falcon_balances.cli.target import LOCAL, Target

_TIMEOUT_S = 29  # of the gateway itself


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    document: dict[str, Any]

    @property
    def is_ok(self) -> bool:
        return self.status < 300  # noqa: PLR2004 - HTTP's own bound

    def refusal(self) -> CliError:
        """What a problem document says, as the end of a command."""
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
    """Raises AwsError where no answer came. `path` is below `/v1/`, its parts quoted already."""
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
    """What the gateway itself refuses has a shape of its own."""
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
    """A proxy of the shell's is for the world outside, not for the embedded AWS."""
    handlers = [urllib.request.ProxyHandler({})] if target.env == LOCAL else []
    return urllib.request.build_opener(*handlers)
