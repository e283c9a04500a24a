"""Shows what became of an operation, stage by stage: claims, log objects, marks."""

import re
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.adapters.merchant_reads import DynamoMerchantReads
from falcon_balances.adapters.operation_stories import merchants_of, read_story
from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import Target
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.operation_story import OperationStory
from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import OperationType

_AGAIN = re.compile(r"([2-9]|[1-9][0-9])\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def operation_id_of(words: list[str]) -> str:
    """The operation's id. One word is the id itself; three are PSP_ID TYPE REFERENCE, with an
    OCCURRENCE from 2 on as a fourth.
    """
    match words:
        case [operation_id] if _UUID.match(operation_id.lower()):
            return operation_id.lower()
        case [psp_id, kind, reference] if kind in set(OperationType):
            return operation_id_of_reference(psp_id, OperationType(kind), reference)
        case [psp_id, kind, reference, number] if kind in set(OperationType) and _AGAIN.match(
            number
        ):
            return operation_id_of_reference(psp_id, OperationType(kind), reference, int(number))
    raise InvalidInputError("give a falcon_operation_id, or PSP_ID TYPE REFERENCE [OCCURRENCE]")


def story(target: Target, operation_id: str) -> dict[str, Any]:
    """The story of the operation; `stages` is empty if the operation is unknown."""
    told = read(target, operation_id, claims_of(target, operation_id))
    return {
        "falcon_operation_id": operation_id,
        "corrected_by": told.corrected_by,
        "stages": [_stage_story(told, claim) for claim in told.claims],
    }


def claims_of(target: Target, operation_id: str) -> Sequence[ClaimV1]:
    """The claims of all stages, in order of their revisions."""
    claims = DynamoEventClaims(target.client("dynamodb"), target.claims_table)
    return claims.of_operation(operation_id)


def read(
    target: Target,
    operation_id: str,
    claims: Sequence[ClaimV1],
    merchant_ids: Collection[str] | None = None,
) -> OperationStory:
    """The story at these merchants; without `merchant_ids`, at all merchants of the claims."""
    merchants = merchants_of(claims) if merchant_ids is None else merchant_ids
    return read_story(operation_id, claims, merchants, partial(_reads, target))


def _reads(target: Target, merchant_id: str) -> DynamoMerchantReads:
    return DynamoMerchantReads(
        target.client("dynamodb"), target.balances_table, target.claims_table, merchant_id
    )


def _stage_story(told: OperationStory, claim: ClaimV1) -> dict[str, Any]:
    document = {
        "stage": claim.stage.value,
        "revision": claim.revision,
        "fingerprint": claim.fingerprint,
        "received_at": claim.received_at,
        "context_versions": list(claim.context_versions),
        "segments": segments(told, claim),
        "corrects": claim.corrects,
        "reason": claim.reason,
        "skipped_by": claim.skipped_by,
    }
    return {name: value for name, value in document.items() if value is not None}


def segments(told: OperationStory, claim: ClaimV1) -> list[dict[str, Any]]:
    """Each segment of the claim: its log key, its lines, and the window in which it was counted."""
    return [
        {
            "merchant_id": segment.merchant_id,
            "log_key": segment.log_key,
            "counted_in_window": None if mark is None else rfc3339(mark.window),
            "lines": claim.body_of(segment).splitlines(),
        }
        for segment, mark in told.segments(claim)
    ]


def show(story: dict[str, Any]) -> None:
    output.line(story["falcon_operation_id"])
    for stage in story["stages"]:
        revision = f" revision {stage['revision']}" if stage["revision"] > 1 else ""
        output.line(f"{stage['stage']}{revision}, received {stage['received_at']}")
        for name in ("corrects", "reason", "skipped_by"):
            if name in stage:
                output.line(f"  {name.replace('_', ' ')} {stage[name]}")
        show_segments(stage["segments"])
    for correction in story["corrected_by"]:
        output.line(f"corrected by {correction}")


def show_segments(found: list[dict[str, Any]]) -> None:
    for segment in found:
        window = segment["counted_in_window"]
        counted = f"counted in the window {window}" if window else "not counted yet"
        output.line(f"  {segment['merchant_id']}, {counted}")
        output.line(f"  {segment['log_key']}")
        for line in segment["lines"]:
            output.line(f"    {line}")
