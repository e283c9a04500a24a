"""The claim (design §5): the one decision of what an event means, made once."""

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

# Over all revisions of an operation: a claim names each, and an event names 41 at most.
MERCHANTS_MAX: Final = 400


class ClaimV1(BaseModel):
    """What an event means. Written if absent, never changed; its key is falcon_operation_id with
    stage and revision.

    `segments` are empty where nothing moves, and while it is a question: was this refused event
    claimed before? The lines of all segments, and of the truth, are in `rows`; what they share is
    in `texts`.
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
    """By column of the log, what its lines say there; left out where it is empty in all."""
    segments: tuple[ClaimedSegment, ...] = ()
    truth: Annotated[
        tuple[ClaimedTruth, ...] | None, Field(exclude_if=lambda said: said is None)
    ] = None
    """Of a later revision: what the next one takes itself less. A first one's is its segments."""
    type: Annotated[OperationType | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a PSP's event."""
    sale: Annotated[SalePartV1 | None, Field(exclude_if=lambda said: said is None)] = None
    """The sale that it belongs to, and what the whole event says of it."""
    sale_changes: Annotated[
        tuple[SalePartV1, ...] | None, Field(exclude_if=lambda said: said is None)
    ] = None
    """Of a later revision: what it changes of sales. A first one's is its sale."""
    revised_at: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a later revision: RFC 3339, no earlier than the date of any earlier revision."""
    last: Annotated[dict[str, int], Field(exclude_if=lambda said: not said)] = Field(
        default_factory=dict
    )
    """Of a later revision: by merchant the last revision, up to this one, that has a segment."""
    skipped_by: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Who let a later revision pass without this one, which therefore says nothing."""
    corrects: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    reason: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of an adjustment, in a person's words."""
    state: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a payout request. This moves on, `returned` and `returned_by` grow; nothing else does."""
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """On a refused payout request: what there was."""
    refusal: Annotated[Refusal | None, Field(exclude_if=lambda said: said is None)] = None
    """On a payout request that was refused, and not for lack of money."""
    requested: Annotated[RequestedPayoutV1 | None, Field(exclude_if=lambda said: said is None)] = (
        None
    )
    returned: Annotated[int | None, Field(exclude_if=lambda said: said is None)] = None
    """On a payout that was decided: what has come back of it, in minor units."""
    returned_by: Annotated[tuple[str, ...], Field(exclude_if=lambda said: not said)] = ()
    """The returns that it came back with, by their falcon_operation_ids."""

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
        """`received_at`: when the message was sent to its queue, RFC 3339.

        Of a later revision, what the splitter made of it is its truth.
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
        """With these segments and this truth. Raises IntegrityError for what no reader would read:
        such a thing must not be claimed.
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
        """What goes with its first segment."""
        if self.sale_changes is not None:
            return self.sale_changes
        return () if self.sale is None else (self.sale,)

    @property
    def dated(self) -> str:
        """The latest date of this revision and all before it; RFC 3339 in UTC sorts as text."""
        return self.revised_at or self.texts["operation_date"][0]

    @property
    def last_revisions(self) -> Mapping[str, int]:
        """By merchant, the last revision up to this one that has a segment there."""
        if self.revision > 1:
            return self.last
        return {each.merchant_id: 1 for each in self.segments}

    def revising(self, predecessor: "ClaimV1") -> Self:
        """This claim of a whole truth, with the segments that make the old truth into it.

        Raises RejectedOperation: E_DATE where it is dated before an earlier revision, E_REVISION
        where all revisions together name more merchants than a claim can hold.
        """
        if self.dated < predecessor.dated:
            raise RejectedOperation(
                RejectionCode.DATE, "revised_at: before the date of an earlier revision"
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
        """An empty claim of the number behind `before`, which may be the first: a person lets the
        revision `asked` pass without it. What was true before stays true.
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
        """The bytes of the segment's log object. Raises IntegrityError for rows not of ours."""
        try:
            fields = list(fields_of_rows(segment.rows, self.texts))
        except ValueError as error:
            raise IntegrityError(f"{segment.log_key}: {error}") from error
        return body_of_rows(map(",".join, fields))

    def lines_of(self, segment: ClaimedSegment) -> tuple[BalanceOperation, ...]:
        """Raises IntegrityError for rows that are none of ours."""
        return self._lines(segment.rows, segment.log_key)

    def whole_truth(self) -> Truth:
        """What the next revision takes itself less."""
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
        """Of the segment's log object (design §6)."""
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
