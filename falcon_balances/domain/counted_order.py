"""In which order a merchant's segments were counted: their marks' keys, and what sorts them."""

from typing import Final, NamedTuple, Self

from falcon_balances.domain.instants import parse_rfc3339, quarter_of, rfc3339
from falcon_balances.domain.operations import read_staged
from falcon_balances.domain.table_keys import STANDINGS, StandingKey, fields_after, key_fields


class MarkKey(NamedTuple):
    """The record that a segment has been counted; parts of it from the second on are numbered.

    `staged` is the stage, and from the second revision on the revision.
    """

    falcon_operation_id: str
    staged: str
    part: int = 0

    @property
    def sk(self) -> str:
        number = f"#{self.part}" if self.part else ""
        return f"OPERATION#{self.falcon_operation_id}#{self.staged}{number}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        operation_id, rest = fields_after("OPERATION", sk, 2, last_may_hold_it=True)
        staged, _, number = rest.partition("#")
        read_staged(staged)
        found = cls(operation_id, staged, int(number or 0))
        if found.sk != sk or found.part < 0:
            raise ValueError("not an OPERATION key")
        return found


MARKS: Final = "OPERATION#"


def marks_of(falcon_operation_id: str) -> str:
    """How the sort keys of all its marks begin: of every stage, revision and part."""
    return f"{MARKS}{falcon_operation_id}#"


class CountedOrder(NamedTuple):
    """What sorts a merchant's marks as they were counted: the window, then the date that the lines
    bear, both in RFC 3339 with a `Z`; then what tells two of one second apart.
    """

    window: str
    booked_at: str
    falcon_operation_id: str
    staged: str

    @property
    def text(self) -> str:
        return "#".join(self)

    @classmethod
    def parse(cls, text: str) -> Self:
        found = cls(*key_fields(text, 4))
        read_staged(found.staged)
        window, booked_at = parse_rfc3339(found.window), parse_rfc3339(found.booked_at)
        written = (rfc3339(quarter_of(window)), rfc3339(booked_at))
        if written != (found.window, found.booked_at):
            raise ValueError("not an order of counting")
        return found

    @property
    def mark(self) -> MarkKey:
        return MarkKey(self.falcon_operation_id, self.staged)


class LateKey(NamedTuple):
    """An operation of that month (`YYYY-MM`) that was counted after it, by when it was counted."""

    month: str
    order: CountedOrder

    @property
    def sk(self) -> str:
        return f"{late_in(self.month)}{self.order.text}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        month, order = fields_after("LATE", sk, 2, last_may_hold_it=True)
        return cls(month, CountedOrder.parse(order))


def late_in(month: str) -> str:
    """How the sort keys of what was counted after that month begin."""
    return f"LATE#{month}#"


def operation_referenced(sk: str) -> str:
    """The falcon_operation_id that an item of the index by reference is about: the item is a
    standing or a mark. Raises ValueError.
    """
    if sk.startswith(STANDINGS):
        return StandingKey.parse(sk).falcon_operation_id
    return MarkKey.parse(sk).falcon_operation_id
