"""The story of an operation: what its claims say, and what the table says at each merchant.

Only this module puts it together (design §8). The API answers with a merchant's own part;
`falcon psp trace`, `falcon payout trace` and `falcon audit explain` print the whole story.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from falcon_balances.contracts.claimed import ClaimedSegment
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.history import Mark
from falcon_balances.domain.identity import payout_operation_id
from falcon_balances.domain.operations import BalanceOperation, OperationType, Stage, main_line


@dataclass(frozen=True, slots=True)
class MerchantPart:
    """What the table of balances says of an operation at one merchant."""

    marks: Sequence[Mark] = ()
    blocks: Sequence[Block] = ()
    corrected_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class OperationStory:
    """`claims`: of all stages and revisions, in their order. `parts`: by merchant; the story leaves
    out segments of all other merchants.
    """

    falcon_operation_id: str
    claims: tuple[ClaimV1, ...]
    parts: Mapping[str, MerchantPart]

    @classmethod
    def of(
        cls,
        falcon_operation_id: str,
        claims: Sequence[ClaimV1],
        parts: Mapping[str, MerchantPart],
    ) -> Self:
        stages = list(Stage)
        ordered = sorted(claims, key=lambda claim: (stages.index(claim.stage), claim.revision))
        return cls(falcon_operation_id, tuple(ordered), parts)

    def segments(self, claim: ClaimV1) -> Iterator[tuple[ClaimedSegment, Mark | None]]:
        """Segments with their marks; a mark is None until its segment is counted."""
        for segment in claim.segments:
            if segment.merchant_id in self.parts:
                yield segment, self.mark(segment.merchant_id, claim.staged)

    def mark(self, merchant_id: str, staged: str) -> Mark | None:
        part = self.parts.get(merchant_id, MerchantPart())
        return next((mark for mark in part.marks if mark.staged == staged), None)

    @property
    def main(self) -> BalanceOperation | None:
        """The line that says what the operation is; None where nothing moves."""
        told = ((claim, each) for claim in self.claims for each, _ in self.segments(claim))
        claim, segment = next(told, (None, None))
        return None if claim is None or segment is None else main_line(claim.lines_of(segment))

    @property
    def blocks(self) -> list[Block]:
        """The blocks that were made for the operation."""
        return [block for part in self.parts.values() for block in part.blocks]

    @property
    def corrected_by(self) -> list[str]:
        """The adjustments that correct it, by their falcon_operation_ids."""
        return sorted({each for part in self.parts.values() for each in part.corrected_by})

    @property
    def returned_by(self) -> list[str]:
        """A payout's returns, by their falcon_operation_ids."""
        return [each for claim in self.claims for each in claim.returned_by]


def returned_payout(merchant_id: str, main: BalanceOperation) -> str | None:
    """The payout that a return belongs to, by its falcon_operation_id; None for anything else."""
    if main.type is not OperationType.WITHDRAWAL_REVERSAL:
        return None
    return payout_operation_id(merchant_id, main.external_reference)
