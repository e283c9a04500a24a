"""Standings (design §7): what both stages of an operation say about one merchant's balances.

There is one item per merchant and operation. The transaction that counts a segment writes the item
only if its version is still the one that was read, because the segment's effect on the joint
figures depends on the standing. The item is never removed: even if the stages agree, a later
revision adds to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, Self

from falcon_balances.domain.available import Joint, agreement
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.table_keys import (
    BalanceKey,
    ItemKey,
    ReferenceKey,
    StandingKey,
    key_fields,
    parse_merchant_pk,
)
from falcon_balances.domain.table_writes import PutStanding, TableWrite


class Disagreement(StrEnum):
    """Why an operation is open: one stage is missing, or the two differ."""

    CONFIRMED_ONLY = "confirmed_only"
    RECONCILED_ONLY = "reconciled_only"
    DIFFERENT = "different"


class Movement(NamedTuple):
    """The sum of an operation's lines of one type in one balance, in minor units, signed."""

    balance_shop_id: str
    currency: str
    type: str
    amount: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a segment, or a part of it, adds to its operation in its stage.

    `movements` has the form that a standing stores; `nets` are its sums over all types, by balance.
    """

    key: ItemKey
    stage: Stage
    revision: int
    movements: str
    nets: Mapping[BalanceKey, int]
    operation_date: str
    psp_id: str
    external_reference: str
    type: str
    credited: int = 0
    """Only of an adjustment of the operation: the adjustment's amount in minor units."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`confirmed` and `reconciled` are movements over all revisions; empty if there are none.

    `version` counts the changes. The operation is described as in the confirmed stage's first
    revision; until that revision arrives, as in the earliest event.
    """

    key: ItemKey
    version: int
    operation_date: str
    psp_id: str
    external_reference: str
    type: str
    confirmed: str = ""
    reconciled: str = ""
    credited: int = 0
    """The sums of the adjustments that correct the operation."""
    found: str = ""
    """The operation's findings (`domain/findings.py`)."""

    @property
    def falcon_operation_id(self) -> str:
        return StandingKey.parse(self.key.sk).falcon_operation_id

    @property
    def disagreement(self) -> Disagreement | None:
        if self.confirmed == self.reconciled:
            return None
        if not self.reconciled:
            return Disagreement.CONFIRMED_ONLY
        return Disagreement.DIFFERENT if self.confirmed else Disagreement.RECONCILED_ONLY

    def joint(self) -> dict[BalanceKey, Joint]:
        """The operation's share of each balance's joint figures."""
        confirmed, reconciled = nets_of(self.confirmed), nets_of(self.reconciled)
        nothing = agreement(0, 0)
        return {
            balance: Joint.between(
                nothing, agreement(confirmed.get(balance, 0), reconciled.get(balance, 0))
            )
            for balance in sorted(confirmed.keys() | reconciled.keys())
        }

    @property
    def awaits_money(self) -> bool:
        """Whether incoming money is pending or unapplied: only one stage has reported it."""
        return any(each.pending or each.unapplied for each in self.joint().values())

    def attributes(self) -> dict[str, str | int]:
        """The item's attributes; `open` puts it into the index of open operations."""
        said: dict[str, str | int] = {
            "version": self.version,
            "operation_date": self.operation_date,
            "psp_id": self.psp_id,
            "external_reference": self.external_reference,
            "operation_type": self.type,
            "confirmed": self.confirmed,
            "reconciled": self.reconciled,
        }
        if self.type:
            merchant_id = parse_merchant_pk(self.key.pk)
            said["referenced"] = ReferenceKey(merchant_id, self.external_reference).text
        if self.credited:
            said["credited"] = self.credited
        if self.found:
            said["found"] = self.found
        if self.disagreement is not None:
            said["open"] = self.key.pk
        return said

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> Self:
        return cls(
            key,
            int(said["version"]),
            str(said["operation_date"]),
            str(said["psp_id"]),
            str(said["external_reference"]),
            str(said["operation_type"]),
            str(said["confirmed"]),
            str(said["reconciled"]),
            int(said.get("credited", 0)),
            str(said.get("found", "")),
        )

    def written(self, seen: "Standing | None") -> PutStanding:
        """The write that replaces the standing only if it is still the one that was `seen`."""
        return PutStanding(self.key, self.attributes(), 0 if seen is None else seen.version)


def standing_after(change: Change, before: Standing | None) -> Standing:
    if before is None:
        return _changed(_described(change, Standing(change.key, 1, "", "", "", "")), change)
    is_better = change.stage is Stage.CONFIRMED and change.revision == 1
    described = _described(change, before) if is_better or not before.type else before
    return _changed(replace(described, version=before.version + 1), change)


def _changed(standing: Standing, change: Change) -> Standing:
    if change.stage is Stage.CONFIRMED:
        return replace(standing, confirmed=_added(standing.confirmed, change.movements))
    if change.stage is Stage.RECONCILED:
        return replace(standing, reconciled=_added(standing.reconciled, change.movements))
    return replace(standing, credited=standing.credited + change.credited)


def _described(change: Change, standing: Standing) -> Standing:
    return replace(
        standing,
        operation_date=change.operation_date,
        psp_id=change.psp_id,
        external_reference=change.external_reference,
        type=change.type,
    )


def written_standings(writes: Iterable[TableWrite]) -> list[Standing]:
    """The standings after these writes."""
    return [
        Standing.from_attributes(write.key, write.attributes)
        for write in writes
        if isinstance(write, PutStanding)
    ]


def effect_of(change: Change, before: Standing | None) -> dict[BalanceKey, Joint]:
    """The change of the joint figures of each touched balance if `change` is counted now."""
    confirmed = {} if before is None else nets_of(before.confirmed)
    reconciled = {} if before is None else nets_of(before.reconciled)
    effect: dict[BalanceKey, Joint] = {}
    for balance, net in change.nets.items():
        c, r = confirmed.get(balance, 0), reconciled.get(balance, 0)
        after = agreement(c + net, r) if change.stage is Stage.CONFIRMED else agreement(c, r + net)
        effect[balance] = Joint.between(agreement(c, r), after)
    return effect


def movements_of(text: str) -> tuple[Movement, ...]:
    """The movements of a stage, read from an attribute."""
    if not text:
        return ()
    parts = (key_fields(each, 4) for each in text.split(","))
    return tuple(Movement(shop, code, kind, int(amount)) for shop, code, kind, amount in parts)


def movements_text(sums: Mapping[tuple[str, str, str], int]) -> str:
    """The sums as text, sorted by balance shop, currency and type; zeros are left out."""
    return ",".join(
        f"{shop}#{code}#{kind}#{sums[shop, code, kind]}"
        for shop, code, kind in sorted(sums)
        if sums[shop, code, kind]
    )


def nets_of(text: str) -> dict[BalanceKey, int]:
    nets: dict[BalanceKey, int] = {}
    for each in movements_of(text):
        balance = BalanceKey(each.balance_shop_id, each.currency)
        nets[balance] = nets.get(balance, 0) + each.amount
    return nets


def _added(before: str, more: str) -> str:
    if not before:
        return more
    sums: dict[tuple[str, str, str], int] = {}
    for *name, amount in (*movements_of(before), *movements_of(more)):
        shop, code, kind = map(str, name)
        sums[shop, code, kind] = sums.get((shop, code, kind), 0) + int(amount)
    return movements_text(sums)
