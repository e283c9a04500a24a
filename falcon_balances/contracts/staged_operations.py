"""Reads a queued message of any stage: raw bytes in, operation out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from falcon_balances.contracts.decoding import decode
from falcon_balances.contracts.direct_operations import parse_direct_document
from falcon_balances.contracts.psp_operations import Mode, parse_psp_document
from falcon_balances.domain.direct_operations import StagedOperation
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.operations import PSP_STAGES, Stage

FUTURE_TOLERANCE: Final = timedelta(minutes=15)


def parse_message(raw: bytes, stage: Stage, *, mode: Mode, sent_at: datetime) -> StagedOperation:
    """The operation in a message. Raises RejectedOperation with the first code that applies.

    `mode` is the environment's; `sent_at` is when the message was sent, in UTC.
    """
    operation = parse_document(decode(raw), stage, latest=sent_at + FUTURE_TOLERANCE)
    if getattr(operation, "mode", None) not in (None, mode):
        raise RejectedOperation(RejectionCode.MODE, f"mode: this environment accepts {mode} only")
    return operation


def parse_document(
    document: Mapping[str, object], stage: Stage, *, latest: datetime | None = None
) -> StagedOperation:
    """The operation in a decoded document. A date after `latest`, if given, is E_FUTURE. Raises
    RejectedOperation.
    """
    if stage in PSP_STAGES:
        return parse_psp_document(document, stage, latest=latest)
    return parse_direct_document(document, stage, latest=latest)
