"""Findings (design §7): what a person should look at, because facts that were counted do not fit.

They follow from what holds now, whatever the order was in which it came to be, and never stop a
fact from being counted. What holds no more is found no more.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from falcon_balances.domain.counting import add_to
from falcon_balances.domain.sales import Sale, SaleFigures
from falcon_balances.domain.standing import Disagreement, Standing, nets_of
from falcon_balances.domain.table_keys import FindingKey, ItemKey, merchant_pk, parse_merchant_pk
from falcon_balances.domain.table_writes import (
    Drop,
    NoteFound,
    PutMark,
    PutNewer,
    TableWrite,
)

# Open findings lie in these partitions of the index, for operators to find without a scan.
FINDING_PARTITIONS: Final = 8
FINDING: Final = "FINDING#"


class FindingKind(StrEnum):
    REFUNDED_ABOVE_SALE = "refunded_above_sale"
    OTHER_CURRENCY = "other_currency"
    UNKNOWN_SALE = "unknown_sale"
    REFUNDED_AND_CHARGED_BACK = "refunded_and_charged_back"
    REVERSAL_WITHOUT_CHARGEBACK = "reversal_without_chargeback"
    COMMISSION_ABOVE_TAKEN = "commission_above_taken"
    DISPUTE_REPEATED = "dispute_repeated"
    STAGES_CONTRADICT = "stages_contradict"
    """At one merchant: both stages name it, and say other amounts."""
    MERCHANTS_CONTRADICT = "merchants_contradict"
    """The stages name other merchants; found at all of them."""
    CREDIT_OF_OPEN_OPERATION = "credit_of_open_operation"


# What is set aside comes and goes with authorizations, and makes no other finding.
_SHOWN: Final = (
    "sold",
    "refunded",
    "charged_back",
    "reversed",
    "commission",
    "commission_returned",
)


class FindingStatus(StrEnum):
    """What is cleared is kept only so that what is older does not open it again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


Figures = Mapping[str, Mapping[str, int]]  # by currency and name, in minor units


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is a falcon_operation_id: the operation's, or that of the sale's first capture."""

    kind: FindingKind
    subject: str
    figures: Figures

    @property
    def sk(self) -> str:
        return FindingKey(self.kind, self.subject).sk

    @property
    def text(self) -> str:
        """As an item keeps it: what is found again with the same text is the same finding."""
        return figures_text(self.figures)


def figures_text(figures: Figures) -> str:
    return ";".join(
        f"{code}:" + ",".join(f"{name}={amount}" for name, amount in sorted(said.items()))
        for code, said in sorted(figures.items())
    )


def figures_of(text: str) -> Figures:
    figures: dict[str, dict[str, int]] = {}
    for part in text.split(";") if text else ():
        code, _, said = part.partition(":")
        pairs = (each.partition("=") for each in said.split(",") if each)
        figures[code] = {name: int(amount) for name, _, amount in pairs}
    return figures


def finding_id(merchant_id: str, kind: str, subject: str) -> str:
    """Neither kind nor subject holds a colon, merchants' ids may."""
    return f"{merchant_id}:{kind}:{subject}"


def finding_key(identity: str) -> ItemKey | None:
    """None for what is no finding's id."""
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
    """A finding's item. `opened_at`: when what made it so reached the stream."""

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
    """An item that findings are about, as it was read: `found` is what was found in it before."""

    key: ItemKey
    version: int
    found: str
    psp_id: str
    reference: str


