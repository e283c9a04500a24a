"""One message made from a command's options: checked, shown or sent, and waited for."""

import json
from time import monotonic
from typing import Any

from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli import delivery, output, publishing
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.files import FileLine
from falcon_balances.cli.stages import StageName, parse_line
from falcon_balances.cli.target import Target
from falcon_balances.domain.identity import falcon_operation_id


def said(event: dict[str, Any]) -> dict[str, Any]:
    """Without what was not said."""
    return {name: value for name, value in event.items() if value is not None}


def check(stage: StageName, event: dict[str, Any], env: str) -> str:
    """Its falcon_operation_id; raises RejectedOperation as the dispatcher would."""
    operation = parse_line(json.dumps(event).encode(), stage, env, utc_now())
    return falcon_operation_id(operation)


def send(
    target: Target, stage: StageName, event: dict[str, Any], timeout_s: float | None
) -> dict[str, Any]:
    """Waits if there is a time-out. Raises InvalidInputError where it was quarantined."""
    text = json.dumps(event)
    line = FileLine(1, text.encode())
    waiting = None if timeout_s is None else delivery.Delivery(target, stage, [line])
    begun = monotonic()
    publishing.publish(target.client("sns"), target.topic(stage.value), [text], lambda _count: None)
    result: dict[str, Any] = {"stage": stage.value, "sent": 1}
    if waiting is None or timeout_s is None:
        return result
    result |= waiting.wait_for_all(begun + timeout_s)
    if result["quarantine"]:
        refusal = result["quarantine"][0]
        raise InvalidInputError(f"{refusal['code']} {refusal['reason']}")
    if result["pending"]:
        raise AwsError(f"the message is still on its way after {timeout_s:g} s")
    return result


def show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        output.document(document)
    else:
        output.pairs(document)
