"""Reads the story of an operation from the claims and from the tables of its merchants."""

from collections.abc import Callable, Collection, Sequence

from falcon_balances.adapters.ports import MerchantReads
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.operation_story import MerchantPart, OperationStory
from falcon_balances.domain.history import block_ids


def read_story(
    falcon_operation_id: str,
    claims: Sequence[ClaimV1],
    merchant_ids: Collection[str],
    reads_of: Callable[[str], MerchantReads],
) -> OperationStory:
    """Marks, blocks and corrections at each of these merchants."""
    parts = {each: _part(falcon_operation_id, reads_of(each)) for each in sorted(merchant_ids)}
    return OperationStory.of(falcon_operation_id, claims, parts)


def merchants_of(claims: Sequence[ClaimV1]) -> set[str]:
    return {segment.merchant_id for claim in claims for segment in claim.segments}


def _part(falcon_operation_id: str, reads: MerchantReads) -> MerchantPart:
    marks = reads.marks_of(falcon_operation_id)
    blocks = (reads.block(each) for each in block_ids(falcon_operation_id, marks))
    return MerchantPart(
        marks,
        [block for block in blocks if block is not None],
        reads.corrections(falcon_operation_id),
    )
