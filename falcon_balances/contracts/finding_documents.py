"""Findings as the API and operators see them (design §7, §8)."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.domain.findings import Figures, FindingKind
from falcon_balances.domain.known_findings import FindingStatus, KnownFinding

_MODEL = ConfigDict(frozen=True, extra="forbid")
_OPTIONAL = Field(exclude_if=lambda said: said is None)


class FindingFiguresV1(BaseModel):
    """What does not fit, in one currency: each figure by its name."""

    model_config = _MODEL

    currency: str
    figures: dict[str, str]


def finding_figures(figures: Figures) -> tuple[FindingFiguresV1, ...]:
    """The figures of each currency, at full scale."""
    return tuple(
        FindingFiguresV1(
            currency=code, figures={name: scaled(minor, code) for name, minor in said.items()}
        )
        for code, said in sorted(figures.items())
    )


class FindingV1(BaseModel):
    """`falcon_operation_id`: the operation, or the first capture of the sale. `reference`: the
    operation's own, or the sale's. A finding opens again when its figures change.
    """

    model_config = _MODEL

    finding_id: str
    kind: FindingKind
    status: FindingStatus
    falcon_operation_id: str
    psp_id: str
    reference: str
    opened_at: str
    amounts: tuple[FindingFiguresV1, ...]
    acknowledged_at: Annotated[str | None, _OPTIONAL] = None

    @classmethod
    def of(cls, finding: KnownFinding) -> Self:
        return cls(
            finding_id=finding.identity,
            kind=finding.kind,
            status=finding.status,
            falcon_operation_id=finding.subject,
            psp_id=finding.psp_id,
            reference=finding.reference,
            opened_at=finding.opened_at,
            amounts=finding_figures(finding.figures),
            acknowledged_at=finding.acknowledged_at,
        )


class FindingsV1(Fresh):
    """A page of findings, sorted by kind and operation. Cleared findings are not listed."""

    findings: tuple[FindingV1, ...]
    next_cursor: str | None
