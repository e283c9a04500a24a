"""The sums of a merchant's sealed lines, and their form in a manifest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from falcon_balances.domain.money import at_full_scale


class SealedKind(NamedTuple):
    """The key by which a merchant's lines are summed."""

    balance_shop_id: str
    currency: str
    stage: str
    type: str


class SealedSum(NamedTuple):
    """A sum in minor units, the decimals of its currency, and the number of lines."""

    minor: int
    exponent: int
    lines: int

    def plus(self, other: "SealedSum | None") -> "SealedSum":
        if other is None:
            return self
        return SealedSum(self.minor + other.minor, self.exponent, self.lines + other.lines)


SealedSums = dict[SealedKind, SealedSum]


def written_sums(totals: SealedSums) -> list[list[str | int]]:
    return [
        [*key, at_full_scale(total.minor, total.exponent), total.lines]
        for key, total in sorted(totals.items())
    ]


def read_sums(sums: Sequence[Sequence[Any]]) -> SealedSums:
    totals = {}
    for *key, amount, lines in sums:
        whole, _, fraction = amount.partition(".")
        totals[SealedKind(*key)] = SealedSum(int(whole + fraction), len(fraction), lines)
    return totals
