"""Findings in the table: open, acknowledged by a person, or cleared (design §7)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from falcon_balances.domain.findings import Figures, Finding, FindingKind, figures_of, figures_text
from falcon_balances.domain.table_keys import FindingKey, ItemKey, merchant_pk, parse_merchant_pk
from falcon_balances.domain.table_writes import Drop, NoteFound, PutMark, PutNewer, TableWrite


class FindingStatus(StrEnum):
    """The states of a finding. A cleared finding is kept so that an older event does not open it
    again.
    """

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


# Open findings are in these partitions of an index, so operators find them without a scan.
FINDING_PARTITIONS: Final = 8


def finding_id(merchant_id: str, kind: str, subject: str) -> str:
    """A finding's id. A merchant's id may contain colons; kind and subject never do."""
    return f"{merchant_id}:{kind}:{subject}"


def finding_key(identity: str) -> ItemKey | None:
    """The key of a finding's id; None for any other text."""
    merchant_id, _, rest = identity.rpartition(":")[0].rpartition(":")
    subject = identity.rpartition(":")[2]
    if not merchant_id or not subject or rest not in set(FindingKind):
        return None
    return ItemKey(merchant_pk(merchant_id), FindingKey(rest, subject).sk)


def finding_partition(pk: str) -> str:
    return f"FINDINGS#{sum(pk.encode()) % FINDING_PARTITIONS}"


def finding_partitions() -> list[str]:
    return [f"FINDINGS#{number}" for number in range(FINDING_PARTITIONS)]


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding's item. `opened_at`: when the record that caused it reached the stream."""

    merchant_id: str
    kind: FindingKind
    subject: str
    status: FindingStatus
    opened_at: str
    psp_id: str
    reference: str
    figures: Figures
    acknowledged_at: str | None = None
    acknowledged_by: str | None = None
    reason: str | None = None

    @property
    def sk(self) -> str:
        return FindingKey(self.kind, self.subject).sk

    @property
    def is_shown(self) -> bool:
        return self.status is not FindingStatus.CLEARED

    @property
    def identity(self) -> str:
        return finding_id(self.merchant_id, self.kind, self.subject)

    @property
    def figures_text(self) -> str:
        return figures_text(self.figures)

    @classmethod
    def from_attributes(cls, key: ItemKey, said: Mapping[str, str | int]) -> "KnownFinding":
        kind, subject = FindingKey.parse(key.sk)
        by, at, reason = (said.get(n) for n in ("acknowledged_by", "acknowledged_at", "reason"))
        return cls(
            parse_merchant_pk(key.pk),
            FindingKind(kind),
            subject,
            FindingStatus(str(said["status"])),
            str(said["opened_at"]),
            str(said["psp_id"]),
            str(said["reference"]),
            figures_of(str(said["figures"])),
            None if at is None else str(at),
            None if by is None else str(by),
            None if reason is None else str(reason),
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """An item that findings are about, as it was read; `found`: its previous findings as JSON."""

    key: ItemKey
    version: int
    found: str
    psp_id: str
    reference: str


def finding_writes(subject: Subject, now: Sequence[Finding], opened_at: str) -> list[TableWrite]:
    """The writes that store the findings of a subject, for one transaction on the condition that
    the subject is unchanged; none if nothing changes.

    A finding with different figures is open again, even if somebody had acknowledged it.
    """
    before: dict[str, str] = json.loads(subject.found) if subject.found else {}
    found = {each.sk: each.text for each in now}
    if found == before:
        return []
    text = json.dumps(found, sort_keys=True, separators=(",", ":")) if found else ""
    writes: list[TableWrite] = [NoteFound(subject.key, subject.version, text)]
    for each in now:
        if before.get(each.sk) != each.text:
            key = ItemKey(subject.key.pk, each.sk)
            attributes = _attributes(key, subject.psp_id, subject.reference, opened_at)
            writes.append(PutMark(key, attributes | {"figures": each.text}, only_if_absent=False))
    gone = (ItemKey(subject.key.pk, sk) for sk in sorted(before) if sk not in found)
    return [*writes, *map(Drop, gone)]


def _attributes(key: ItemKey, psp_id: str, reference: str, opened_at: str) -> dict[str, str | int]:
    """The attributes of an open finding, with its place in the operators' index."""
    return {
        "status": FindingStatus.OPEN,
        "open": finding_partition(key.pk),
        "psp_id": psp_id,
        "reference": reference,
        "opened_at": opened_at,
        "figures": "",
    }


@dataclass(frozen=True, slots=True)
class Contradiction:
    """The merchants that the two stages name, if the stages ever named different ones.

    `known` grows with each claimed revision, so an older state never replaces a newer one.
    """

    falcon_operation_id: str
    psp_id: str
    reference: str
    merchants: tuple[str, ...]
    is_open: bool
    known: int


def contradiction_writes(said: Contradiction, opened_at: str) -> list[TableWrite]:
    """One write per merchant, each for a transaction of its own: the items are in different
    partitions.
    """
    writes: list[TableWrite] = []
    for merchant_id in said.merchants:
        sk = FindingKey(FindingKind.MERCHANTS_CONTRADICT, said.falcon_operation_id).sk
        key = ItemKey(merchant_pk(merchant_id), sk)
        attributes = _attributes(key, said.psp_id, said.reference, opened_at)
        if not said.is_open:
            attributes["status"] = FindingStatus.CLEARED
            del attributes["open"]
        writes.append(PutNewer(key, attributes | {"known": said.known}, said.known))
    return writes
