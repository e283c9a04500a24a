"""The keys of a balance's past: its windows (quarters of an hour) and its closings (ends of days).

Each key begins with the balance, so that one query reads the past of one balance, however many
balances the merchant has.
"""

from datetime import date
from typing import Final, NamedTuple, Self

from falcon_balances.domain.table_keys import STREAM_PK, BalanceKey, ItemKey, fields_after


class WindowKey(NamedTuple):
    """What was counted of a balance in the quarter of an hour that began at `start`."""

    balance: BalanceKey
    start: str

    @property
    def sk(self) -> str:
        return f"{windows_of(self.balance)}{self.start}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        *balance, start = fields_after("WINDOW", sk, 3)
        return cls(BalanceKey(*balance), start)


WINDOW_KEYS: Final = "WINDOW#"


def windows_of(balance: BalanceKey) -> str:
    """The prefix of the sort keys of all windows of a balance."""
    return f"{WINDOW_KEYS}{balance.balance_shop_id}#{balance.currency}#"


class ClosingKey(NamedTuple):
    """A balance when the last quarter of a UTC day (`YYYY-MM-DD`) was closed."""

    balance: BalanceKey
    day: str

    @property
    def sk(self) -> str:
        return f"{closings_of(self.balance)}{self.day}"

    @classmethod
    def parse(cls, sk: str) -> Self:
        *balance, day = fields_after("CLOSING", sk, 3)
        if date.fromisoformat(day).isoformat() != day:
            raise ValueError("not a CLOSING key")
        return cls(BalanceKey(*balance), day)


def closings_of(balance: BalanceKey) -> str:
    """The prefix of the sort keys of all closings of a balance."""
    return f"CLOSING#{balance.balance_shop_id}#{balance.currency}#"


def closings_before(balance: BalanceKey, day: str) -> str:
    """A text that sorts after the keys of all earlier days' closings, and before the day's own."""
    return f"{closings_of(balance)}{day[:-1]}{chr(ord(day[-1]) - 1)}~"


# Until which day all closings are written: every reader of a statement reads it.
CLOSED_DAY_KEY: Final = ItemKey(STREAM_PK, "CLOSED_DAY")
# The same day with what the closer needs to go on. Sorts behind what readers of statements query.
CLOSED_JOURNAL_KEY: Final = ItemKey(STREAM_PK, "CLOSED_JOURNAL")


def moved_pk(day: str) -> str:
    """The partition of the closer's notes: which balances moved on the day."""
    return f"MOVED#{day}"
