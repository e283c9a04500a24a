"""A closed month of one merchant, every read of it, and requests to both APIs."""

import re
from typing import Any

from falcon_balances.contracts.problems import ProblemV1
from lambdas.api_routes.edge import Route
from lambdas.balance_api import handler as balance_api
from lambdas.systems_api import handler as systems
from tests.builders import confirmed
from tests.component.api_calls import (
    MERCHANT,
    REQUEST_ID,
    Answer,
    Query,
    http_event,
    iam,
    send,
    token_of,
)
from tests.component.ledger import id_of

ID = id_of(confirmed())
# Of a regular expression, or of pydantic's own words: a problem says what is expected.
PATTERN_SHOWN = re.compile(r"[\\^$]|\[[A-Za-z0-9]|Input should|String should")
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW"]
# Every read of a merchant, with a query that it answers with 200.
READS: dict[str, dict[str, object]] = {
    "/balances": {},
    "/balances/bs-5553-eur": {},
    "/balances/bs-5553-eur/history": {},
    "/operations": {},
    f"/operations/{ID}": {},
    "/turnover": {"month": "2026-10"},
    "/statements/2026-10": {},
    "/unreconciled": {},
}
IN_OCTOBER = {"operation_date": "2026-10-31T23:40:00Z"}
HANDLERS = [balance_api, systems]
API_OF = {balance_api: balance_api.api, systems: systems.api}


def path_of(route: Route, merchant_id: str = MERCHANT) -> str:
    names = {"<merchant_id>": merchant_id, "<balance_shop_id>": "bs-5553-eur", "<month>": "2026-10"}
    names |= {"<falcon_operation_id>": ID, "<block_id>": ID}
    path = route.rule
    for name, value in names.items():
        path = path.replace(name, value)
    return path


def ask(handler: Any, method: str, path: str, query: Query = "", **headers: str) -> Answer:
    who = token_of() if handler is balance_api else iam()
    event = http_event(method, path, query, who)
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return send(handler, event)


def is_well_mannered(answer: Answer) -> bool:
    """What every answer is, whatever was asked."""
    assert answer.headers["X-Request-Id"] == REQUEST_ID
    assert answer.status < 500
    if answer.status in {204, 304}:
        assert answer.text == ""
    elif answer.status >= 400:
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.problem
        problem = ProblemV1.model_validate(answer.body)
        assert problem.request_id == REQUEST_ID
        assert "Traceback" not in answer.text
        assert not PATTERN_SHOWN.search(f"{problem.detail} {problem.errors}")
    else:
        assert answer.headers["Cache-Control"] == "no-store"
    return True


def quoted(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in value.encode("utf-8", "surrogatepass"))
