"""Decides on an event: the claim made now or before, a refusal, or another try later."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from falcon_balances.adapters.ports import EventClaims
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.execution import SplitMessage
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.operations import staged

# How long a revision waits for the previous one; then it is refused, for a person to look at.
WAIT_MAX: Final = timedelta(hours=20)


class NotYetError(Exception):
    """An earlier revision has not arrived yet: the message comes back, alone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The claim in force. `earlier` are the claims of earlier revisions, in order, whose segments
    must be in the log and on the stream before it.
    """

    claim: ClaimV1
    earlier: tuple[ClaimV1, ...] = ()


def decide(claims: EventClaims, message: SplitMessage, now: datetime) -> Decision:
    """The decision. An earlier claim of the same content wins over the present lines or refusal.

    Raises RejectedOperation, and NotYetError.
    """
    ours = message.claim
    if message.rejection is not None:
        existing = claims.find(ours.falcon_operation_id, ours.staged)
        if existing is None or existing.fingerprint != ours.fingerprint:
            raise message.rejection.raised()
        return _with_earlier(claims, existing)
    if ours.revision > 1:
        ours = _less_its_predecessor(claims, ours, now)
    existing = claims.claim(ours)
    if existing is not None and existing.fingerprint != ours.fingerprint:
        raise RejectedOperation(
            RejectionCode.ID_CONFLICT, "external_reference: already known with different content"
        )
    return _with_earlier(claims, existing or ours)


def _less_its_predecessor(claims: EventClaims, ours: ClaimV1, now: datetime) -> ClaimV1:
    """The claim less the previous truth. Reads only the previous claim, which has that truth."""
    predecessor = claims.find(ours.falcon_operation_id, staged(ours.stage, ours.revision - 1))
    if predecessor is not None:
        return ours.revising(predecessor)
    if now - parse_rfc3339(ours.received_at) > WAIT_MAX:
        raise RejectedOperation(
            RejectionCode.REVISION, "revision: the previous revision did not arrive within 20 hours"
        )
    raise NotYetError


def _with_earlier(claims: EventClaims, claim: ClaimV1) -> Decision:
    """Adds earlier revisions: their function may have crashed right after claiming, so their
    segments are written and published again.
    """
    return Decision(claim, tuple(_earlier(claims, claim)))


def _earlier(claims: EventClaims, claim: ClaimV1) -> Iterator[ClaimV1]:
    """The claims of earlier revisions, at most 98, one read each: few operations are revised, and
    fewer more than once.
    """
    for revision in range(1, claim.revision):
        found = claims.find(claim.falcon_operation_id, staged(claim.stage, revision))
        if found is not None and found.segments:
            yield found
