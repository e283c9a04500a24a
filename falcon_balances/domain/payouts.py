"""Decides each payout once (design §4, §5). `payout_states.py` has the states that follow."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from falcon_balances.domain.blocks import Block, BlockStatus, Purpose, ending_writes
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.errors import RejectionCode
from falcon_balances.domain.identity import falcon_operation_id, uuid5_text
from falcon_balances.domain.money import Money
from falcon_balances.domain.splitting import SplitEvent, direct_segment
from falcon_balances.domain.table_writes import TableWrite

# How long a request without `valid_until` can wait for its decision.
VALID_FOR: Final = timedelta(days=3)


class Refusal(StrEnum):
    """Why a request was refused, if not for lack of money."""

    EXPIRED = "expired"


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    REFUSED = "refused"
    REJECTED = "rejected"
    GIVEN_UP = "given_up"
    RETURNED = "returned"


def outcome_id(operation_id: str, outcome: Outcome) -> str:
    """The id of an outcome, the same each time it is announced."""
    return uuid5_text(f"payout_outcome|{operation_id}|{outcome}")


def rejection_id(operation_id: str, code: RejectionCode, content: str) -> str:
    """The id of a rejection. Under one payout_id, messages of different contents can be rejected,
    and the same content several times, with different codes: each has an id of its own.

    `content` is the rejected content's fingerprint.
    """
    return uuid5_text(f"payout_outcome|{operation_id}|{Outcome.REJECTED}|{code}|{content}")


def is_expired(request: PayoutRequest, received_at: datetime, now: datetime) -> bool:
    """Whether the request is too old: its sender may have given up and sent another one under
    another id.

    Without `valid_until`, three days count from the request's date or, if that is later, from its
    arrival in the queue, because dates in the past are allowed.
    """
    until = request.valid_until or max(request.requested_at, received_at) + VALID_FOR
    return now > until


def payable(request: PayoutRequest, available: int) -> int | None:
    """The amount to pay out of `available`, in minor units; None if `available` is too low."""
    amount = request.amount.minor
    minimum = amount if request.minimum_amount is None else request.minimum_amount.minor
    return min(amount, available) if available >= minimum else None


def withdrawal_of(request: PayoutRequest, amount: int) -> SplitEvent:
    """The one line that deducts `amount`, in minor units above zero, from the balance."""
    segment = direct_segment(request, Money(-amount, request.amount.currency))
    return SplitEvent(segment.falcon_operation_id, (segment,), ())


def payout_block(request: PayoutRequest, amount: int, now: datetime) -> Block:
    """The payout's block. It never expires: it ends when the withdrawal is counted, or the payout
    is given up.
    """
    return Block(
        block_id=falcon_operation_id(request),
        merchant_id=request.merchant_id,
        balance_shop_id=request.balance_shop_id,
        currency=request.amount.currency.code,
        amount=amount,
        purpose=Purpose.PAYOUT,
        reference=request.payout_id,
        requested_by="payouts",
        created_at=now,
    )


def giving_up(block: Block, at: datetime, by: str) -> tuple[TableWrite, ...]:
    """The writes of the move `GIVE_UP`: the block's end."""
    return ending_writes(block, BlockStatus.RELEASED, at, by)
