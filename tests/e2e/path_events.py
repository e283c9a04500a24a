"""The events of every path, and the merchants and operations that they name."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from falcon_balances.adapters.authorizing import find_authorization
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.merchant_directory import DynamoMerchantDirectory
from falcon_balances.cli.target import Target
from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.cuts import closed_until
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_context import merchants_of
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


def reads_until(as_of: datetime | None) -> dict[str, str]:
    """From the table, its index, the claims and the log; once a quarter is closed, its past."""
    reads = {
        "balances": "balances",
        "log": "balances?source=log",
        "operations": "operations",
        "story": f"operations/{PAIRED}",
        "referenced": "operations?reference=good",
        "unreconciled": "unreconciled",
        "findings": "findings",
    }
    if as_of is not None:
        reads["past"] = f"balances?at={rfc3339(closed_until(as_of))}"
    return {name: f"{OWN}/{path}" for name, path in reads.items()}


def load_merchants(target: Target) -> None:
    contexts = [context_of(), RISKY]
    directory = DynamoMerchantDirectory(target.client("dynamodb"), target.context_table)
    for context in contexts:
        assert directory.replace(context.key, (), [context])
    for merchant_id, merchant in merchants_of(contexts).items():
        directory.name_merchant(merchant_id, merchant)


def statement_arrives(target: Target, name: str, row: str, number: int) -> None:
    """A statement of long ago: everything since is looked at. `number` changes its bytes."""
    target.client("s3").put_object(
        Bucket=target.bank_statement_bucket,
        Key=f"statements/reconciled/date=2026-01-01/{name}.csv",
        Body=f"reference,amount,currency,date\n{row},EUR,2026-11-20\n".encode() + b"\n" * number,
    )