def finding_writes(subject: Subject, now: Sequence[Finding], opened_at: str) -> list[TableWrite]:
    """One transaction, while the subject is as it was read; none where nothing changes.

    What is found with other figures is open again, whoever had acknowledged it.
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
    """`open` puts it into the index of what operators should look at."""
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
    """The merchants that the two stages name, where they ever were others; of whatever revision.

    `known` grows with what was known of them: what says less than what is there says nothing.
    """

    falcon_operation_id: str
    psp_id: str
    reference: str
    merchants: tuple[str, ...]
    is_open: bool
    known: int


def contradiction_writes(said: Contradiction, opened_at: str) -> list[TableWrite]:
    """For each merchant one, each of its own: they lie in different partitions."""
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


def findings_of_sale(sale: Sale) -> list[Finding]:
    """In the order of their kinds; none of a sale that fits."""
    found = {
        FindingKind.REFUNDED_ABOVE_SALE: _taken_in(sale, _is_above_sale),
        FindingKind.OTHER_CURRENCY: _taken_in(sale, _is_other_currency),
        FindingKind.UNKNOWN_SALE: {} if sale.is_known else _taken_in(sale, _is_touched),
        FindingKind.REFUNDED_AND_CHARGED_BACK: _taken_in(sale, _is_both),
        FindingKind.REVERSAL_WITHOUT_CHARGEBACK: _taken_in(sale, _is_reversal_alone),
        FindingKind.COMMISSION_ABOVE_TAKEN: _taken_in(sale, _is_commission_above),
        FindingKind.DISPUTE_REPEATED: (
            _taken_in(sale, _is_disputed) if sale.chargebacks > 1 and sale.reversals else {}
        ),
    }
    return [Finding(kind, sale.sale.sale_id, figures) for kind, figures in found.items() if figures]


def _taken_in(sale: Sale, holds: Callable[[Sale, SaleFigures], bool]) -> Figures:
    return {
        code: {name: said[n] or 0 for n, name in enumerate(said._fields) if name in _SHOWN}
        for code, said in sale.currencies.items()
        if holds(sale, said)
    }


def _is_touched(_sale: Sale, said: SaleFigures) -> bool:
    return bool(said.refunded or said.charged_back or said.reversed_by_either)


def _is_above_sale(_sale: Sale, said: SaleFigures) -> bool:
    taken = said.refunded + said.charged_back - said.reversed
    return said.sold is not None and taken > max(said.sold, 0)


def _is_other_currency(sale: Sale, said: SaleFigures) -> bool:
    return sale.is_known and said.sold is None and _is_touched(sale, said)


def _is_both(_sale: Sale, said: SaleFigures) -> bool:
    return said.refunded > 0 and said.charged_back > said.reversed


def _is_reversal_alone(_sale: Sale, said: SaleFigures) -> bool:
    return said.reversed_by_either > said.charged_back


def _is_commission_above(sale: Sale, said: SaleFigures) -> bool:
    return sale.is_known and said.commission_returned > said.commission


def _is_disputed(_sale: Sale, said: SaleFigures) -> bool:
    return said.charged_back > 0


def findings_of_standing(standing: Standing) -> list[Finding]:
    """Where both stages say something, and other things; and where money was credited that one
    stage alone speaks of.
    """
    found = []
    confirmed, reconciled = _by_currency(standing.confirmed), _by_currency(standing.reconciled)
    subject = standing.falcon_operation_id
    if standing.disagreement is Disagreement.DIFFERENT:
        figures = {
            code: {"confirmed": confirmed.get(code, 0), "reconciled": reconciled.get(code, 0)}
            for code in sorted({*confirmed, *reconciled})
        }
        found.append(Finding(FindingKind.STAGES_CONTRADICT, subject, figures))
    one_sided: dict[str, dict[str, int]] = {}
    for balance, joint in standing.joint().items():
        if joint.pending or joint.unapplied:
            said = one_sided.setdefault(balance.currency, {"pending": 0, "unapplied": 0})
            add_to(said, {"pending": joint.pending, "unapplied": joint.unapplied})
    if standing.credited > 0 and one_sided:
        credited = {
            code: said | {"credited": standing.credited} for code, said in one_sided.items()
        }
        found.append(Finding(FindingKind.CREDIT_OF_OPEN_OPERATION, subject, credited))
    return found


def is_notable(standing: Standing) -> bool:
    """Whether it may have findings, or had some: others need not be looked at."""
    is_different = standing.disagreement is Disagreement.DIFFERENT
    return bool(is_different or standing.credited or standing.found)


def _by_currency(movements: str) -> dict[str, int]:
    nets: dict[str, int] = {}
    for balance, net in nets_of(movements).items():
        nets[balance.currency] = nets.get(balance.currency, 0) + net
    return nets
