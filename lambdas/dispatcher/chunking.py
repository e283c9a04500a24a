"""Divides messages into executions by the largest output that their steps can have.

A state holds at most 256 KiB; the largest message on its own stays well below that.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from falcon_balances.contracts.execution import ValidMessage
from falcon_balances.domain.direct_operations import StagedOperation
from falcon_balances.domain.operations import OperationType, PspOperation

# Lines are passed on in the form of a claim: uuid, amount and the numbers of their texts.
_LINE_BYTES_MAX: Final = 90
_LINES_PER_LEG: Final = 8  # the amount, five fees, the marketplace fee on both sides
_LEG_BYTES_MAX: Final = 220  # local merchant, shop and balance shop, of 64 characters each
_VERSION_BYTES_MAX: Final = 330  # of one context: its key, its date and its hash
_SEGMENT_BYTES_MAX: Final = 640  # log key, merchant, versions, names
# Ids, three references of 128 characters, fingerprint, names; its sale, before and after.
_MESSAGE_BYTES_MAX: Final = 3_400
_NAMED_BYTES_MAX: Final = 70  # a merchant that the other stage may name instead
# Blocks of a refund, which can debit at most 41 merchants; each block is named twice.
_BLOCKS_BYTES_MAX: Final = 41 * 2 * 160


def output_bytes_max(operation: StagedOperation) -> int:
    """Bytes of the largest output of any step for the event, whichever contexts apply.

    A revision's claim has the lines of its truth, and the lines that turn the previous truth into
    the new one: at most as many as both truths have together.
    """
    splits = operation.splits if isinstance(operation, PspOperation) else ()
    is_revision = isinstance(operation, PspOperation) and operation.revision > 1
    truths = 2 if is_revision else 1
    legs = max(1, len(splits))
    merchants = len(splits) + 1
    lines = legs * _LINES_PER_LEG * (truths + is_revision)
    return (
        _MESSAGE_BYTES_MAX
        + lines * _LINE_BYTES_MAX
        + merchants * _VERSION_BYTES_MAX
        + merchants * truths * (_LEG_BYTES_MAX + _SEGMENT_BYTES_MAX)
        + merchants * is_revision * _SEGMENT_BYTES_MAX
        + merchants * 2 * _NAMED_BYTES_MAX
        + _blocks_bytes_max(operation)
    )


def _blocks_bytes_max(operation: StagedOperation) -> int:
    is_refund = isinstance(operation, PspOperation) and operation.type is OperationType.REFUND
    return _BLOCKS_BYTES_MAX if is_refund else 0


def chunks(
    sized: Iterable[tuple[int, ValidMessage]], budget_bytes: int
) -> Iterator[list[ValidMessage]]:
    """The messages in as few chunks as the budget allows, in order. A chunk of one message may
    exceed the budget.
    """
    chunk: list[ValidMessage] = []
    size = 0
    for bytes_max, message in sized:
        if chunk and size + bytes_max > budget_bytes:
            yield chunk
            chunk, size = [], 0
        chunk.append(message)
        size += bytes_max
    if chunk:
        yield chunk
