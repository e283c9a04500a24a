"""Records on the Kinesis stream: segments as claimed, and cuts (design §3, §7)."""

import re
from dataclasses import replace
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from falcon_balances.contracts.claimed import ClaimedSegment
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.links import ContradictionV1, LinksV1, SentSalePartV1, SettledV1
from falcon_balances.contracts.log_objects import FlawedObjectError, VersionId, read_strictly
from falcon_balances.contracts.strictness import Fingerprint, Id
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.log_grammar import REPETITION_MAX
from falcon_balances.domain.operations import Segment, Stage


def _sent(claim: ClaimV1) -> tuple[SentSalePartV1, ...]:
    return tuple(SentSalePartV1.of(each.to_part()) for each in claim.changed_sales)


_UNLESS_EMPTY = Field(exclude_if=lambda said: not said)


_NO_LINKS: Final = LinksV1()


class SegmentRecordV1(BaseModel):
    """One segment. The record's partition key is its merchant_id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    kind: Literal["segment"] = "segment"
    stage: Stage
    revision: Annotated[int, Field(ge=1, le=REPETITION_MAX, exclude_if=lambda said: said == 1)] = 1
    after: Annotated[
        int | None,
        Field(ge=1, le=REPETITION_MAX, exclude_if=lambda said: said is None),
    ] = None
    """The last earlier revision with a segment at this merchant; None if there is none."""
    merchant_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    context_version: str
    log_key: str
    version_id: VersionId
    """S3's id of the log object's version. S3 has compared the object with the SHA-256 of `body`.
    """
    fingerprint: Fingerprint
    body: str
    corrects: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None
    sale: Annotated[tuple[SentSalePartV1, ...], _UNLESS_EMPTY] = ()
    """How the event changes sales; like the next fields, sent with its first segment only."""
    settled: Annotated[SettledV1 | None, Field(exclude_if=lambda said: said is None)] = None
    contradiction: Annotated[
        ContradictionV1 | None, Field(exclude_if=lambda said: said is None)
    ] = None
    blocks: Annotated[tuple[str, ...], _UNLESS_EMPTY] = ()
    """The blocks that were made for the refund at this merchant."""

    @classmethod
    def of(
        cls,
        claim: ClaimV1,
        segment: ClaimedSegment,
        version_id: str,
        links: LinksV1 = _NO_LINKS,
    ) -> Self:
        is_first = segment.part == 1
        return cls(
            stage=claim.stage,
            revision=claim.revision,
            after=segment.after,
            merchant_id=segment.merchant_id,
            part=segment.part,
            parts=segment.parts,
            context_version=segment.context_version,
            log_key=segment.log_key,
            version_id=version_id,
            body=claim.body_of(segment),
            fingerprint=claim.fingerprint,
            corrects=claim.corrects,
            sale=_sent(claim) if is_first else (),
            settled=links.settled if is_first else None,
            contradiction=links.contradiction if is_first else None,
            blocks=links.blocks_of(segment.merchant_id),
        )

    def to_segment(self) -> Segment:
        """The segment. Raises RejectedOperation (E_RECORD) for a record that this code would not
        have written.
        """
        if self.after is not None and self.after >= self.revision:
            raise _not_ours("after")
        try:
            logged = read_strictly(self.log_key, self.body.encode())
        except FlawedObjectError as error:
            raise _not_ours(f"log_key, body: {error}") from error
        segment = replace(logged, context_version=self.context_version)
        for field in ("stage", "revision", "merchant_id", "part", "parts"):
            if getattr(self, field) != getattr(segment, field):
                raise _not_ours(field)
        if self.corrects != self._corrected_by(segment):
            raise _not_ours("corrects")
        return segment

    def _corrected_by(self, segment: Segment) -> str | None:
        if self.stage is not Stage.ADJUSTMENT:
            return None
        return segment.lines[0].original_reference or None


class CutRecordV1(BaseModel):
    """A marker, put into every open shard: everything that reached the stream before `cut_at` lies
    before it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    kind: Literal["cut"] = "cut"
    cut_at: str
    shards: tuple[str, ...]

    @classmethod
    def of(cls, cut: Cut) -> Self:
        return cls(cut_at=rfc3339(cut.cut_at), shards=cut.shards)

    def to_cut(self) -> Cut:
        try:
            cut = Cut(parse_rfc3339(self.cut_at), self.shards)
        except ValueError as error:
            raise _not_ours("cut_at") from error
        if rfc3339(cut.cut_at) != self.cut_at:
            raise _not_ours("cut_at")
        return cut


_RECORD: TypeAdapter[SegmentRecordV1 | CutRecordV1] = TypeAdapter(
    Annotated[SegmentRecordV1 | CutRecordV1, Field(discriminator="kind")]
)


class NewerRecordError(Exception):
    """A record that a later version of this code wrote."""


_VERSION: Final = re.compile(rb'\A\{"schema_version":"([2-9]|[1-9][0-9])","kind":"(segment|cut)",')


def parse_stream_record(data: bytes) -> SegmentRecordV1 | CutRecordV1:
    """The record in `data`. Raises RejectedOperation (E_RECORD) for anything that this code did not
    write, and NewerRecordError for a record of a later version.
    """
    try:
        return _RECORD.validate_json(data, strict=True)
    except ValidationError as error:
        if _VERSION.match(data):
            raise NewerRecordError(
                "schema_version: newer than this version of the code can read"
            ) from error
        raise _not_ours("record") from error


def _not_ours(field: str) -> RejectedOperation:
    return RejectedOperation(RejectionCode.RECORD, f"{field}: differs from what this system writes")
