"""Thirty merchants that must not see each other, and what is asked of each."""

from functools import cache
from typing import Any, Final

from lambdas.api_routes.edge import Route
from tests.builders import (
    Document,
    confirmed,
    context_of,
    shop,
)
from tests.component.ledger import id_of

METHODS: Final = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
# Thirty of them; the last six never had anything.
LOCALS: Final = [f"l{n:02d}" for n in range(30)]
TRADING: Final = LOCALS[:24]
MERCHANTS: Final = [f"m-{local}" for local in LOCALS]
QUERY_OF: Final = {"/turnover": {"month": "2026-10"}}
READS: Final = {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}


def capture_of(local: str, **changes: Any) -> Document:
    named = {"external_reference": f"order-{local}", "operation_date": "2026-10-31T23:40:00Z"}
    return confirmed(**shop(local) | named | changes)


@cache
def capture_id(local: str) -> str:
    return id_of(capture_of(local), context_of(local))


def path_of(route: Route, merchant_id: str, local: str) -> str:
    """With names that there are, where `local` is somebody who trades."""
    names = {
        "<merchant_id>": merchant_id,
        "<balance_shop_id>": f"bs-{local}-eur",
        "<falcon_operation_id>": capture_id(local),
        "<block_id>": capture_id(local),
        "<month>": "2026-10",
    }
    path = route.rule
    for name, value in names.items():
        path = path.replace(name, value)
    assert "<" not in path, f"a route with a name that this does not know: {path}"
    return path


def query_of(path: str) -> dict[str, str]:
    return {} if path.rpartition("/")[2] != "turnover" else QUERY_OF["/turnover"]
