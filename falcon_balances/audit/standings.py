"""Joins both stages of every operation, to tell which amounts both report, and which only one.

An operation's standing at a balance is the net of its confirmed lines and that of its reconciled
lines. Rows beyond half a million are in a temporary folder, by the first byte of their keys, and
are joined there part by part.
"""

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np

from falcon_balances.audit.line_fields import Words
from falcon_balances.audit.line_grammar import Flags, Numbers
from falcon_balances.audit.spill import Rows, Spill
from falcon_balances.audit.standing_rows import ROW, BalanceId, StandingRows
from falcon_balances.domain.available import Agreement, agreement

_HELD_MAX: Final = 1 << 19  # rows of 28 bytes: 14 MB, and some times that while they are joined
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_EXACT_IN_64_BITS: Final = float(1 << 62)
NOTHING: Final = agreement(0, 0)


class OperationNets(NamedTuple):
    """One operation at one balance, with the nets of its stages in minor units."""

    falcon_operation_id: str
    balance: BalanceId
    confirmed: int
    reconciled: int


def plus(one: Agreement, other: Agreement) -> Agreement:
    """Adds figures of several operations one by one."""
    return Agreement(*(mine + theirs for mine, theirs in zip(one, other, strict=True)))


class Standings:
    """All rows so far, in any order; beyond `held_max` they are in files."""

    def __init__(self, held_max: int = _HELD_MAX) -> None:
        self._rows = Spill(ROW, _keys, held_max)
        self._numbers: dict[BalanceId, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._rows.__exit__(kind, error, traceback)

    def add(self, some: StandingRows) -> None:
        if not len(some.rows):
            return
        numbers = [self._numbers.setdefault(each, len(self._numbers)) for each in some.balances]
        place = some.rows["place"]
        rows = some.rows.copy()
        rows["place"] = np.array(numbers, dtype=np.uint32)[place >> 1] * 2 + (place & 1)
        self._rows.add(rows)

    def agreements(self) -> dict[BalanceId, Agreement]:
        """Each balance's figures: the sums over operations whose stages differ.

        If the stages agree, the open figures are zero and `counted` is the net of either stage;
        such operations are left out, and so are balances without other operations.
        """
        balances = list(self._numbers)
        found: dict[BalanceId, Agreement] = {}
        for joined in self._joined():
            for number, agreed in joined.agreements():
                balance = balances[number]
                found[balance] = plus(found.get(balance, NOTHING), agreed)
        return found

    def standings(self) -> Iterator[OperationNets]:
        """All standings, also those that agree, in no order."""
        balances = list(self._numbers)
        for joined in self._joined():
            for operation_id, number, confirmed, reconciled in joined.standings():
                yield OperationNets(operation_id, balances[number], confirmed, reconciled)

    def _joined(self) -> Iterator["_Joined"]:
        for rows in self._rows.parts():
            if len(rows):
                yield _Joined(rows)


def _keys(rows: Rows) -> Words:
    """A key for each row. Rows of the same standing have the same key; other rows rarely do."""
    keys: Words = (rows["high"] ^ (rows["low"] * _SPREAD)) + (rows["place"] >> 1) * _SPREAD
    return keys


class _Joined:
    """Rows grouped by standing: `starts` has the beginning of each group."""

    def __init__(self, rows: Rows) -> None:
        keys = _keys(rows)
        order = np.argsort(keys)
        rows, keys = rows[order], keys[order]
        is_new = _changes(rows)
        same_key = keys[1:] == keys[:-1]
        if (is_new[1:] & same_key).any():
            # Two standings with the same key: their rows may be mixed, so all rows are sorted by
            # operation and balance instead.
            rows = rows[np.lexsort((rows["place"] >> 1, rows["low"], rows["high"]))]
            is_new = _changes(rows)
        self._rows = rows
        self._starts = np.flatnonzero(is_new)

    def agreements(self) -> Iterator[tuple[int, Agreement]]:
        """Each balance's figures, calculated once per kind: standings with the same signs and the
        same lower stage. Within a kind the rule is linear, so sums give the sum of the results.
        """
        confirmed, reconciled, large = self._nets()
        differ = np.flatnonzero((confirmed != reconciled) & ~large)
        some, others = confirmed[differ], reconciled[differ]
        kind = (some < 0) * 4 + (others < 0) * 2 + (some < others)
        balances = (self._rows["place"][self._starts[differ]] >> 1).astype(np.int64)
        kinds, sums = _exact_sums(balances * 8 + kind, (some, others))
        for each, (of_confirmed, of_reconciled) in zip(kinds, sums, strict=True):
            yield each // 8, agreement(of_confirmed, of_reconciled)
        for _, number, one, other in self._large(large):
            if one != other:
                yield number, agreement(one, other)

    def standings(self) -> Iterator[tuple[str, int, int, int]]:
        confirmed, reconciled, large = self._nets()
        exact = ~large
        starts = self._starts[exact]
        yield from zip(
            _operation_ids(self._rows[starts]),
            (self._rows["place"][starts] >> 1).tolist(),
            confirmed[exact].tolist(),
            reconciled[exact].tolist(),
            strict=True,
        )
        yield from self._large(large)

    def _nets(self) -> tuple[Numbers, Numbers, Flags]:
        """Each standing's confirmed and reconciled net, and whether they may exceed 64 bits."""
        minor, is_reconciled = self._rows["minor"], (self._rows["place"] & 1).astype(np.bool_)
        size = np.add.reduceat(np.abs(minor).astype(np.float64), self._starts)
        return (
            np.add.reduceat(np.where(is_reconciled, 0, minor), self._starts),
            np.add.reduceat(np.where(is_reconciled, minor, 0), self._starts),
            size >= _EXACT_IN_64_BITS,
        )

    def _large(self, large: Flags) -> Iterator[tuple[str, int, int, int]]:
        ends = np.append(self._starts[1:], len(self._rows))
        for which in np.flatnonzero(large).tolist():
            rows = self._rows[self._starts[which] : ends[which]]
            nets = [0, 0]
            for place, minor in zip(rows["place"].tolist(), rows["minor"].tolist(), strict=True):
                nets[place & 1] += minor
            [operation_id] = _operation_ids(rows[:1])
            yield operation_id, int(rows["place"][0]) >> 1, nets[0], nets[1]


def _changes(rows: Rows) -> Flags:
    """Whether each row begins another standing than the row before."""
    is_new = np.ones(len(rows), dtype=np.bool_)
    balance = rows["place"] >> 1
    is_new[1:] = (
        (rows["high"][1:] != rows["high"][:-1])
        | (rows["low"][1:] != rows["low"][:-1])
        | (balance[1:] != balance[:-1])
    )
    return is_new


def _operation_ids(rows: Rows) -> Iterator[str]:
    words = np.stack([rows["high"], rows["low"]], axis=1)
    for each in range(len(words)):
        text = words[each].tobytes().hex()
        yield f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _exact_sums(
    groups: Numbers, columns: Sequence[Numbers]
) -> tuple[list[int], list[tuple[int, ...]]]:
    """Exact sums of each group: 64-bit numbers are summed in two halves."""
    if not len(groups):
        return [], []
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    starts = np.flatnonzero(np.append(True, sorted_groups[1:] != sorted_groups[:-1]))
    sums = []
    for column in columns:
        high = np.add.reduceat(column[order] >> 32, starts).tolist()
        low = np.add.reduceat(column[order] & 0xFFFFFFFF, starts).tolist()
        sums.append([(h << 32) + each for h, each in zip(high, low, strict=True)])
    return sorted_groups[starts].tolist(), list(zip(*sums, strict=True))
