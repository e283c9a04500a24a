"""Operations as the log has them, for the comparison with bank statements."""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from falcon_balances.domain.operations import PSP_TYPES, OperationType, Segment, Stage

# The types that move money at a bank; fees and adjustments do not.
SETTLED_TYPES: Final = PSP_TYPES | {OperationType.WITHDRAWAL, OperationType.WITHDRAWAL_REVERSAL}


class LoggedOperation(NamedTuple):
    """One operation in one stage, as the log has it: the sum over all its merchants, without fees.

    `merchant_id`: only for payouts and returns, whose ids are unique per merchant only.
    """

    reference: str
    psp_id: str
    minor: int
    currency: str
    day: date
    falcon_operation_id: str
    stage: Stage
    merchant_id: str = ""


class OperationPart(NamedTuple):
    """What one log object says of an operation, in one currency. Revision and part are of its key:
    a later revision says by how much the operation has changed.
    """

    operation: LoggedOperation
    revision: int = 1
    part: int = 1


def parts_of(segment: Segment) -> list[OperationPart]:
    """A part for each currency of the segment; none if no line moves money at a bank."""
    found: dict[str, LoggedOperation] = {}
    for line in segment.lines:
        if line.type in SETTLED_TYPES:
            code = line.amount.currency.code
            known = found.get(code)
            found[code] = LoggedOperation(
                line.external_reference,
                line.psp_id,
                line.amount.minor + (0 if known is None else known.minor),
                code,
                line.operation_date.date(),
                line.falcon_operation_id,
                segment.stage,
                segment.merchant_id if segment.stage is Stage.PAYOUT else "",
            )
    return [OperationPart(each, segment.revision, segment.part) for each in found.values()]


def operations_of(parts: Iterable[OperationPart]) -> list[LoggedOperation]:
    """The operations that have these parts, each part once, in any order. An operation's day is
    its first revision's: a correction of its amount moves no money on another day.
    """
    found: dict[tuple[str, str, str], LoggedOperation] = {}
    for part in parts:
        said = part.operation
        key = (said.falcon_operation_id, said.stage, said.currency)
        if (known := found.get(key)) is not None:
            said = said._replace(minor=said.minor + known.minor, day=min(said.day, known.day))
        found[key] = said
    return list(found.values())


def logged_operations(segments: Iterable[Segment]) -> list[LoggedOperation]:
    """The log's operations, in no order; one can have lines in the objects of several merchants."""
    return operations_of(part for segment in segments for part in parts_of(segment))
