"""What became of one operation, stage by stage: its claim, its log objects, its marks."""

import re
from collections.abc import Iterator
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import STAGES, Target
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.operations import OperationType, Stage, staged

_AGAIN = re.compile(r"([2-9]|[1-9][0-9])\Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def operation_id_of(words: list[str]) -> str:
    """One word is the id itself, three are PSP_ID TYPE REFERENCE, with an OCCURRENCE from 2 on."""
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
    """Empty `stages` when no stage of it was ever claimed."""
    found = claims_of(target, operation_id)
    return {
        "falcon_operation_id": operation_id,
        "corrected_by": _corrected_by(target, found) if found else [],
        "stages": [_stage_story(target, claim) for claim in found],
    }


def claims_of(target: Target, operation_id: str) -> list[ClaimV1]:
    """Of all stages and their revisions, in their order."""
    claims = DynamoEventClaims(target.client("dynamodb"), target.claims_table)
    return [claim for stage in STAGES for claim in revisions(claims, operation_id, Stage(stage))]


def revisions(claims: DynamoEventClaims, operation_id: str, stage: Stage) -> Iterator[ClaimV1]:
    """There is none without its predecessor."""
    revision = 1
    while (claim := claims.find(operation_id, staged(stage, revision))) is not None:
        yield claim
        revision += 1


def _stage_story(target: Target, claim: ClaimV1) -> dict[str, Any]:
    story = {
        "stage": claim.stage.value,
        "revision": claim.revision,
        "fingerprint": claim.fingerprint,
        "received_at": claim.received_at,
        "context_versions": list(claim.context_versions),
        "segments": segments(target, claim),
        "corrects": claim.corrects,
        "reason": claim.reason,
        "skipped_by": claim.skipped_by,
    }
    return {name: value for name, value in story.items() if value is not None}


def segments(target: Target, claim: ClaimV1) -> list[dict[str, Any]]:
    """Where each of the claim's segments lies, and whether it is counted."""
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    return [
        {
            "merchant_id": segment.merchant_id,
            "log_key": segment.log_key,
            "counted_in_window": store.mark(
                segment.merchant_id, claim.falcon_operation_id, claim.staged
            ).get("window"),
            "lines": claim.body_of(segment).splitlines(),
        }
        for segment in claim.segments
    ]


def _corrected_by(target: Target, claims: list[ClaimV1]) -> list[str]:
    """The adjustments that correct the operation, as the balances of its merchants know them."""
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    merchants = {segment.merchant_id for claim in claims for segment in claim.segments}
    return sorted(
        correction
        for merchant_id in merchants
        for correction in store.corrections(merchant_id, claims[0].falcon_operation_id)
    )


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
