"""Rows of 28 bytes with the amounts that lines add to their operations' standings.

A row is the sum of some lines in one stage of one operation at one balance. It has the operation's
whole id and the number of the balance, so two standings are never mixed up.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from falcon_balances.audit.lines import LineColumns
from falcon_balances.audit.spill import Rows
from falcon_balances.domain.operations import PSP_STAGES, Stage

ROW: Final = np.dtype(
    [("high", np.uint64), ("low", np.uint64), ("minor", np.int64), ("place", np.uint32)]
)
# A row's place: twice the number of its balance, plus one for the reconciled stage.
_SIDES: Final = {str(Stage.CONFIRMED): 0, str(Stage.RECONCILED): 1}
_ROW_MAX: Final = 1 << 60  # larger amounts are divided into parts of this size


class BalanceId(NamedTuple):
    merchant_id: str
    balance_shop_id: str
    currency: str


class StandingRows(NamedTuple):
    """Rows with their balances. Half of a row's `place`, rounded down, is its balance's index."""

    rows: Rows
    balances: Sequence[BalanceId]


NO_ROWS: Final = StandingRows(np.empty(0, dtype=ROW), ())


def rows_of(columns: LineColumns, owners: Sequence[tuple[str, str]]) -> StandingRows:
    """The rows of lines of PSPs' operations; `owners` are merchants with stages, by number.

    The amounts must add up in 64 bits. Neighbouring lines of one standing make one row.
    """
    sides = np.array([_SIDES.get(stage, -1) for _, stage in owners], dtype=np.int64)
    shops, currencies = columns.balance_shop_id.dictionary, columns.currency.dictionary
    code = columns.owners * len(shops) + columns.balance_shop_id.indices.to_numpy()
    code = code * len(currencies) + columns.currency.indices.to_numpy()
    ids, minor, side = columns.operations, columns.minor, sides[columns.owners]
    if (sides < 0).any():
        of_psp = side >= 0
        code, ids, minor, side = code[of_psp], ids[of_psp], minor[of_psp], side[of_psp]
    if not len(code):
        return NO_ROWS
    is_new = np.ones(len(code), dtype=np.bool_)
    is_new[1:] = (code[1:] != code[:-1]) | (ids[1:] != ids[:-1]).any(axis=1)
    starts = np.flatnonzero(is_new)
    used, number = np.unique(code[starts], return_inverse=True)
    rows = np.empty(len(starts), dtype=ROW)
    rows["high"], rows["low"] = ids[starts].T
    rows["minor"] = np.add.reduceat(minor, starts)
    rows["place"] = number * 2 + side[starts]
    names = [divmod(each, len(currencies)) for each in used.tolist()]
    return StandingRows(
        rows,
        [
            BalanceId(
                owners[rest // len(shops)][0],
                shops[rest % len(shops)].as_py(),
                currencies[currency].as_py(),
            )
            for rest, currency in names
        ],
    )


class Moved(NamedTuple):
    """One line's addition; `minor` is in minor units, of any size."""

    falcon_operation_id: str
    balance: BalanceId
    stage: Stage
    minor: int


def rows_of_lines(lines: Iterable[Moved]) -> StandingRows:
    """Like `rows_of`, line by line."""
    numbers: dict[BalanceId, int] = {}
    made: list[tuple[int, int, int, int]] = []
    for line in lines:
        if line.stage not in PSP_STAGES:
            continue
        number = numbers.setdefault(line.balance, len(numbers))
        high, low = np.frombuffer(_bytes_of(line.falcon_operation_id), dtype=np.uint64).tolist()
        place = number * 2 + _SIDES[line.stage]
        made += [(high, low, minor, place) for minor in _cut(line.minor)]
    return StandingRows(np.array(made, dtype=ROW), list(numbers))


def _bytes_of(operation_id: str) -> bytes:
    return bytes.fromhex(operation_id.replace("-", ""))


def _cut(minor: int) -> Iterator[int]:
    """Divides an amount into parts that fit into 64 bits."""
    while abs(minor) > _ROW_MAX:
        part = _ROW_MAX if minor > 0 else -_ROW_MAX
        yield part
        minor -= part
    yield minor
