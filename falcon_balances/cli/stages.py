"""The stages that the command line can send to, and the parser of their lines."""

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from falcon_balances.domain.direct_operations import StagedOperation


class StageName(StrEnum):
    CONFIRMED = "confirmed"
    RECONCILED = "reconciled"
    PAYOUT = "payout"
    ADJUSTMENT = "adjustment"


def mode_of(env: str) -> Literal["test", "live"]:
    """The mode of an environment: only `live` has live money."""
    return "live" if env == "live" else "test"


def parse_line(raw: bytes, stage: StageName, env: str, now: datetime) -> "StagedOperation":
    """The operation in a line, as the dispatcher would read it if it were sent now."""
    from falcon_balances.contracts.staged_operations import parse_message  # noqa: PLC0415
    from falcon_balances.domain.operations import Stage  # noqa: PLC0415

    return parse_message(raw, Stage(stage.value), mode=mode_of(env), sent_at=now)
