"""Where a page of a merchant statement ended, as its cursor keeps it.

A page begins where another ended, often within a quarter of an hour; only the quarter's borders
can be read from the table. So the position keeps what its quarter had counted until then.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import Self

from falcon_balances.domain.counted_order import CountedOrder
from falcon_balances.domain.history import Figures
from falcon_balances.domain.table_keys import BalanceKey, key_fields


@dataclass(frozen=True, slots=True)
class MerchantStatementPosition:
    """`counted`: by balance, what the quarter of `order` had counted until then, `order` included.

    It has only balances that moved, and only those that the statement shows.
    """

    order: CountedOrder
    counted: Mapping[BalanceKey, Figures]

    @property
    def text(self) -> str:
        return "|".join([self.order.text, *map(_counted_text, sorted(self.counted.items()))])

    @classmethod
    def parse(cls, text: str) -> Self:
        """The position in a text of `text`. Raises ValueError for any other text."""
        order, *counted = text.split("|")
        return cls(CountedOrder.parse(order), dict(map(_read_counted, counted)))


def _counted_text(counted: tuple[BalanceKey, Figures]) -> str:
    """The figures as text. Zeros, which are most figures of a quarter, take no character."""
    balance, figures = counted
    return f"{'#'.join(balance)}#{','.join(str(each or '') for each in astuple(figures))}"


def _read_counted(text: str) -> tuple[BalanceKey, Figures]:
    shop, currency, values = key_fields(text, 3)
    numbers = [int(each or 0) for each in values.split(",")]
    if len(numbers) != len(astuple(Figures())):
        raise ValueError("expected as many figures as a balance has")
    return BalanceKey(shop, currency), Figures(*numbers)
