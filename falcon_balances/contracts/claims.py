"""The claim (design §5): the one decision of what an event means, made once."""

from itertools import chain
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.strictness import Fingerprint, Id
from falcon_balances.domain.compact_lines import (
    Texts,
    fields_of_rows,
    lines_of_rows,
    rows_of,
    texts_of,
)
from falcon_balances.domain.errors import IntegrityError, RejectedOperation, RejectionCode
from falcon_balances.domain.identity import SCHEMA_VERSION, falcon_operation_id, fingerprint
from falcon_balances.domain.log_format import body_of_rows, csv_body, log_key
from falcon_balances.domain.operations import (
    Adjustment,
    BalanceOperation,
    PspOperation,
    Segment,
    Stage,
    StagedOperation,
    staged,
)
from falcon_balances.domain.revising import MerchantTruth, Truth, truth_of
from falcon_balances.domain.splitting import SplitEvent


class ClaimedSegment(BaseModel):
    """A segment as decided: where it lies in the log, and what its lines have of their own."""

    # Claims are kept for ever: code must be able to read what a later version added to them.
    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Id
    part: int
    parts: int
    context_version: str
    log_key: str
    rows: tuple[str, ...]


class ClaimedTruth(BaseModel):
    """What an operation does to a merchant, all in all, as of a revision."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    merchant_id: Id
    context_version: str
    rows: tuple[str, ...]


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
    corrects: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    reason: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of an adjustment, in a person's words."""
    state: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """Of a payout request; the only thing of a claim that moves on."""
    available: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    """On a refused payout request: what there was."""

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
            state=state,
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
                "segments": tuple(_claimed(each, texts) for each in segments),
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


def _claimed(segment: Segment, texts: Texts) -> ClaimedSegment:
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


class Rejection(BaseModel):
    """An operation's refusal on its way back to the dispatcher."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: RejectionCode
    reason: str

    @classmethod
    def of(cls, rejected: RejectedOperation) -> Self:
        return cls(code=rejected.code, reason=rejected.reason)
