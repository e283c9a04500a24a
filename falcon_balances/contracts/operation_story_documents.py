"""One operation's whole story, as the API answers with it (design §8)."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict

from falcon_balances.contracts.claimed import ClaimedSegment
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.operation_documents import OPTIONAL, Described, LineV1, described
from falcon_balances.contracts.operation_story import OperationStory, returned_payout
from falcon_balances.contracts.sale_documents import SaleStoryV1
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose
from falcon_balances.domain.history import Mark
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.operations import Stage, main_line

_MODEL = ConfigDict(frozen=True, extra="forbid")


class StageStoryV1(Described):
    """`counted_in` is null while the event is in the log, or on its way there, but not counted yet.

    Only systems see the fingerprint. It is a hash over other merchants' amounts too: with so few
    unknowns, a merchant could find those amounts by trying.
    """

    stage: Stage
    received_at: str
    fingerprint: Annotated[str | None, OPTIONAL] = None
    context_version: str
    state: Annotated[str | None, OPTIONAL] = None
    log_key: str
    counted_in: str | None
    corrects: Annotated[str | None, OPTIONAL] = None
    lines: tuple[LineV1, ...]

    @classmethod
    def of(
        cls, claim: ClaimV1, own: ClaimedSegment, mark: Mark | None, *, for_systems: bool
    ) -> Self:
        """The stage's story for one merchant; the claim may have segments of others too."""
        lines = claim.lines_of(own)
        return cls(
            **described(main_line(lines)),
            stage=claim.stage,
            revision=claim.revision,
            received_at=claim.received_at,
            fingerprint=claim.fingerprint if for_systems else None,
            context_version=_since_when(own.context_version),
            state=claim.state,
            log_key=own.log_key,
            counted_in=None if mark is None else rfc3339(mark.window),
            corrects=claim.corrects,
            lines=tuple(LineV1.of(line) for line in lines),
        )


def _since_when(context_version: str) -> str:
    """The versions without hashes, from which a merchant could find its `risk` by trying values."""
    versions = map(MerchantContext.since_when, context_version.split(","))
    return ",".join(dict.fromkeys(versions))


class SetAsideV1(BaseModel):
    """The block that was made for an operation."""

    model_config = _MODEL

    block_id: str
    amount: str
    currency: str
    purpose: Purpose
    status: BlockStatus
    created_at: str
    expiry: str | None
    ended_at: str | None

    @classmethod
    def of(cls, block: Block) -> Self:
        return cls(
            block_id=block.block_id,
            amount=scaled(block.amount, block.currency),
            currency=block.currency,
            purpose=block.purpose,
            status=block.status,
            created_at=rfc3339(block.created_at),
            expiry=block.expiry and rfc3339(block.expiry),
            ended_at=block.ended_at and rfc3339(block.ended_at),
        )


class OperationStoryV1(Fresh):
    """All stages of an operation. `returned_by` and `returns` link a payout and its returns; `sale`
    links a refund to its sale, or a sale to what was taken of it.
    """

    falcon_operation_id: str
    type: str
    psp_id: str
    external_reference: str
    stages: tuple[StageStoryV1, ...]
    blocks: tuple[SetAsideV1, ...]
    sale: SaleStoryV1 | None
    corrected_by: tuple[str, ...]
    returned_by: tuple[str, ...]
    returns: str | None

    @classmethod
    def of(
        cls,
        story: OperationStory,
        merchant_id: str,
        fresh: dict[str, Any],
        sale: SaleStoryV1 | None,
        *,
        for_systems: bool,
    ) -> Self:
        """The merchant's own part of a story that has one; `fresh`: the fields of `Fresh`."""
        main = story.main
        assert main is not None  # noqa: S101 - a merchant's part has a segment
        return cls(
            **fresh,
            falcon_operation_id=story.falcon_operation_id,
            type=main.type.value,
            psp_id=main.psp_id,
            external_reference=main.external_reference,
            stages=tuple(
                StageStoryV1.of(claim, segment, mark, for_systems=for_systems)
                for claim in story.claims
                for segment, mark in story.segments(claim)
            ),
            blocks=tuple(map(SetAsideV1.of, story.blocks)),
            sale=sale,
            corrected_by=tuple(story.corrected_by),
            returned_by=tuple(story.returned_by),
            returns=returned_payout(merchant_id, main),
        )
