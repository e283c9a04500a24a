"""The table `balances` (design §7): its keys, its counters, and what can be written to it.

Every write is plain data, so that the table and its in-memory fake carry out the same decisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from falcon_balances.domain.operations import Stage

COUNTERS: Final = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
    "withdrawn",
    "adjusted",
    "available",
    "operations_count",
)
_OF_ONE_STAGE: Final = {
    Stage.CONFIRMED: ("confirmed", 1),
    Stage.RECONCILED: ("reconciled", 1),
    Stage.PAYOUT: ("withdrawn", -1),
    Stage.ADJUSTMENT: ("adjusted", 1),
}
LATE: Final = "late_"


class ItemKey(NamedTuple):
    pk: str
    sk: str


@dataclass(frozen=True, slots=True)
class PutMark:
    """The record that (a part of) a segment has been counted: written only where there is none."""

    key: ItemKey
    attributes: Mapping[str, str | int]
    only_if_absent: bool = True


@dataclass(frozen=True, slots=True)
class AddCounters:
    """Whole numbers added to an item's attributes; what is not there yet counts from zero."""

    key: ItemKey
    counters: Mapping[str, int]
    available_min: int | None = None
    """Only if `available` is at least this much."""
    blocked_max: int | None = None
    """Only if no more than this is blocked."""
    operations_count: int | None = None
    """Only if exactly so many lines are counted."""
    at_least: tuple[str, int] | None = None
    """Only if this attribute is there, and at least so much."""
    none_of: str | None = None
    """Only if this attribute is not there, or zero."""


@dataclass(frozen=True, slots=True)
class EndBlock:
    """The one end of a block: only while it is active and, if it expires, not before its time."""

    key: ItemKey
    status: str
    ended_at: str
    ended_by: str
    expired_at: str | None = None


@dataclass(frozen=True, slots=True)
class PutStanding:
    """An operation's two stages at one merchant as they stand now (`domain/standing.py`).

    Only where the version that was read is still there: `seen` is 0 where there must be none.
    """

    key: ItemKey
    attributes: Mapping[str, str | int]
    seen: int


@dataclass(frozen=True, slots=True)
class PutNewer:
    """Written only where there is none, or one that knew less: `known` is among its attributes."""

    key: ItemKey
    attributes: Mapping[str, str | int]
    known: int


@dataclass(frozen=True, slots=True)
class NoteFound:
    """What was found in an item, kept there, while it is as it was read: its version moves on."""

    key: ItemKey
    version: int
    found: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Gone, whether it was there or not."""

    key: ItemKey


TableWrite = PutMark | AddCounters | EndBlock | PutStanding | PutNewer | NoteFound | Drop


def merchant_pk(merchant_id: str) -> str:
    return f"MERCHANT#{merchant_id}"


def balance_sk(balance_shop_id: str, currency: str) -> str:
    return f"BALANCE#{balance_shop_id}#{currency}"


def is_balance(key: ItemKey) -> bool:
    return key.sk.startswith("BALANCE#")


def block_sk(block_id: str) -> str:
    return f"BLOCK#{block_id}"


def block_id_of(key: ItemKey) -> str:
    return key.sk.removeprefix(block_sk(""))


def correction_sk(corrected_operation_id: str, operation_id: str) -> str:
    """Where what was corrected finds its correction, whichever of the two is counted first."""
    return f"CORRECTION#{corrected_operation_id}#{operation_id}"


def standing_sk(falcon_operation_id: str) -> str:
    return f"STANDING#{falcon_operation_id}"


def referenced_by(merchant_id: str, reference: str) -> str:
    """Where the index finds a merchant's operations by a reference; merchants' ids hold no `#`."""
    return f"REFERENCE#{merchant_id}#{reference}"


def window_sk(window: str, balance_shop_id: str, currency: str) -> str:
    return f"WINDOW#{window}#{balance_shop_id}#{currency}"


def late_sk(month: str, counted_order: str) -> str:
    """An operation of that month (`YYYY-MM`) that was counted after it: by when it was."""
    return f"LATE#{month}#{counted_order}"


def mark_sk(falcon_operation_id: str, staged: str) -> str:
    """`staged`: the stage, and from the second on the revision."""
    return f"OPERATION#{falcon_operation_id}#{staged}"


def stage_counters(stage: Stage, amount: int, lines: int) -> dict[str, int]:
    """What lines of one stage that add up to `amount` add whatever the other stage says.

    The joint figures, and `available` with them, follow from both (`domain/available.py`).
    """
    name, sign = _OF_ONE_STAGE[stage]
    return {name: sign * amount, "operations_count": lines}


def add_to(total: dict[str, int], added: Mapping[str, int]) -> None:
    for name, value in added.items():
        total[name] = total.get(name, 0) + value
