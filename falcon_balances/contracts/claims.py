"""The claim (design §5): the one decision on what an event means, made once."""

from collections.abc import Mapping
from hashlib import sha256
from itertools import chain
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.claimed import (
    ClaimedSegment,
    ClaimedTruth,
    RequestedPayoutV1,
    claimed_segment,
)
from falcon_balances.contracts.links import SalePartV1
from falcon_balances.contracts.strictness import Fingerprint
from falcon_balances.domain.compact_lines import (
    Texts,
    fields_of_rows,
    lines_of_rows,
    rows_of,
    texts_of,
)
from falcon_balances.domain.direct_operations import Adjustment, PayoutRequest, StagedOperation
from falcon_balances.domain.errors import IntegrityError, RejectedOperation, RejectionCode
from falcon_balances.domain.identity import SCHEMA_VERSION, falcon_operation_id, fingerprint
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.log_format import body_of_rows
from falcon_balances.domain.operations import (
    BalanceOperation,
    OperationType,
    PspOperation,
    Segment,
    Stage,
    staged,
)
from falcon_balances.domain.payouts import Refusal
from falcon_balances.domain.revising import MerchantTruth, Revision, Truth, revise, truth_of
from falcon_balances.domain.sale_parts import SalePart, sale_change
from falcon_balances.domain.splitting import SplitEvent

# Merchants of all revisions of an operation: a claim names all of them, an event at most 41.
MERCHANTS_MAX: Final = 400


