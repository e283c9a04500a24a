"""The small world of the published examples behind WSGI, for tools that speak HTTP."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from inprocess.gateway import request_of
from reference.openapi import MERCHANT
from reference.world import MemoryApi

Start = Callable[[str, list[tuple[str, str]]], object]


def wsgi_of(world: MemoryApi) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """As the gateway would ask, with the token of the examples' merchant."""

    def served(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        headers = {
            name.removeprefix("HTTP_").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        request = request_of(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"),
            environ.get("QUERY_STRING", ""),
            body.decode("utf-8", "surrogateescape") if body else None,
            **headers,
        )
        answer = world.ask(request, MERCHANT)
        status = HTTPStatus(answer["statusCode"])
        start(f"{int(status)} {status.phrase}", [(k, str(v)) for k, v in answer["headers"].items()])
        return [(answer.get("body") or "").encode()]

    return served
