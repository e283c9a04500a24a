"""The keys of a merchant's past: what was counted of a balance in a quarter of an hour.

The balance is first, so that one query reads the past of one balance, however many others there
are.
"""

from typing import NamedTuple, Self

from falcon_balances.domain.table_keys import BalanceKey, fields_after


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


WINDOW_KEYS = "WINDOW#"


def windows_of(balance: BalanceKey) -> str:
    """The prefix of the sort keys of all windows of a balance."""
    return f"{WINDOW_KEYS}{balance.balance_shop_id}#{balance.currency}#"
