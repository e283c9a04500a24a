"""Asking the API over HTTP as a page or a system would: connections kept alive, whole answers."""

import http.client
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from falcon_balances.cli.target import Target

TIMEOUT_S = 60
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def next_query(self) -> str | None:
        """The query of `Link: <?...>; rel="next"`."""
        address, _, relation = self.headers.get("link", "").partition("; ")
        return address.strip("<>").removeprefix("?") if relation == 'rel="next"' else None

    @property
    def apart_from_ids(self) -> tuple[int, dict[str, str], Any]:
        """All that a caller may tell answers by, but the request's own id and the time of day."""
        headers = {k: v for k, v in self.headers.items() if k not in OWN_TO_EACH}
        try:
            body = json.loads(self.body)
        except ValueError:
            return self.status, headers, self.body
        body.pop("request_id", None)
        return self.status, headers, body


OWN_TO_EACH = {"date", "x-request-id", "apigw-requestid"}


class Asker:
    """One kept-alive connection; not for several threads. A token, or else nothing at all."""

    def __init__(self, target: Target, token: str | None = None) -> None:
        self._target = target
        self._address = urlsplit(target.api_url)
        self._connection = http.client.HTTPConnection(self._address.netloc, timeout=TIMEOUT_S)
        self.token = token

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connection.close()

    def ask(self, path: str, method: str = "GET", headers: Headers = ()) -> Answer:
        """`path` is below `/v1/`, sent as it is."""
        own = [("Authorization", f"Bearer {self.token}")] if self.token else []
        more = headers.items() if isinstance(headers, Mapping) else headers
        return self._send(method, f"/v1/{path}", [*own, *more])

    def ask_signed(self, path: str, method: str = "GET") -> Answer:
        """By IAM, with the target's own keys."""
        request = AWSRequest(method=method, url=f"{self._target.api_url}/v1/{path}")
        keys = Credentials(str(self._target.access_key_id), str(self._target.secret_access_key))
        SigV4Auth(keys, "execute-api", self._target.region).add_auth(request)
        return self._send(method, f"/v1/{path}", request.headers.items())

    def _send(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> Answer:
        self._connection.putrequest(method, f"{self._address.path}{path}")
        for name, value in headers:
            if name.lower() != "host":
                self._connection.putheader(name, value)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, named, answer.read())

    def pages(self, path: str) -> Iterator[Any]:
        """Every page, by its `Link`; the cursor in the body must be the same."""
        while True:
            answer = self.ask(path)
            assert answer.status == 200, (path, answer)
            yield answer.document
            query = answer.next_query
            assert (query is None) == (answer.document["next_cursor"] is None)
            if query is None:
                return
            assert answer.document["next_cursor"] in query
            path = urljoin(path, f"?{query}")


def story(asker: Asker, merchant_id: str, operation_id: str) -> Any:
    answer = asker.ask(f"merchants/{merchant_id}/operations/{operation_id}")
    assert answer.status == 200, answer
    return answer.document
