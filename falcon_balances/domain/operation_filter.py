"""The filter of a merchant's list of counted operations."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from falcon_balances.domain.history import Mark
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operation_tags import tag

_EARLIEST: Final = "0"  # sorts before every order, because an order begins with a year
_LATEST: Final = ":"  # sorts after every order


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """The wanted operations; None lets all through."""

    start: datetime | None = None
    end: datetime | None = None
    type: str | None = None
    stage: str | None = None
    balance_shop_id: str | None = None
    psp_id: str | None = None

    @property
    def bounds(self) -> tuple[str, str]:
        """The first and the last order of the period; an order begins with its quarter."""
        return (
            _EARLIEST if self.start is None else rfc3339(self.start),
            _LATEST if self.end is None else rfc3339(self.end),
        )

    @property
    def lets_all_through(self) -> bool:
        return replace(self, start=None, end=None) == OperationFilter()

    @property
    def tags(self) -> list[str]:
        """The codes that the marks of all wanted operations have, with whatever others."""
        asked = {
            "stage": self.stage,
            "type": self.type,
            "psp_id": self.psp_id,
            "balance_shop_id": self.balance_shop_id,
        }
        return [tag(name, value) for name, value in asked.items() if value is not None]

    def lets_through(self, mark: Mark) -> bool:
        return (
            self.stage in (None, mark.stage)
            and (self.type is None or any(line.type == self.type for line in mark.lines))
            and (self.psp_id is None or any(line.psp_id == self.psp_id for line in mark.lines))
            and (
                self.balance_shop_id is None
                or any(line.balance_shop_id == self.balance_shop_id for line in mark.lines)
            )
        )
