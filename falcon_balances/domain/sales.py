"""Sales (design §7): what was refunded, charged back and reversed of each, and what is left.

A sale is stored under the merchant that its event names, by PSP and reference, as sums in each
currency. Each operation that takes from it or gives back to it has an item of its own, because a
refund counts with the larger of its two stages, and a reversal with the smaller.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from falcon_balances.domain.counting import add_to
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.sale_keys import SaleKey
from falcon_balances.domain.sale_operations import VERSION, SaleOperation, difference
from falcon_balances.domain.sale_parts import StagedPart
from falcon_balances.domain.table_keys import ItemKey
from falcon_balances.domain.table_writes import AddCounters, PutStanding, TableWrite

_FIGURES: Final = (
    "sold",
    "refunded",
    "charged_back",
    "reversed",
    "reversed_by_either",
    "set_aside",
    "commission",
    "commission_returned",
    "left",
)
CAPTURES: Final = "captures"


class SaleFigures(NamedTuple):
    """A sale in one currency, in minor units; `sold` is None if nothing was sold in it.

    left = sold - refunded - charged_back + reversed - set_aside.
    """

    sold: int | None
    refunded: int
    charged_back: int
    reversed: int
    reversed_by_either: int
    set_aside: int
    commission: int
    commission_returned: int
    left: int


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale's item. A sale is known from its first confirmed capture on; `found` holds its
    findings.
    """

    sale: SaleKey
    version: int
    captures: int
    chargebacks: int
    reversals: int
    currencies: Mapping[str, SaleFigures]
    found: str = ""

    @property
    def is_known(self) -> bool:
        return self.captures > 0

    def left(self, currency: str) -> int:
        """What can still be refunded; can be below zero."""
        figures = self.currencies.get(currency)
        return 0 if figures is None else figures.left

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> "Sale":
        codes = {name.partition("_")[0] for name in said if name[:3].isupper()}
        return cls(
            SaleKey.parse(key),
            int(said.get(VERSION, 0)),
            int(said.get(CAPTURES, 0)),
            int(said.get("chargebacks", 0)),
            int(said.get("reversals", 0)),
            {
                code: SaleFigures(
                    int(said[f"{code}_sold"]) if f"{code}_sold" in said else None,
                    *(int(said.get(f"{code}_{name}", 0)) for name in _FIGURES[1:]),
                )
                for code in sorted(codes)
            },
            str(said.get("found", "")),
        )


def left_name(currency: str) -> str:
    """The attribute of a sale's item that limits authorizations."""
    return f"{currency}_left"


@dataclass(frozen=True, slots=True)
class SaleEffect:
    """The changes that counting makes to sales: sums added to their items, and operations in their
    new state.

    `operations` come with the version that was read, 0 if there was none.
    """

    additions: Mapping[ItemKey, Mapping[str, int]]
    operations: Sequence[tuple[SaleOperation, int]] = ()

    def writes(self) -> list[TableWrite]:
        return [
            *(PutStanding(each.key, each.attributes(), seen) for each, seen in self.operations),
            *(AddCounters(key, added) for key, added in self.additions.items()),
        ]


def sale_effect(parts: Iterable[StagedPart], seen: Mapping[ItemKey, SaleOperation]) -> SaleEffect:
    """How parts counted in one transaction, in this order, change their sales.

    `seen`: the operations as they were read before the transaction.
    """
    additions: dict[ItemKey, dict[str, int]] = {}
    now: dict[ItemKey, SaleOperation] = {}
    for each in parts:
        key, sale = each.operation_item, each.part.sale.item
        if key is None:
            added = _of_capture(each)
        else:
            before = now.get(key) or seen.get(key) or SaleOperation(key, each.part.type)
            now[key] = before.after(each.stage, each.part)
            added = difference(before, now[key])
        if added:
            add_to(additions.setdefault(sale, {}), added)
    versions = {key: seen[key].version if key in seen else 0 for key in now}
    return SaleEffect(additions, [(each, versions[key]) for key, each in now.items()])


def _of_capture(each: StagedPart) -> dict[str, int]:
    """Confirmed captures make a sale; tracing them changes nothing."""
    part = each.part
    if each.stage is not Stage.CONFIRMED:
        return {}
    return {
        f"{part.currency}_sold": part.amount,
        left_name(part.currency): part.amount,
        f"{part.currency}_commission": part.commission,
        CAPTURES: part.operations,
        VERSION: 1,
    }