class ClaimV1(BaseModel):
    """What an event means. It is written only if absent and never changed; its key is
    falcon_operation_id with stage and revision.

    `segments` is empty if nothing changes, and in a claim that only asks whether a refused event
    was claimed before. `rows` holds the lines of all segments and of the truth; `texts` holds the
    fields that they share.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal["1"] = SCHEMA_VERSION
    falcon_operation_id: str
    stage: Stage
    revision: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1
    fingerprint: Fingerprint
    received_at: str
    context_versions: tuple[str, ...] = ()
    texts: Texts = Field(default_factory=dict)
    """The fields that all lines share, by column of the log; empty fields are left out."""
    segments: tuple[ClaimedSegment, ...] = ()
    truth: Annotated[
        tuple[ClaimedTruth, ...] | None, Field(exclude_if=lambda said: said is None)
    ] = None
    """Of a later revision: the whole truth, from which the next revision's lines are calculated.
    The truth of a first revision is its segments.
    """
    type: Annotated[OperationType | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a PSP's event: its type."""
    sale: Annotated[SalePartV1 | None, Field(exclude_if=lambda said: said is None)] = None
    """The sale that the event belongs to, and what the whole event says about it."""
    sale_changes: Annotated[
        tuple[SalePartV1, ...] | None, Field(exclude_if=lambda said: said is None)
    ] = None
    """Of a later revision: its changes of sales. A first revision changes the sale in `sale`."""
    revised_at: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a later revision: its date, RFC 3339, which is not before that of any earlier revision."""
    last: Annotated[dict[str, int], Field(exclude_if=lambda said: not said)] = Field(
        default_factory=dict
    )
    """Of a later revision: for each merchant, the last revision up to this one with a segment."""
    skipped_by: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """The person who let a later revision pass without this revision, which is therefore empty."""
    corrects: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    reason: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of an adjustment: the reason in a person's words."""
    state: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a payout request: its state. In a claim, only this field and the last two ever change."""
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a refused payout request: what was available."""
    refusal: Annotated[Refusal | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a refused payout request: the reason, if it was not lack of money."""
    requested: Annotated[RequestedPayoutV1 | None, Field(exclude_if=lambda said: said is None)] = (
        None
    )
    returned: Annotated[int | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a decided payout: what has been returned so far, in minor units."""
    returned_by: Annotated[tuple[str, ...], Field(exclude_if=lambda said: not said)] = ()
    """Of a decided payout: the falcon_operation_ids of its returns."""

    @property
    def staged(self) -> str:
        return staged(self.stage, self.revision)

    @classmethod
    def of(
        cls,
        operation: StagedOperation,
        received_at: str,
        event: SplitEvent | None = None,
        state: str | None = None,
    ) -> Self:
        """The claim of an event. `received_at`: when the message was sent to its queue, RFC 3339.

        For a later revision, the splitter's segments are its truth.
        """
        revision = operation.revision if isinstance(operation, PspOperation) else 1
        segments = event.segments if event else ()
        claim = cls(
            falcon_operation_id=(
                event.falcon_operation_id if event else falcon_operation_id(operation)
            ),
            stage=operation.stage,
            revision=revision,
            fingerprint=fingerprint(operation),
            received_at=received_at,
            context_versions=event.context_versions if event else (),
            type=operation.type if isinstance(operation, PspOperation) else None,
            sale=None if event is None or event.sale is None else SalePartV1.of(event.sale),
            state=state,
            requested=(
                RequestedPayoutV1.of(operation) if isinstance(operation, PayoutRequest) else None
            ),
            returned=None if state is None else 0,
            revised_at=_revised_at(operation),
            corrects=operation.corrects if isinstance(operation, Adjustment) else None,
            reason=operation.reason if isinstance(operation, Adjustment) else None,
        )
        return claim.saying(segments, truth_of(segments) if revision > 1 and event else None)

    def saying(self, segments: tuple[Segment, ...], truth: Truth | None = None) -> Self:
        """A copy of this claim with the given segments and truth. Raises IntegrityError if a line
        would be rejected by every reader.
        """
        lines = [*chain.from_iterable(each.lines for each in segments)]
        texts = texts_of([*lines, *chain.from_iterable(each.lines for each in truth or ())])
        return self.model_copy(
            update={
                "texts": texts,
                "segments": tuple(claimed_segment(each, texts) for each in segments),
                "truth": None
                if truth is None
                else tuple(
                    ClaimedTruth(
                        merchant_id=each.merchant_id,
                        context_version=each.context_version,
                        rows=tuple(rows_of(each.lines, texts)),
                    )
                    for each in truth
                ),
            }
        )

    @property
    def changed_sales(self) -> tuple[SalePartV1, ...]:
        """The sales that the event changes, sent with its first segment."""
        if self.sale_changes is not None:
            return self.sale_changes
        return () if self.sale is None else (self.sale,)

    @property
    def dated(self) -> str:
        """The latest date of this revision and all before it; RFC 3339 in UTC sorts as text."""
        return self.revised_at or self.texts["operation_date"][0]

    @property
    def last_revisions(self) -> Mapping[str, int]:
        """For each merchant, the last revision up to this one that has a segment there."""
        if self.revision > 1:
            return self.last
        return {each.merchant_id: 1 for each in self.segments}

    def revising(self, predecessor: "ClaimV1") -> Self:
        """A copy whose segments turn the truth of `predecessor` into the truth of this claim.

        Raises RejectedOperation: E_DATE if this revision is dated before an earlier one, E_REVISION
        if all revisions together name more merchants than a claim can hold.
        """
        if self.dated < predecessor.dated:
            raise RejectedOperation(
                RejectionCode.DATE, "revised_at: must not be before the date of an earlier revision"
            )
        truth = self.whole_truth()
        said = Revision(
            self.falcon_operation_id, self.stage, self.revision, parse_rfc3339(self.dated)
        )
        segments = revise(said, predecessor.whole_truth(), truth)
        before = predecessor.last_revisions
        last = {**before, **{each.merchant_id: self.revision for each in segments}}
        if len(last) > MERCHANTS_MAX:
            raise RejectedOperation(
                RejectionCode.REVISION,
                f"revision: all revisions together name more than {MERCHANTS_MAX} merchants",
            )
        claim = self.saying(segments, truth)
        linked = tuple(
            each.model_copy(update={"after": before.get(each.merchant_id)})
            for each in claim.segments
        )
        changes = sale_change(_part_of(predecessor.sale), _part_of(self.sale))
        more = {"sale_changes": tuple(map(SalePartV1.of, changes))}
        return claim.model_copy(update={"segments": linked, "last": last, **more})

    @classmethod
    def skipping(cls, before: "ClaimV1 | None", asked: "ClaimV1", by: str, now: str) -> Self:
        """An empty claim in place of the missing revision after `before` (or of the first one): a
        person lets the waiting revision `asked` pass. The truth does not change.
        """
        revision = 1 if before is None else before.revision + 1
        name = f"skipped|{asked.falcon_operation_id}|{staged(asked.stage, revision)}"
        claim = cls(
            falcon_operation_id=asked.falcon_operation_id,
            stage=asked.stage,
            revision=revision,
            fingerprint=sha256(name.encode()).hexdigest(),
            received_at=now,
            type=asked.type,
            sale=None if before is None else before.sale,
            sale_changes=(),
            skipped_by=by,
            revised_at=asked.dated if before is None else before.dated,
            last=dict(before.last_revisions) if before else {},
        )
        return claim.saying((), before.whole_truth() if before else ())

    def body_of(self, segment: ClaimedSegment) -> str:
        """The bytes of the segment's log object. Raises IntegrityError for rows that this code did
        not write.
        """
        try:
            fields = list(fields_of_rows(segment.rows, self.texts))
        except ValueError as error:
            raise IntegrityError(f"{segment.log_key}: {error}") from error
        return body_of_rows(map(",".join, fields))

    def lines_of(self, segment: ClaimedSegment) -> tuple[BalanceOperation, ...]:
        """The segment's lines. Raises IntegrityError for rows that this code did not write."""
        return self._lines(segment.rows, segment.log_key)

    def whole_truth(self) -> Truth:
        """The truth from which the next revision's lines are calculated."""
        told = self.segments if self.truth is None else self.truth
        return [
            MerchantTruth(
                each.merchant_id,
                each.context_version,
                self._lines(each.rows, self.falcon_operation_id),
            )
            for each in told
        ]

    def log_metadata(self, segment: ClaimedSegment) -> dict[str, str]:
        """The metadata of the segment's log object (design §6)."""
        return {
            "fingerprint": self.fingerprint,
            "schema_version": self.schema_version,
            "context_version": segment.context_version,
        }

    def _lines(self, rows: tuple[str, ...], place: str) -> tuple[BalanceOperation, ...]:
        try:
            return lines_of_rows(rows, self.texts)
        except ValueError as error:
            raise IntegrityError(f"{place}: {error}") from error


def _revised_at(operation: StagedOperation) -> str | None:
    if not isinstance(operation, PspOperation) or operation.revised_at is None:
        return None
    return rfc3339(operation.revised_at)


def _part_of(sale: SalePartV1 | None) -> SalePart | None:
    return None if sale is None else sale.to_part()
