"""Requests whose cost could grow with the age of the log, to the real APIs."""

import json
from collections.abc import Callable
from typing import Any, Final

from falcon_balances.observability import metrics
from generated import events
from inprocess.gateway import authorized, request_of
from simulation.metering import Cost

_OWN: Final = f"/v1/merchants/{events.merchant_id(0)}"
_BY_SYSTEMS: Final = f"/v1/systems/merchants/{events.merchant_id(0)}"
_JWT: Final = {"jwt": {"claims": {"custom:merchant_id": events.merchant_id(0), "token_use": "id"}}}
_IAM: Final = {"iam": {"userArn": "arn:aws:iam::123456789012:role/payouts"}}
_ANSWERED: Final = (200, 201, 409, 422)
"""Also a refusal: it was decided by reading what there is."""
HIGH_RISK: Final = "block, high risk"
AT: Final = "balances, at="
STATEMENT: Final = "statement, a page"
NAMES: Final = (HIGH_RISK, AT, STATEMENT)
FUNCTIONS: Final = {HIGH_RISK: "systems-api", AT: "balance-api", STATEMENT: "balance-api"}
SLOW_S: Final = {HIGH_RISK: 2.0, AT: 2.0, STATEMENT: 2.0}


def event_of(name: str, key: str, month: str) -> dict[str, Any]:
    """`key`: idempotency key of a block. `month`: the first one of the log, long ago or not."""
    if name == HIGH_RISK:
        body = {
            "balance_shop_id": events.balance_shop_id(0),
            "reference": key,
            "amount": "0.01",
            "currency": "EUR",
        }
        text = json.dumps(body)
        request = request_of("POST", f"{_BY_SYSTEMS}/blocks", "", text, idempotency_key=key)
        return authorized(request, _IAM)
    if name == AT:
        return authorized(request_of("GET", f"{_OWN}/balances", f"at={month}-30T12:45:00Z"), _JWT)
    return authorized(request_of("GET", f"{_OWN}/statements/{month}", "limit=200"), _JWT)


def ask(work: Callable[[str, Any], tuple[Cost, Any]], key: str, month: str) -> dict[str, Cost]:
    """What each request costs now. Raises RuntimeError if one gets no answer."""
    costs = {}
    for name in NAMES:
        costs[name], answer = work(FUNCTIONS[name], event_of(name, key, month))
        metrics.clear_metrics()
        if answer["statusCode"] not in _ANSWERED:
            raise RuntimeError(f"{name}: {answer['statusCode']} {answer['body']}")
    return costs
