"""The relations of an operation: its sale, its payout, its returns."""

from collections.abc import Iterator

from falcon_balances.audit.log_lines import objects_in
from falcon_balances.audit.log_objects import Foreign, Selection
from falcon_balances.cli import tracing
from falcon_balances.cli.audit.story_sources import Sources
from falcon_balances.contracts.log_objects import FlawedObjectError, read_strictly
from falcon_balances.contracts.operation_story import OperationStory, returned_payout
from falcon_balances.domain.identity import operation_id_of_reference
from falcon_balances.domain.operations import (
    PSP_TYPES,
    BalanceOperation,
    OperationType,
    Segment,
    Stage,
)


def related(
    sources: Sources, merchant_id: str, main: BalanceOperation, told: OperationStory | None
) -> dict[str, object]:
    """The relations. A payout's returns come from its claim or, with folders only, the log."""
    reference = main.external_reference
    if main.type is OperationType.WITHDRAWAL:
        if told is not None:
            return {"returned_by": told.returned_by}
        return {"returned_by": sorted(_returns_in(sources, merchant_id, reference))}
    if (payout_id := returned_payout(merchant_id, main)) is not None:
        return {"returns": payout_id}
    if main.type not in PSP_TYPES:
        return {}
    others = {
        kind: operation_id_of_reference(main.psp_id, kind, reference)
        for kind in OperationType
        if kind in PSP_TYPES and kind is not main.type
    }
    same = {kind.value: other for kind, other in others.items() if _knows(sources, other)}
    return {"same_reference": same, **_original(sources, main)}


def _original(sources: Sources, main: BalanceOperation) -> dict[str, object]:
    """The sale that the PSP names: its reference, and its id or, if no capture is known, None."""
    if main.type is OperationType.CAPTURE or not main.original_reference:
        return {}
    original: dict[str, object] = {"reference": main.original_reference}
    sale_id = operation_id_of_reference(main.psp_id, OperationType.CAPTURE, main.original_reference)
    known = sale_id if _knows(sources, sale_id) else None
    return {"original": original | {"falcon_operation_id": known}}


def _knows(sources: Sources, operation_id: str) -> bool:
    if sources.target is not None:
        return bool(tracing.claims_of(sources.target, operation_id))
    return any(True for _ in sources.log.keys_of(Selection(), operation_id))


def _returns_in(sources: Sources, merchant_id: str, payout_id: str) -> Iterator[str]:
    selection = Selection(merchant_id=merchant_id, stage=Stage.PAYOUT)
    for segment in segments_with(sources, selection, payout_id):
        for line in segment.lines:
            is_return = line.type is OperationType.WITHDRAWAL_REVERSAL
            if is_return and line.external_reference == payout_id:
                yield line.falcon_operation_id


def segments_with(sources: Sources, selection: Selection, text: str) -> Iterator[Segment]:
    """Segments whose lines contain the text, one by one; flawed objects are left out."""
    for batch in sources.log.batches(selection):
        if isinstance(batch, Foreign):
            continue
        for key, body in objects_in([batch]):
            if text.encode() in body:
                try:
                    yield read_strictly(key, body)
                except FlawedObjectError:
                    continue
