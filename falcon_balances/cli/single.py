"""One message made from a command's options: checked, then shown or sent and waited for."""

import json
from dataclasses import asdict, dataclass
from time import monotonic
from typing import Any

from falcon_balances.adapters import event_topic
from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli import delivery, output
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.files import FileLine
from falcon_balances.cli.stages import StageName, parse_line
from falcon_balances.cli.target import Target, find_target
from falcon_balances.domain.identity import falcon_operation_id


@dataclass(frozen=True, slots=True)
class Balance:
    """Whose balance a payout or an adjustment names, and how much."""

    merchant_id: str
    balance_shop_id: str
    amount: str
    currency: str

    def event(self, **more: str | None) -> dict[str, Any]:
        """Version 1, without what was not said."""
        said = {name: value for name, value in more.items() if value is not None}
        return {"schema_version": "1", **asdict(self), **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """`wait_s` is None where nobody waits."""

    env: str
    dry_run: bool
    wait_s: float | None

    def send(self, stage: StageName, event: dict[str, Any]) -> dict[str, Any]:
        """What became of it, or the event itself. Raises RejectedOperation before it is sent, as
        the dispatcher would; InvalidInputError where it was quarantined.
        """
        text = json.dumps(event)
        operation = parse_line(text.encode(), stage, self.env, utc_now())
        target = find_target(self.env)
        if self.dry_run:
            output.note("dry run: nothing was sent")
            return event
        result: dict[str, Any] = {
            "falcon_operation_id": falcon_operation_id(operation),
            "stage": stage.value,
            "sent": 1,
        }
        return result | self._delivered(target, stage, text)

    def _delivered(self, target: Target, stage: StageName, text: str) -> dict[str, Any]:
        lines = [FileLine(1, text.encode())]
        waiting = None if self.wait_s is None else delivery.Delivery(target, stage, lines)
        begun = monotonic()
        topic = target.topic(stage.value)
        event_topic.publish(target.client("sns"), topic, [text], lambda _count: None)
        if waiting is None or self.wait_s is None:
            return {}
        result = waiting.wait_for_all(begun + self.wait_s)
        for refusal in result.pop("quarantine"):
            raise InvalidInputError(f"{refusal['code']} {refusal['reason']}")
        if result["pending"]:
            raise AwsError(f"the message is still on its way after {self.wait_s:g} s")
        return result
