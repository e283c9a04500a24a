"""Pairing (design §4, §8): a confirmed operation and its reconciled one, compared as they come.

For each merchant and operation there is an item only while there is something to say of it: one
stage is awaited, or the two differ. It is written in the transaction that counts the segment, on
the condition that it stands as it was read, so that nothing is awaited that is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from falcon_balances.domain.counting import DropPairing, ItemKey, PutPairing, Side, TableWrite
from falcon_balances.domain.operations import Stage


class Standing(StrEnum):
    CONFIRMED_ONLY = "confirmed_only"
    RECONCILED_ONLY = "reconciled_only"
    DIFFERENT = "different"


_ALONE = {Stage.CONFIRMED: Standing.CONFIRMED_ONLY, Stage.RECONCILED: Standing.RECONCILED_ONLY}


@dataclass(frozen=True, slots=True)
class Movement:
    """The sum of an operation's lines of one type in one balance, in minor units, signed."""

    balance_shop_id: str
    currency: str
    type: str
    amount: int


@dataclass(frozen=True, slots=True)
class Pairing:
    """`confirmed` and `reconciled` are movements as `Side` writes them, None while not counted.

    What it is said to be is what the confirmed one says, or the reconciled one where that is alone:
    the same, whichever of the two is counted first.
    """

    key: ItemKey
    standing: Standing
    operation_date: str
    psp_id: str
    external_reference: str
    type: str
    confirmed: str | None = None
    reconciled: str | None = None

    @property
    def falcon_operation_id(self) -> str:
        return self.key.sk.partition("#")[2]

    @classmethod
    def alone(cls, side: Side) -> Self:
        is_confirmed = side.stage is Stage.CONFIRMED
        return cls(
            side.key,
            _ALONE[side.stage],
            side.operation_date,
            side.psp_id,
            side.external_reference,
            side.type,
            confirmed=side.movements if is_confirmed else None,
            reconciled=None if is_confirmed else side.movements,
        )

    def with_other(self, side: Side) -> Self | None:
        """None where the two agree."""
        if side.movements in (self.confirmed, self.reconciled):
            return None
        different = replace(self, standing=Standing.DIFFERENT)
        if side.stage is Stage.RECONCILED:
            return replace(different, reconciled=side.movements)
        return replace(
            different,
            confirmed=side.movements,
            operation_date=side.operation_date,
            psp_id=side.psp_id,
            external_reference=side.external_reference,
            type=side.type,
        )

    def has(self, stage: Stage) -> bool:
        return (self.confirmed if stage is Stage.CONFIRMED else self.reconciled) is not None

    def attributes(self) -> dict[str, str]:
        """As it lies in the table; what is absent is left out."""
        said = {
            "standing": self.standing.value,
            "operation_date": self.operation_date,
            "psp_id": self.psp_id,
            "external_reference": self.external_reference,
            "operation_type": self.type,
            "confirmed": self.confirmed,
            "reconciled": self.reconciled,
        }
        return {name: value for name, value in said.items() if value is not None}

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> Self:
        confirmed, reconciled = said.get("confirmed"), said.get("reconciled")
        return cls(
            key,
            Standing(str(said["standing"])),
            str(said["operation_date"]),
            str(said["psp_id"]),
            str(said["external_reference"]),
            str(said["operation_type"]),
            None if confirmed is None else str(confirmed),
            None if reconciled is None else str(reconciled),
        )


def movements_of(text: str | None) -> tuple[Movement, ...]:
    """What a side says, read again."""
    if not text:
        return ()
    parts = (each.split("#") for each in text.split(","))
    return tuple(Movement(shop, code, kind, int(amount)) for shop, code, kind, amount in parts)


def pairing_writes(sides: Iterable[Side], seen: Mapping[ItemKey, Pairing]) -> list[TableWrite]:
    """What becomes of the items that were `seen` when these sides are counted, in this order.

    A side that is counted already changes nothing that matters: its mark stops the transaction.
    """
    now: dict[ItemKey, Pairing | None] = {}
    for side in sides:
        there = now[side.key] if side.key in now else seen.get(side.key)
        if there is None:
            now[side.key] = Pairing.alone(side)
        elif not there.has(side.stage):
            now[side.key] = there.with_other(side)
    return [write for key, pairing in now.items() if (write := _write(key, pairing, seen.get(key)))]


def _write(key: ItemKey, now: Pairing | None, before: Pairing | None) -> TableWrite | None:
    if now is None:
        return None if before is None else DropPairing(key, before.standing)
    return PutPairing(key, now.attributes(), None if before is None else before.standing)
