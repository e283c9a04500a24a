"""Both stages of every operation, joined: what of a balance both say, and what only one.

An operation's standing at a balance is the net of its confirmed lines and that of its reconciled
ones. A row is what some lines add to one side of one standing: 28 bytes, with the operation's whole
id and the balance by its number, so that no two standings are ever taken for one. Rows beyond half
a million lie in a temporary folder, by their keys' first byte, and are joined there part by part.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np

from falcon_balances.audit.line_grammar import Flags, Numbers
from falcon_balances.audit.lines import LineColumns, Words
from falcon_balances.domain.available import Agreement, agreement
from falcon_balances.domain.operations import PSP_STAGES, Stage

_HELD_MAX: Final = 1 << 19  # rows of 28 bytes: 14 MB, and some times that while they are joined
_FOLDS: Final = 256
_ROW: Final = np.dtype(
    [("high", np.uint64), ("low", np.uint64), ("minor", np.int64), ("place", np.uint32)]
)
# A row's place: twice the number of its balance, and one more if it is of the reconciled stage.
_SIDES: Final = {str(Stage.CONFIRMED): 0, str(Stage.RECONCILED): 1}
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
_EXACT_IN_64_BITS: Final = float(1 << 62)
_ROW_MAX: Final = 1 << 60  # what a larger amount is cut into

Rows = np.ndarray[Any, Any]


class BalanceId(NamedTuple):
    merchant_id: str
    balance_shop_id: str
    currency: str


class StandingRows(NamedTuple):
    """The numbers in `rows` are places in `balances`."""

    rows: Rows
    balances: Sequence[BalanceId]


class Standing(NamedTuple):
    """One operation at one balance: the nets of its stages, in minor units."""

    falcon_operation_id: str
    balance: BalanceId
    confirmed: int
    reconciled: int


NOTHING: Final = agreement(0, 0)
NO_ROWS: Final = StandingRows(np.empty(0, dtype=_ROW), ())


def plus(one: Agreement, other: Agreement) -> Agreement:
    """Figures of several operations are added one by one."""
    return Agreement(*(mine + theirs for mine, theirs in zip(one, other, strict=True)))


def rows_of(columns: LineColumns, owners: Sequence[tuple[str, str]]) -> StandingRows:
    """What the lines of PSPs' operations add; `owners`, merchants with stages, by their numbers.

    The amounts must add up in 64 bits. Lines that follow each other in a standing make one row.
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
    rows = np.empty(len(starts), dtype=_ROW)
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
    """What one line adds; `minor` in minor units, of any size."""

    falcon_operation_id: str
    balance: BalanceId
    stage: Stage
    minor: int


def rows_of_lines(lines: Iterable[Moved]) -> StandingRows:
    """As `rows_of`, one by one."""
    numbers: dict[BalanceId, int] = {}
    made: list[tuple[int, int, int, int]] = []
    for line in lines:
        if line.stage not in PSP_STAGES:
            continue
        number = numbers.setdefault(line.balance, len(numbers))
        high, low = np.frombuffer(_bytes_of(line.falcon_operation_id), dtype=np.uint64).tolist()
        place = number * 2 + _SIDES[line.stage]
        made += [(high, low, minor, place) for minor in _cut(line.minor)]
    return StandingRows(np.array(made, dtype=_ROW), list(numbers))


def _bytes_of(operation_id: str) -> bytes:
    return bytes.fromhex(operation_id.replace("-", ""))


def _cut(minor: int) -> Iterator[int]:
    """Into parts that 64 bits hold."""
    while abs(minor) > _ROW_MAX:
        part = _ROW_MAX if minor > 0 else -_ROW_MAX
        yield part
        minor -= part
    yield minor


class Standings:
    """Every row so far, in any order. Beyond `held_max` they go to files."""

    def __init__(self, held_max: int = _HELD_MAX) -> None:
        self._held_max = held_max
        self._held: list[Rows] = []
        self._count = 0
        self._numbers: dict[BalanceId, int] = {}
        self._folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, some: StandingRows) -> None:
        if not len(some.rows):
            return
        numbers = [self._numbers.setdefault(each, len(self._numbers)) for each in some.balances]
        place = some.rows["place"]
        rows = some.rows.copy()
        rows["place"] = np.array(numbers, dtype=np.uint32)[place >> 1] * 2 + (place & 1)
        self._held.append(rows)
        self._count += len(rows)
        if self._count > self._held_max:
            self._spill()

    def agreements(self) -> dict[BalanceId, Agreement]:
        """Each balance's figures: those of its operations whose stages differ, added up.

        Where they are the same the rest is nothing, and `counted` what either stage's lines say:
        it is left out here, as is a balance whose operations all agree.
        """
        balances = list(self._numbers)
        found: dict[BalanceId, Agreement] = {}
        for joined in self._joined():
            for number, agreed in joined.agreements():
                balance = balances[number]
                found[balance] = plus(found.get(balance, NOTHING), agreed)
        return found

    def standings(self) -> Iterator[Standing]:
        """Each of them, those that agree too, in no order."""
        balances = list(self._numbers)
        for joined in self._joined():
            for operation_id, number, confirmed, reconciled in joined.standings():
                yield Standing(operation_id, balances[number], confirmed, reconciled)

    def _joined(self) -> Iterator["_Joined"]:
        if self._folder is None:
            held = np.concatenate([NO_ROWS.rows, *self._held])
            if len(held):
                yield _Joined(held)
            return
        self._spill()
        for fold in range(_FOLDS):
            rows = np.fromfile(self._file(fold), dtype=_ROW)
            if len(rows):
                yield _Joined(rows)

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="falcon-standings-")
        held = np.concatenate([NO_ROWS.rows, *self._held])
        self._held, self._count = [], 0
        fold = _keys(held) >> np.uint64(56)
        order = np.argsort(fold, kind="stable")
        held = held[order]
        borders = [*np.searchsorted(fold[order], np.arange(_FOLDS)).tolist(), len(held)]
        for number in range(_FOLDS):
            with self._file(number).open("ab") as file:
                held[borders[number] : borders[number + 1]].tofile(file)

    def _file(self, fold: int) -> Path:
        assert self._folder is not None  # noqa: S101 - only asked for once there is one
        return Path(self._folder.name, f"{fold:02x}")


def _keys(rows: Rows) -> Words:
    """Equal for rows of one standing, and nearly never otherwise."""
    keys: Words = (rows["high"] ^ (rows["low"] * _SPREAD)) + (rows["place"] >> 1) * _SPREAD
    return keys


class _Joined:
    """Rows, brought together by standing: `starts` says where each begins."""

    def __init__(self, rows: Rows) -> None:
        keys = _keys(rows)
        order = np.argsort(keys)
        rows, keys = rows[order], keys[order]
        is_new = _changes(rows)
        same_key = keys[1:] == keys[:-1]
        if (is_new[1:] & same_key).any():
            # Two standings with one key: their rows may lie mixed. Then by all that they are.
            rows = rows[np.lexsort((rows["place"] >> 1, rows["low"], rows["high"]))]
            is_new = _changes(rows)
        self._rows = rows
        self._starts = np.flatnonzero(is_new)

    def agreements(self) -> Iterator[tuple[int, Agreement]]:
        """Within a kind, of given signs and with a given stage below the other, the rule is linear:
        what it makes of the sums of a kind is the sum of what it makes of each.
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
        """Of each standing; the last says where 64 bits may not have held them."""
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
    """Where another standing begins than in the row before."""
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
    """Of each group, exact: 64 bits are added up in two halves."""
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
