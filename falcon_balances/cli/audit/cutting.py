"""Has a cut made, and waits until it is complete."""

import time
from typing import Final

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.cli.target import Target

# A cut takes as long as the reducers need for what is before it; without one of our own, the
# cutter's next one comes within a minute.
_WAIT_S: Final = 30.0
_POLL_S: Final = 0.5


def cut_now(target: Target) -> bool:
    """Whether everything that has reached the stream is counted and journaled now."""
    now = utc_now().replace(microsecond=0)
    target.client("lambda").invoke(FunctionName=f"{target.prefix}-cutter", Payload=b"{}")
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    deadline = time.monotonic() + _WAIT_S
    while (as_of := store.as_of()) is None or as_of < now:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
