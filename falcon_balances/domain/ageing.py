"""Groups open amounts by age, as accountants do."""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple, Protocol

# The highest age of each group in days, and the group's name.
AGES: Final = ((1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"))
OLDER: Final = "older"


class Open(Protocol):
    @property
    def currency(self) -> str: ...

    @property
    def minor(self) -> int:
        """The open amount in minor units, signed."""

    @property
    def since(self) -> date: ...


class AgeRow(NamedTuple):
    """The open items of one age: `debit` is the sum of the positive amounts, `credit` of the
    negative ones, both in minor units.
    """

    currency: str
    age: str
    items: int
    debit: int
    credit: int


def by_age(items: Iterable[Open], today: date) -> list[AgeRow]:
    """One row per currency and age, youngest age first; ages without open items are left out."""
    found: dict[tuple[str, int], list[int]] = {}
    for item in items:
        days = (today - item.since).days
        group = sum(days > limit for limit, _ in AGES)
        found.setdefault((item.currency, group), []).append(item.minor)
    names = [name for _, name in AGES] + [OLDER]
    return [
        AgeRow(
            currency,
            names[group],
            len(minors),
            sum(each for each in minors if each > 0),
            -sum(each for each in minors if each < 0),
        )
        for (currency, group), minors in sorted(found.items())
    ]
