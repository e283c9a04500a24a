"""Findings (design §7): operations that do not fit together, for a person to check.

They follow from the present state, whatever the order in which it arose, and never prevent
counting. A finding disappears when its operations fit together again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from falcon_balances.domain.counting import add_to
from falcon_balances.domain.sales import Sale, SaleFigures
from falcon_balances.domain.standing import Disagreement, Standing, nets_of
from falcon_balances.domain.table_keys import FindingKey

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
    """The stages name the same merchant, but different amounts."""
    MERCHANTS_CONTRADICT = "merchants_contradict"
    """The stages name different merchants; each of these merchants has the finding."""
    CREDIT_OF_OPEN_OPERATION = "credit_of_open_operation"


# Without `set_aside` and `left`: authorizations change them, and that must not reopen a finding.
_SHOWN: Final = (
    "sold",
    "refunded",
    "charged_back",
    "reversed",
    "commission",
    "commission_returned",
)


Figures = Mapping[str, Mapping[str, int]]  # by currency and name, in minor units


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the falcon_operation_id of the operation, or of the sale's first capture."""

    kind: FindingKind
    subject: str
    figures: Figures

    @property
    def sk(self) -> str:
        return FindingKey(self.kind, self.subject).sk

    @property
    def text(self) -> str:
        """The finding as an item stores it; the same text is the same finding."""
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


def findings_of_sale(sale: Sale) -> list[Finding]:
    """The findings of a sale in the order of their kinds; none if its operations fit together."""
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
    """The findings of an operation whose stages differ, or of a credit for money that only one
    stage reports.
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
    """Whether the operation can have findings, or had some; other operations need no check."""
    is_different = standing.disagreement is Disagreement.DIFFERENT
    return bool(is_different or standing.credited or standing.found)


def _by_currency(movements: str) -> dict[str, int]:
    nets: dict[str, int] = {}
    for balance, net in nets_of(movements).items():
        nets[balance.currency] = nets.get(balance.currency, 0) + net
    return nets
