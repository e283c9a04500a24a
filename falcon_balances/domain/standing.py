"""Standings (design §7): what both stages of an operation say of one merchant's balances.

One item for each merchant and operation, written in the transaction that counts a segment, under
the version that was read: what a segment adds to the joint figures depends on it. It is never
removed, for a later revision adds to what was counted, also where the stages agree.
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
    """Why an operation is open: one stage says nothing, or the two say different things."""

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

    `movements` as a standing writes them, `nets` the same over all types, by balance.
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
    """Of an adjustment: what it moves of the operation that it corrects, in minor units."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`confirmed` and `reconciled` are movements over all revisions, empty where they are nothing.

    `version` counts the changes. The operation is described as the confirmed stage's first revision
    does, or as what came before it while that is not there.
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
    """What adjustments moved of it."""
    found: str = ""
    """What was found in it (`domain/findings.py`)."""

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
        """Money in that one side has said and the other has not: pending or unapplied."""
        return any(each.pending or each.unapplied for each in self.joint().values())

    def attributes(self) -> dict[str, str | int]:
        """As it lies in the table; `open` puts it into the index of what is open."""
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
        """In place of the one that was seen, and only there."""
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
    """As they will be once these are written."""
    return [
        Standing.from_attributes(write.key, write.attributes)
        for write in writes
        if isinstance(write, PutStanding)
    ]


def effect_of(change: Change, before: Standing | None) -> dict[BalanceKey, Joint]:
    """What counting it now adds to the joint figures of each balance that it touches."""
    confirmed = {} if before is None else nets_of(before.confirmed)
    reconciled = {} if before is None else nets_of(before.reconciled)
    effect: dict[BalanceKey, Joint] = {}
    for balance, net in change.nets.items():
        c, r = confirmed.get(balance, 0), reconciled.get(balance, 0)
        after = agreement(c + net, r) if change.stage is Stage.CONFIRMED else agreement(c, r + net)
        effect[balance] = Joint.between(agreement(c, r), after)
    return effect


def movements_of(text: str) -> tuple[Movement, ...]:
    """What a stage says, read again."""
    if not text:
        return ()
    parts = (key_fields(each, 4) for each in text.split(","))
    return tuple(Movement(shop, code, kind, int(amount)) for shop, code, kind, amount in parts)


def movements_text(sums: Mapping[tuple[str, str, str], int]) -> str:
    """By balance shop, currency and type, sorted; zeros left out."""
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
