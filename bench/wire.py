"""HTTP below botocore: calls are recorded once, and then answered without any AWS.

So both sides of a comparison pay for a client's real work (serializing, signing, parsing), and
neither side pays for a server.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.httpsession import URLLib3Session

from falcon_balances.adapters.aws import client

_OK: Final = 200
_HEADERS: Final[Any] = {"Content-Type": "application/x-amz-json-1.0"}
Answer = Callable[[str, bytes], bytes]
"""Of DynamoDB, to an operation's name and a request's body."""


@dataclass(slots=True)
class Exchange:
    """One call to DynamoDB: the adapter's parameters, and the bytes of request and response."""

    operation: str
    parameters: dict[str, Any]
    request: bytes = b""
    response: bytes = b""


@dataclass(slots=True)
class _Recorder:
    exchanges: list[Exchange] = field(default_factory=list)

    def on_parameters(self, params: dict[str, Any], model: Any, **_more: object) -> None:  # noqa: ANN401 - botocore's
        self.exchanges.append(Exchange(model.name, deepcopy(params)))

    def on_call(self, params: dict[str, Any], **_more: object) -> None:
        self.exchanges[-1].request = params["body"]

    def on_response(self, response_dict: dict[str, Any], **_more: object) -> None:
        self.exchanges[-1].response = response_dict["body"]


@contextmanager
def recorded() -> Iterator[list[Exchange]]:
    """Records the calls of the adapters' DynamoDB client in the `with` block, in order."""
    recorder = _Recorder()
    listeners: dict[str, Any] = {
        "before-parameter-build": recorder.on_parameters,
        "before-call": recorder.on_call,
        "response-received": recorder.on_response,
    }
    emitter = client("dynamodb").meta.events
    for event, listener in listeners.items():
        emitter.register(event, listener)
    try:
        yield recorder.exchanges
    finally:
        for event, listener in listeners.items():
            emitter.unregister(event, listener)


def played_back(exchanges: Sequence[Exchange]) -> Answer:
    """Answers recorded requests with their recorded responses, and no others."""
    known = {(each.operation, each.request): each.response for each in exchanges}
    return lambda operation, request: known[operation, request]


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        yield self._content


@contextmanager
def answered(answer: Answer) -> Iterator[None]:
    """Gives all requests of all clients in the `with` block to `answer`."""

    def send(_session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        name = target.decode() if isinstance(target, bytes) else str(target)
        assert isinstance(request.body, bytes)
        response = answer(name.rpartition(".")[2], request.body)
        return AWSResponse(request.url, _OK, _HEADERS, _Body(response))

    with patch.object(URLLib3Session, "send", send):
        yield
