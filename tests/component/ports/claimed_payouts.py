"""A payout of 40.00 of 100.00 that is claimed, and returns of it."""

from datetime import timedelta
from typing import Any, Final

from falcon_balances.adapters.ports import ConditionFailed, PayoutClaims
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.direct_operations import PayoutRequest, PayoutReturn
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import giving_up, payout_block, withdrawal_of
from falcon_balances.domain.splitting import split_direct
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters
from tests.builders import RECEIVED_AT
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")


LATER = NOW + timedelta(hours=1)


MERCHANT = Merchant(frozenset({("bs-1", "EUR")}))


BALANCE = ItemKey("MERCHANT#m-1", "BALANCE#bs-1#EUR")


HAD = {"available": 10000, "confirmed": 10000}


GAVE = {"available": 6000, "confirmed": 10000, "blocked": 4000}


def requested(payout_id: str = "payout-1", amount: str = "40.00") -> PayoutRequest:
    document = {
        "schema_version": "1",
        "payout_id": payout_id,
        "merchant_id": "m-1",
        "balance_shop_id": "bs-1",
        "amount": amount,
        "currency": "EUR",
        "requested_at": "2026-11-20T10:15:00Z",
    }
    parsed = parse_document(document, Stage.PAYOUT)
    assert isinstance(parsed, PayoutRequest)
    return parsed


RETURNED: Final = {
    "schema_version": "1",
    "type": "return",
    "payout_id": "payout-1",
    "merchant_id": "m-1",
    "balance_shop_id": "bs-1",
    "currency": "EUR",
    "returned_at": "2026-11-21T10:15:00Z",
    "bank_reference": "bank-1",
}


def return_of(minor: int, return_id: str | None) -> ClaimV1:
    named = {} if return_id is None else {"return_id": return_id}
    document = RETURNED | named | {"amount": f"{minor // 100}.{minor % 100:02d}"}
    operation = parse_document(document, Stage.PAYOUT)
    assert isinstance(operation, PayoutReturn)
    return ClaimV1.of(operation, RECEIVED_AT, split_direct(operation, MERCHANT))


def decided(request: PayoutRequest) -> tuple[ClaimV1, Block]:
    event = withdrawal_of(request, request.amount.minor)
    claim = ClaimV1.of(request, RECEIVED_AT, event, PayoutState.DECIDED)
    return claim, payout_block(request, request.amount.minor, NOW)


CLAIM, BLOCK = decided(requested())


ID = CLAIM.falcon_operation_id


GIVING_UP = giving_up(BLOCK, LATER, "anna")


def give(store: Any, **counters: int) -> None:
    assert not store.port.transact([AddCounters(BALANCE, counters or HAD)])


def failed(outcomes: Any) -> list[bool]:
    return [isinstance(outcome, ConditionFailed) for outcome in outcomes]


STEPS = [("decided", "logging"), ("logging", "paid")]


PAID = 4000


def back(payouts: PayoutClaims, minor: int, return_id: str | None = None) -> Any:
    return payouts.claim_return(return_of(minor, return_id), ID, minor, PAID)


def come_back(payouts: PayoutClaims) -> tuple[int | None, int]:
    claim = payouts.find(ID, Stage.PAYOUT)
    assert claim is not None
    return claim.returned, len(claim.returned_by)
