"""Parts of a claim (design §5): segments, truths by merchant, and a payout request's content."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.strictness import Id
from falcon_balances.domain.compact_lines import Texts, rows_of
from falcon_balances.domain.direct_operations import PayoutRequest
from falcon_balances.domain.errors import IntegrityError
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.log_format import csv_body
from falcon_balances.domain.log_keys import log_key
from falcon_balances.domain.operations import Segment


class ClaimedSegment(BaseModel):
    """A segment as decided: its place in the log, and the fields that its lines do not share."""

    # Claims are kept for ever: code must be able to read what a later version added to them.
    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Id
    part: int
    parts: int
    context_version: str
    log_key: str
    rows: tuple[str, ...]
    after: Annotated[int | None, Field(exclude_if=lambda said: said is None)] = None
    """The last earlier revision that has a segment at this merchant, if there is one."""


class ClaimedTruth(BaseModel):
    """What an operation amounts to for one merchant, as of a revision."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Id
    context_version: str
    rows: tuple[str, ...]


class RequestedPayoutV1(BaseModel):
    """What a payout request asked for. The claim of a refused request keeps nothing else."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    payout_id: Id
    merchant_id: Id
    balance_shop_id: Id
    amount: str
    currency: str
    requested_at: str

    @classmethod
    def of(cls, request: PayoutRequest) -> Self:
        return cls(
            payout_id=request.payout_id,
            merchant_id=request.merchant_id,
            balance_shop_id=request.balance_shop_id,
            amount=str(request.amount),
            currency=request.amount.currency.code,
            requested_at=rfc3339(request.requested_at),
        )


def claimed_segment(segment: Segment, texts: Texts) -> ClaimedSegment:
    key = log_key(segment)
    try:
        read_strictly(key, csv_body(segment).encode())
    except FlawedObjectError as error:
        raise IntegrityError(f"{key}: {error}") from error
    return ClaimedSegment(
        merchant_id=segment.merchant_id,
        part=segment.part,
        parts=segment.parts,
        context_version=segment.context_version,
        log_key=key,
        rows=tuple(rows_of(segment.lines, texts)),
    )
