"""The events of every path, and the merchants and operations that they name."""

from collections.abc import Callable
from datetime import timedelta
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.authorizing import find_authorization
from falcon_balances.adapters.clock import utc_now
from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.table_keys import AttemptKey
from tests.builders import (
    claim_of,
    confirmed,
    context_of,
    data_of,
    operation_id_of,
    raw,
    records_of,
)

if TYPE_CHECKING:
    from falcon_balances.adapters.ports import BalanceStore
    from falcon_balances.cli.target import Target

MERCHANT = context_of().merchant_id
RISKY = context_of("risky", risk="high")
SEND_AGAIN_S = 4.0  # a message that failed is hidden for long; the same again is not
DATE = "2026-11-20T10:30:00Z"
FOR_EVER = "2999-01-01T00:00:00Z"
OWN = f"merchants/{MERCHANT}"
GOOD, PAIRED = (operation_id_of(confirmed(external_reference=each)) for each in ("good", "other"))
REVISED = {"revision": 2, "revised_at": "2026-11-20T11:00:00Z"}
TAKEN_BACK = {"type": "refund", "amount": "1.00"}
EARLY = operation_id_of(confirmed(external_reference="early"))
UNMADE = {"external_reference": "unmade", "original_reference": "good"}
TOO_EARLY = confirmed(external_reference="of-late", original_reference="late", **TAKEN_BACK)
CONFIRMED = (f"{GOOD}#confirmed", f"{PAIRED}#confirmed")
REFUSED = {
    "confirmed": 2,
    "reconciled": 1,
    "stream": 1,
    "parked": 1,
    "payout": 1,
    "adjustment": 1,
}


def early(reference: str) -> tuple[bytes, bytes]:
    """A revision's record, and that of what it revises."""
    first = claim_of(confirmed(external_reference=reference, amount="2.00"))
    revised = claim_of(confirmed(external_reference=reference, amount="3.00", **REVISED))
    [too_early], [before] = records_of(revised.revising(first)), records_of(first)
    return data_of(too_early), data_of(before)


def direct(name: str = "5553", **more: str) -> dict[str, Any]:
    said = {"schema_version": "1", "merchant_id": f"m-{name}", "balance_shop_id": f"bs-{name}-eur"}
    return {**said, "currency": "EUR", **more}


def payout(payout_id: str, amount: str, name: str = "5553") -> bytes:
    return raw(
        direct(name, payout_id=payout_id, amount=amount, requested_at=DATE, valid_until=FOR_EVER)
    )


def returned(payout_id: str, amount: str, **more: str) -> bytes:
    bank = {"type": "return", "returned_at": DATE, "bank_reference": "bank-2"}
    return raw(direct(payout_id=payout_id, amount=amount, **bank, **more))


def adjustment(amount: str) -> bytes:
    why = {
        "direction": "credit",
        "reason_code": "a_try",
        "reason": "a try",
        "requested_by": "tester",
    }
    return raw(direct(adjustment_id="a-1", amount=amount, adjusted_at=DATE, **why))


def block(amount: str, name: str = "5553", **more: int) -> dict[str, Any]:
    reference = "expiring" if more else "by-hand"
    said = {"balance_shop_id": f"bs-{name}-eur", "amount": amount, "currency": "EUR"}
    return {**said, "reference": reference, **more}


def day_before(days: int) -> str:
    """The UTC day so many days ago."""
    return (utc_now() - timedelta(days=days)).date().isoformat()


def is_let_go(store: "BalanceStore") -> bool:
    """Nobody made the refund that was asked for."""
    unmade = confirmed(**UNMADE, **TAKEN_BACK)
    there = find_authorization(AttemptKey(operation_id_of(unmade), 1).item, store)
    return there is not None and there.status is BlockStatus.EXPIRED


def wait_for_cut(store: "BalanceStore", invoke: Callable[[str], object]) -> None:
    """Until a cut is complete, or for 20 seconds: the reducer may lack a grant."""
    before, deadline = store.as_of(), monotonic() + 20
    invoke("cutter")
    while store.as_of() == before and monotonic() < deadline:
        sleep(0.2)


def settle_a_statement(target: "Target", number: int) -> None:
    """A statement of long ago, so that everything since is looked at; other bytes each time."""
    _arrive(target, "bank", "good,100.00", number)


def bring_a_statement(target: "Target", number: int) -> bool:
    """Another statement; whether cases are settled already."""
    _arrive(target, f"again-{number}", "nobody,1.00", number)
    settled = target.client("s3").list_objects_v2(
        Bucket=target.bank_statement_bucket, Prefix="settled/"
    )
    return bool(settled["KeyCount"])


def _arrive(target: "Target", name: str, row: str, number: int) -> None:
    target.client("s3").put_object(
        Bucket=target.bank_statement_bucket,
        Key=f"statements/reconciled/date=2026-01-01/{name}.csv",
        Body=f"reference,amount,currency,date\n{row},EUR,2026-11-20\n".encode() + b"\n" * number,
    )
