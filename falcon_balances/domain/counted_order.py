"""The order in which a merchant's segments were counted: keys of marks, and their sort order."""

from typing import Final, NamedTuple, Self

from falcon_balances.domain.instants import parse_rfc3339, quarter_of, rfc3339
from falcon_balances.domain.operations import read_staged
from falcon_balances.domain.table_keys import STANDING_KEYS, StandingKey, fields_after, key_fields


class MarkKey(NamedTuple):
    """The key of a mark, which records that a segment was counted.

    `staged`: the stage, with the revision from the second on. `part`: 0 for the first part.
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


MARK_KEYS: Final = "OPERATION#"


def marks_of(falcon_operation_id: str) -> str:
    """The prefix of the sort keys of all marks of the operation: every stage, revision and part."""
    return f"{MARK_KEYS}{falcon_operation_id}#"


class CountedOrder(NamedTuple):
    """The sort order of a merchant's marks: the window, then the operation date, both in RFC 3339
    with `Z`; then operation and stage, for marks of the same second.
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
    """The key of an operation that was counted after its month (`YYYY-MM`); these keys sort in the
    order of counting.
    """

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
    """The prefix of the sort keys of a month's operations that were counted after the month."""
    return f"LATE#{month}#"


def operation_referenced(sk: str) -> str:
    """The falcon_operation_id of an item of the index by reference, which is a standing or a mark.
    Raises ValueError.
    """
    if sk.startswith(STANDING_KEYS):
        return StandingKey.parse(sk).falcon_operation_id
    return MarkKey.parse(sk).falcon_operation_id
