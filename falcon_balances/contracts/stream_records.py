"""What lies on the Kinesis stream: segments as claimed, and cuts (design §3, §7)."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from falcon_balances.contracts.claims import ClaimedSegment, ClaimV1
from falcon_balances.contracts.currencies import written_currency
from falcon_balances.contracts.strictness import ID_PATTERN, Fingerprint, Id
from falcon_balances.domain.cuts import Cut
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.log_format import expected_uuids, log_key, parse_csv_body
from falcon_balances.domain.operations import (
    PSP_STAGES,
    SIGN_BY_TYPE,
    TYPES_BY_STAGE,
    BalanceOperation,
    Segment,
    Stage,
)

_ID: Final = ID_PATTERN.removeprefix("^").removesuffix("$")
_IDS: Final = re.compile(rf"{_ID}(,{_ID})*\Z")  # no id holds a comma
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
# Far above what an event can say (15 digits, fees on top, four decimals), and far below where
# DynamoDB's numbers end: sums of such amounts never lose a digit.
_MINOR_MAX: Final = 10**20
# The worst event makes 160 KB; DynamoDB takes 400 KB in an item, and the mark holds the lines.
_BODY_CHARACTERS_MAX: Final = 300_000


class SegmentRecordV1(BaseModel):
    """One segment; the partition key is its merchant_id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal["1"] = "1"
    kind: Literal["segment"] = "segment"
    stage: Stage
    merchant_id: Id
    part: Annotated[int, Field(ge=1)]
    parts: Annotated[int, Field(ge=1)]
    context_version: str
    log_key: str
    fingerprint: Fingerprint
    body: str
    corrects: Annotated[str | None, Field(exclude_if=lambda said: said is None)] = None

    @classmethod
    def of(cls, claim: ClaimV1, segment: ClaimedSegment) -> Self:
        return cls(
            stage=claim.stage,
            fingerprint=claim.fingerprint,
            corrects=claim.corrects,
            **vars(segment),
        )

    def to_segment(self) -> Segment:
        """The segment, if the record is one that we would have written; else RejectedOperation."""
        if self.part > self.parts:
            raise _not_ours("part")
        if not self._corrects_what_can_be():
            raise _not_ours("corrects")
        if len(self.body) > _BODY_CHARACTERS_MAX:
            raise _not_ours("body")
        lines = self._lines()
        segment = Segment(
            self.stage, self.merchant_id, self.part, self.parts, lines, self.context_version
        )
        if log_key(segment) != self.log_key:
            raise _not_ours("log_key")
        if not all(_is_well_formed(line, segment) for line in lines):
            raise _not_ours("body")
        if [line.uuid for line in lines] != expected_uuids(self.stage, self.merchant_id, lines):
            raise _not_ours("body.uuid")
        return segment

    def _lines(self) -> tuple[BalanceOperation, ...]:
        if len(self.body) > _BODY_CHARACTERS_MAX:
            raise _not_ours("body")
        try:
            return parse_csv_body(self.body)
        except ValueError as error:
            raise _not_ours("body") from error

    def _corrects_what_can_be(self) -> bool:
        if self.corrects is None:
            return True
        return self.stage is Stage.ADJUSTMENT and _UUID.match(self.corrects) is not None


def _is_well_formed(line: BalanceOperation, segment: Segment) -> bool:
    sign = SIGN_BY_TYPE[line.type]
    return (
        line.falcon_operation_id == segment.falcon_operation_id
        and _UUID.match(line.falcon_operation_id) is not None
        and line.operation_date == segment.booked_at
        and line.type in TYPES_BY_STAGE[segment.stage]
        and written_currency(line.currency.code) == line.currency
        and 0 < abs(line.amount.minor) < _MINOR_MAX
        and line.amount.minor * sign >= 0
        and _has_well_formed_ids(line, segment.stage)
    )


def _has_well_formed_ids(line: BalanceOperation, stage: Stage) -> bool:
    """Ids become keys: one of another form could be refused by the table, or read as two."""
    ids = [line.external_reference, line.balance_shop_id]
    if stage in PSP_STAGES:
        ids += [line.local_merchant_id, line.shop_id, line.psp_id]
    elif line.local_merchant_id or line.shop_id or line.psp_id:
        return False
    return _IDS.match(",".join(ids)) is not None


class CutRecordV1(BaseModel):
    """A marker in every open shard: all that reached the stream before `cut_at` lies before it."""

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


def parse_stream_record(data: bytes) -> SegmentRecordV1 | CutRecordV1:
    """Raises RejectedOperation (E_RECORD) for anything that is not one of ours."""
    try:
        return _RECORD.validate_json(data, strict=True)
    except ValidationError as error:
        raise _not_ours("record") from error


def _not_ours(field: str) -> RejectedOperation:
    return RejectedOperation(RejectionCode.RECORD, f"{field}: not as this system writes it")
