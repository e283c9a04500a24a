"""What became of one operation, stage by stage: its claim, its log objects, its marks."""

import re
from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.event_claims import DynamoEventClaims
from falcon_balances.cli import output
from falcon_balances.cli.errors import InvalidInputError
from falcon_balances.cli.target import STAGES, Target
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.operations import OperationType, Stage

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def operation_id_of(words: list[str]) -> str:
    """One word is the id itself, three are PSP_ID TYPE REFERENCE."""
    match words:
        case [operation_id] if _UUID.match(operation_id.lower()):
            return operation_id.lower()
        case [psp_id, kind, reference] if kind in set(OperationType):
            return operation_id_of_reference(psp_id, OperationType(kind), reference)
    raise InvalidInputError("give a falcon_operation_id, or PSP_ID TYPE REFERENCE")


def story(target: Target, operation_id: str) -> dict[str, Any]:
    """Empty `stages` when no stage of it was ever claimed."""
    claims = DynamoEventClaims(target.client("dynamodb"), target.claims_table)
    found = [claims.find(operation_id, Stage(stage)) for stage in STAGES]
    return {
        "falcon_operation_id": operation_id,
        "stages": [_stage_story(target, claim) for claim in found if claim is not None],
    }


def _stage_story(target: Target, claim: ClaimV1) -> dict[str, Any]:
    store = DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
    segments = []
    for segment in claim.segments:
        mark = store.mark(segment.merchant_id, claim.falcon_operation_id, claim.stage)
        segments.append(
            {
                "merchant_id": segment.merchant_id,
                "log_key": segment.log_key,
                "counted_in_window": mark.get("window"),
                "lines": segment.body.splitlines(),
            }
        )
    return {
        "stage": claim.stage.value,
        "fingerprint": claim.fingerprint,
        "received_at": claim.received_at,
        "context_versions": list(claim.context_versions),
        "segments": segments,
    }


def show(story: dict[str, Any]) -> None:
    output.line(story["falcon_operation_id"])
    for stage in story["stages"]:
        output.line(f"{stage['stage']}, received {stage['received_at']}")
        for segment in stage["segments"]:
            window = segment["counted_in_window"]
            counted = f"counted in the window {window}" if window else "not counted yet"
            output.line(f"  {segment['merchant_id']}, {counted}")
            output.line(f"  {segment['log_key']}")
            for line in segment["lines"]:
                output.line(f"    {line}")
