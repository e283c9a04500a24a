"""Makes one message from a command's options, checks it, and shows or sends it."""

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
class NamedBalance:
    """The balance that a payout or an adjustment names, and the amount."""

    merchant_id: str
    balance_shop_id: str
    amount: str
    currency: str

    def event(self, **more: str | None) -> dict[str, Any]:
        """The event (schema version 1), without fields whose options were not given."""
        said = {name: value for name, value in more.items() if value is not None}
        return {"schema_version": "1", **asdict(self), **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """`wait_s` is None if the command does not wait."""

    env: str
    dry_run: bool
    wait_s: float | None

    def send(self, stage: StageName, event: dict[str, Any]) -> dict[str, Any]:
        """The result of sending, or the event itself in a dry run. Raises RejectedOperation before
        sending, as the dispatcher would, and InvalidInputError if the message went to quarantine.
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
            raise AwsError(f"the message is still pending after {self.wait_s:g} s")
        return result
