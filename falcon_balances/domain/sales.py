"""Sales (design §7): what was refunded, charged back and reversed of each, and what is left of it.

A sale lies under the merchant that its event names, by PSP and reference, as sums in each currency.
Beside it lies one item for each operation that takes of it or gives back to it, because a refund
takes the larger of what its two stages say, and a reversal gives back the smaller.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from falcon_balances.domain.counting import add_to
from falcon_balances.domain.operations import OperationType, PspOperation, Stage
from falcon_balances.domain.sale_keys import SaleKey, SaleOperationKey
from falcon_balances.domain.table_keys import ItemKey, key_fields
from falcon_balances.domain.table_writes import AddCounters, PutStanding, TableWrite

TAKING: Final = frozenset({OperationType.REFUND, OperationType.CHARGEBACK})
OF_A_SALE: Final = TAKING | {OperationType.CHARGEBACK_REVERSAL}
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
# Every operation of a sale counts it up, so that what was found in it can be told from what is.
VERSION: Final = "version"
CAPTURES: Final = "captures"


@dataclass(frozen=True, slots=True)
class SalePart:
    """What an operation says of a sale, or what a revision changes of that; in minor units.

    `operations` is 1 where the operation comes to the sale, -1 where it leaves it for another.
    """

    sale: SaleKey
    type: OperationType
    currency: str
    amount: int
    commission: int = 0
    operations: int = 1


def sale_part(operation: PspOperation, merchant_id: str) -> SalePart | None:
    """By the whole event; None where it belongs to no sale. `merchant_id` is whom it names.

    A capture is a sale itself, under its own reference, whatever its occurrence.
    """
    if operation.type is OperationType.CAPTURE:
        reference: str | None = operation.external_reference
    else:
        reference = operation.original_reference if operation.type in OF_A_SALE else None
    if reference is None:
        return None
    return SalePart(
        SaleKey(merchant_id, operation.psp_id, reference),
        operation.type,
        operation.amount.currency.code,
        operation.amount.minor,
        sum(part.marketplace_fee.minor for part in operation.splits if part.marketplace_fee),
    )


def sale_change(old: SalePart | None, new: SalePart | None) -> tuple[SalePart, ...]:
    """What a revision changes: the new less the old, at one sale or at two."""
    if old is not None and new is not None and old.sale == new.sale:
        if old.currency == new.currency:
            amount, commission = new.amount - old.amount, new.commission - old.commission
            changed = replace(new, amount=amount, commission=commission, operations=0)
            return (changed,) if amount or commission else ()
        return (_left(old, 0), replace(new, operations=0))
    leaving = () if old is None else (_left(old, -1),)
    return leaving if new is None else (*leaving, new)


def _left(old: SalePart, operations: int) -> SalePart:
    return replace(old, amount=-old.amount, commission=-old.commission, operations=operations)


class Taken(NamedTuple):
    """An amount, and the commission that moved with it; in minor units."""

    amount: int = 0
    commission: int = 0


_NOTHING: Final = Taken()
Amounts = Mapping[str, Taken]  # by currency


def _amounts_text(amounts: Amounts) -> str:
    return ",".join(
        f"{code}#{each.amount}#{each.commission}" for code, each in sorted(amounts.items())
    )


def _amounts(text: str) -> Amounts:
    parts = (key_fields(each, 3) for each in text.split(",") if each)
    return {code: Taken(int(amount), int(commission)) for code, amount, commission in parts}


@dataclass(frozen=True, slots=True)
class SaleOperation:
    """A refund, chargeback or reversal of a sale: what each stage says of it, over all revisions.

    `set_aside`: what an authorization holds for it, which ends with its first stage.
    """

    key: ItemKey
    type: OperationType
    version: int = 0
    stages: Mapping[Stage, Amounts] = field(default_factory=dict)
    set_aside: Mapping[str, int] = field(default_factory=dict)

    @property
    def falcon_operation_id(self) -> str:
        return SaleOperationKey.parse(self.key.sk).falcon_operation_id

    def larger(self, currency: str) -> Taken:
        return self._of_stages(currency, max)

    def smaller(self, currency: str) -> Taken:
        return self._of_stages(currency, min)

    def _of_stages(self, currency: str, choose: Callable[[Iterable[int]], int]) -> Taken:
        both = [
            self.stages.get(stage, {}).get(currency, _NOTHING)
            for stage in (Stage.CONFIRMED, Stage.RECONCILED)
        ]
        return Taken(*(choose(of_both) for of_both in zip(*both, strict=True)))

    @property
    def currencies(self) -> list[str]:
        found = set(self.set_aside)
        for amounts in self.stages.values():
            found |= set(amounts)
        return sorted(found)

    def after(self, stage: Stage, part: SalePart) -> "SaleOperation":
        before = self.stages.get(stage, {})
        amount, commission = before.get(part.currency, _NOTHING)
        now = Taken(amount + part.amount, commission + part.commission)
        said = {code: taken for code, taken in before.items() if code != part.currency}
        stages = {**self.stages, stage: said | ({part.currency: now} if any(now) else {})}
        return replace(self, type=part.type, stages=stages, set_aside={}, version=self.version + 1)

    def holding(self, set_aside: Mapping[str, int]) -> "SaleOperation":
        return replace(self, set_aside=dict(set_aside), version=self.version + 1)

    def figures(self) -> dict[str, int]:
        """What it adds to its sale's item."""
        figures: dict[str, int] = {}
        for code in self.currencies:
            add_to(figures, {f"{code}_{name}": n for name, n in self._in(code).items() if n})
        if self.type is OperationType.CHARGEBACK:
            figures["chargebacks"] = int(any(self.larger(code).amount for code in self.currencies))
        if self.type is OperationType.CHARGEBACK_REVERSAL:
            figures["reversals"] = int(any(self.larger(code).amount for code in self.currencies))
        return figures

    def _in(self, code: str) -> dict[str, int]:
        aside = self.set_aside.get(code, 0)
        if self.type is OperationType.CHARGEBACK_REVERSAL:
            given, said = self.smaller(code), self.larger(code)
            return {
                "reversed": given.amount,
                "reversed_by_either": said.amount,
                "commission_returned": -given.commission,
                "left": given.amount,
            }
        taken = self.larger(code)
        name = "refunded" if self.type is OperationType.REFUND else "charged_back"
        return {
            name: taken.amount,
            "commission_returned": taken.commission,
            "set_aside": aside,
            "left": -taken.amount - aside,
        }

    def attributes(self) -> dict[str, str | int]:
        said: dict[str, str | int] = {"version": self.version, "operation_type": self.type.value}
        said |= {stage.value: _amounts_text(amounts) for stage, amounts in self.stages.items()}
        if self.set_aside:
            said["set_aside"] = ",".join(f"{c}#{n}" for c, n in sorted(self.set_aside.items()))
        return said

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> "SaleOperation":
        aside = str(said.get("set_aside", "")).split(",")
        return cls(
            key,
            OperationType(str(said["operation_type"])),
            int(said["version"]),
            {
                stage: _amounts(str(said[stage.value]))
                for stage in (Stage.CONFIRMED, Stage.RECONCILED)
                if stage.value in said
            },
            {code: int(n) for code, n in (key_fields(each, 2) for each in aside if each)},
        )


