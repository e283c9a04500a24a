"""Reads the links of a claim after making it: from then on its refund cannot be authorized.

A message that is handled again gets its links again; blocks ended meanwhile stay ended, and known
findings stay known.
"""

from collections.abc import Collection, Sequence
from itertools import chain

from falcon_balances.adapters.ports import Authorizations, EventClaims
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.links import BlockNameV1, ContradictionV1, LinksV1, SettledV1
from falcon_balances.domain.blocks import BlockStatus
from falcon_balances.domain.operations import PSP_STAGES, OperationType, Stage

_WAS_NOT_ENDED = {BlockStatus.ACTIVE, BlockStatus.SETTLED}


def links_of(claim: ClaimV1, claims: EventClaims, authorizations: Authorizations) -> LinksV1:
    """The links of a claim. Takes one read of both stages' claims, and for a refund a read of its
    authorization.
    """
    if claim.stage not in PSP_STAGES:
        return LinksV1()
    told = claims.of_operation(claim.falcon_operation_id)
    links = LinksV1(contradiction=contradiction_of(told))
    if claim.type is not OperationType.REFUND:
        return links
    current = authorizations.current(claim.falcon_operation_id)
    if current.status not in _WAS_NOT_ENDED:
        return links
    blocks = tuple(BlockNameV1.model_validate(name._asdict()) for name in current.blocks)
    settled = SettledV1(attempt=current.attempt, blocks=_of_no_segment(blocks, told))
    return links.model_copy(update={"blocks": blocks, "settled": settled})


def _of_no_segment(
    blocks: Sequence[BlockNameV1], told: Collection[ClaimV1]
) -> tuple[BlockNameV1, ...]:
    """The blocks of merchants without a segment in any of these claims: all other blocks end with
    their merchants' segments.
    """
    named = {segment.merchant_id for claim in told for segment in claim.segments}
    return tuple(each for each in blocks if each.merchant_id not in named)


def contradiction_of(told: Collection[ClaimV1]) -> ContradictionV1 | None:
    """The contradiction between the stages, open if their newest revisions name different
    merchants. None if a stage is missing, or if no revisions of the two stages ever named different
    merchants. A revision without lines names nobody, and contradicts nothing.
    """
    by_stage = {stage: _newest_last(told, stage) for stage in PSP_STAGES}
    named = {stage: [_named(claim) for claim in claims] for stage, claims in by_stage.items()}
    if not all(named.values()):
        return None
    sets = {each for each in chain.from_iterable(named.values()) if each}
    if len(sets) < len(PSP_STAGES):
        return None
    latest = {of_stage[-1] for of_stage in named.values()} - {frozenset()}
    return ContradictionV1(
        merchants=tuple(sorted(frozenset().union(*sets))),
        is_open=len(latest) > 1,
        known=sum(claims[-1].revision for claims in by_stage.values()),
    )


def _newest_last(told: Collection[ClaimV1], stage: Stage) -> list[ClaimV1]:
    return sorted((each for each in told if each.stage is stage), key=lambda each: each.revision)


def _named(claim: ClaimV1) -> frozenset[str]:
    told = claim.segments if claim.truth is None else claim.truth
    return frozenset(each.merchant_id for each in told if each.rows)
