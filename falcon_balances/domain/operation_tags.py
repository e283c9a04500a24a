"""Short codes in the index of marks, by which a filtered list passes over other operations.

A mark has a code for its stage, and for each type, PSP and balance shop of its lines. Two values
may share a code, so whoever reads by codes filters the marks once more.
"""

from collections.abc import Iterable
from typing import Final
from zlib import crc32

from falcon_balances.domain.operations import BalanceOperation, Stage

# 150 bytes; a mark with more codes is not passed over by any list.
_CODES_MAX: Final = 30
EVERY: Final = "*"


def tag(name: str, value: str) -> str:
    """Four hexadecimal digits for what a filter can ask: `stage`, `type`, `psp_id` or
    `balance_shop_id`, and its value.
    """
    return f"{crc32(f'{name}={value}'.encode()) & 0xFFFF:04x}"


def tags_of(stage: Stage, lines: Iterable[BalanceOperation]) -> str:
    """The codes of a mark, each once, with spaces between them; EVERY if there are too many."""
    codes = {tag("stage", stage)}
    for line in lines:
        codes |= {
            tag("type", line.type),
            tag("psp_id", line.psp_id),
            tag("balance_shop_id", line.balance_shop_id),
        }
    return EVERY if len(codes) > _CODES_MAX else " ".join(sorted(codes))