class SaleFigures(NamedTuple):
    """A sale in one currency, in minor units; `sold` is None where nothing was sold in it.

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
    """A sale's item. It is known from its first confirmed capture on; `found` is what was found."""

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
        """What could still be refunded; may be below zero."""
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
    """The attribute of a sale's item that an authorization is granted by."""
    return f"{currency}_left"


@dataclass(frozen=True, slots=True)
class SaleEffect:
    """What counting does to sales: sums added to their items, and operations as they stand now.

    `operations` have with them the version that was read, 0 where there was none.
    """

    additions: Mapping[ItemKey, Mapping[str, int]]
    operations: Sequence[tuple[SaleOperation, int]] = ()

    def writes(self) -> list[TableWrite]:
        return [
            *(PutStanding(each.key, each.attributes(), seen) for each, seen in self.operations),
            *(AddCounters(key, added) for key, added in self.additions.items()),
        ]


@dataclass(frozen=True, slots=True)
class StagedPart:
    """A part of a sale, of whom and in which stage."""

    part: SalePart
    falcon_operation_id: str
    stage: Stage

    @property
    def operation_item(self) -> ItemKey | None:
        """What must be read before it can be counted; nothing of a capture."""
        if self.part.type is OperationType.CAPTURE:
            return None
        return self.part.sale.operation_item(self.falcon_operation_id)


def sale_effect(parts: Iterable[StagedPart], seen: Mapping[ItemKey, SaleOperation]) -> SaleEffect:
    """Of parts counted in one transaction, in this order; `seen` are the operations as read."""
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


def difference(before: SaleOperation, after: SaleOperation) -> dict[str, int]:
    """What the sale's item changes by; it is a change even where all sums stay."""
    changed = dict(after.figures())
    add_to(changed, {name: -n for name, n in before.figures().items()})
    return {name: n for name, n in changed.items() if n} | {VERSION: 1}


def _of_capture(each: StagedPart) -> dict[str, int]:
    """A sale is what was confirmed; that it was traced too changes nothing of it."""
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
