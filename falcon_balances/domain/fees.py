"""Fees (design §4): the amount charged on a leg, rounded once, half up."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import OperationType

PERCENT_DECIMALS: Final = 6
_WHOLE: Final = 100 * 10**PERCENT_DECIMALS


@dataclass(frozen=True, slots=True)
class Fee:
    """`percent_millionths`: 1.00 % is 1_000_000. All other figures are minor units by currency."""

    on: OperationType
    percent_millionths: int
    fixed: Mapping[str, int] = field(default_factory=dict)
    minimum: Mapping[str, int] = field(default_factory=dict)
    maximum: Mapping[str, int] = field(default_factory=dict)
    type: OperationType = OperationType.PSP_FEE

    def of(self, leg: Money) -> Money | None:
        """Percent of the leg plus fixed, rounded half up once, then limited to min and max; None if
        that is zero, because a fee of zero makes no line.
        """
        code = leg.currency.code
        minor = (2 * leg.minor * self.percent_millionths + _WHOLE) // (2 * _WHOLE)
        minor += self.fixed.get(code, 0)
        minor = max(minor, self.minimum.get(code, minor))
        minor = min(minor, self.maximum.get(code, minor))
        return Money(minor, leg.currency) if minor else None

    def widens(self, narrower: "Fee", added: frozenset[str]) -> bool:
        """Whether this is the same fee except for the currencies `added`."""
        return replace(self, fixed={}, minimum={}, maximum={}) == replace(
            narrower, fixed={}, minimum={}, maximum={}
        ) and all(
            old.items() <= new.items() and new.keys() - old.keys() <= added
            for old, new in (
                (narrower.fixed, self.fixed),
                (narrower.minimum, self.minimum),
                (narrower.maximum, self.maximum),
            )
        )
