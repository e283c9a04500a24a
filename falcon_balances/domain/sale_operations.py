"""What a refund, chargeback or reversal takes from its sale, as its two stages report it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from falcon_balances.domain.counting import add_to
from falcon_balances.domain.operations import OperationType, Stage
from falcon_balances.domain.sale_keys import SaleOperationKey
from falcon_balances.domain.sale_parts import SalePart
from falcon_balances.domain.table_keys import ItemKey, key_fields

# Each operation of a sale raises this number, so an outdated finding can be recognised.
VERSION: Final = "version"


class Taken(NamedTuple):
    """An amount and its commission, in minor units."""

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
    """A refund, chargeback or reversal of a sale: its amounts in both stages, over all revisions.

    `set_aside`: what an authorization holds for it until its first stage arrives.
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
        """What the operation adds to the sale's item."""
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


def difference(before: SaleOperation, after: SaleOperation) -> dict[str, int]:
    """The changes of the sale's item; its version changes even if all sums stay the same."""
    changed = dict(after.figures())
    add_to(changed, {name: -n for name, n in before.figures().items()})
    return {name: n for name, n in changed.items() if n} | {VERSION: 1}
