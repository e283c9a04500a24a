"""How many messages one execution takes: sized by the largest output that they can make.

A state holds 256 KiB at most; the worst message alone stays well under that.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from falcon_balances.contracts.execution import ValidMessage
from falcon_balances.domain.operations import PspOperation, StagedOperation

# The largest a line can be: ids of 64 characters, uuids, amount, type, dates, commas, JSON escapes.
_LINE_BYTES_MAX: Final = 480
_LINES_PER_LEG: Final = 8  # the amount, five fees, the marketplace fee on both sides
_SEGMENT_BYTES_MAX: Final = 900  # key, header, fingerprint, names
_MESSAGE_BYTES_MAX: Final = 1_000


def output_bytes_max(operation: StagedOperation) -> int:
    """The most that any step can make of the event, whatever contexts it finds."""
    splits = operation.splits if isinstance(operation, PspOperation) else ()
    legs = max(1, len(splits))
    merchants = len(splits) + 1
    return (
        _MESSAGE_BYTES_MAX
        + legs * _LINES_PER_LEG * _LINE_BYTES_MAX
        + merchants * _SEGMENT_BYTES_MAX
    )


def chunks(
    sized: Iterable[tuple[int, ValidMessage]], budget_bytes: int
) -> Iterator[list[ValidMessage]]:
    """As few chunks as the budget allows, in order; a message alone may be over it."""
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
