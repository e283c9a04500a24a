"""What awaits reconciliation, as the API answers with it (design §8)."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.domain.available import Joint
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.standing import Disagreement, Standing, movements_of
from falcon_balances.domain.table_keys import BalanceKey

_MODEL = ConfigDict(frozen=True, extra="forbid")


class MovementV1(BaseModel):
    model_config = _MODEL

    balance_shop_id: str
    type: str
    amount: str
    currency: str


def _movements(text: str) -> tuple[MovementV1, ...]:
    return tuple(
        MovementV1(
            balance_shop_id=each.balance_shop_id,
            type=each.type,
            amount=scaled(each.amount, each.currency),
            currency=each.currency,
        )
        for each in movements_of(text)
    )


class JointFiguresV1(BaseModel):
    """An operation's share of a balance's figures that follow from both stages."""

    model_config = _MODEL

    balance_shop_id: str
    currency: str
    pending: str
    unapplied: str
    debits_unconfirmed: str
    debits_untraced: str

    @classmethod
    def of(cls, balance: BalanceKey, joint: Joint) -> Self:
        code = balance.currency
        return cls(
            balance_shop_id=balance.balance_shop_id,
            currency=code,
            pending=scaled(joint.pending, code),
            unapplied=scaled(joint.unapplied, code),
            debits_unconfirmed=scaled(joint.debits_unconfirmed, code),
            debits_untraced=scaled(joint.debits_untraced, code),
        )


class UnreconciledOperationV1(BaseModel):
    """`standing`: one stage is missing, or the two stages differ. Age counts from `operation_date`,
    which is that of the confirmed stage or, if that is missing, of the reconciled stage.
    """

    model_config = _MODEL

    falcon_operation_id: str
    standing: Disagreement
    psp_id: str
    external_reference: str
    type: str
    operation_date: str
    age_days: int
    confirmed: tuple[MovementV1, ...]
    reconciled: tuple[MovementV1, ...]
    figures: tuple[JointFiguresV1, ...]

    @classmethod
    def of(cls, standing: Standing, now: datetime) -> Self:
        return cls(
            falcon_operation_id=standing.falcon_operation_id,
            standing=_disagreement(standing),
            psp_id=standing.psp_id,
            external_reference=standing.external_reference,
            type=standing.type,
            operation_date=standing.operation_date,
            age_days=age_days(standing, now),
            confirmed=_movements(standing.confirmed),
            reconciled=_movements(standing.reconciled),
            figures=tuple(JointFiguresV1.of(*each) for each in standing.joint().items()),
        )


def _disagreement(standing: Standing) -> Disagreement:
    found = standing.disagreement
    assert found is not None  # noqa: S101 - the index holds what is open
    return found


def age_days(standing: Standing, now: datetime) -> int:
    """Whole days; 0 for a date a little ahead of the clock, which is allowed (design §4)."""
    return max(0, (now - parse_rfc3339(standing.operation_date)).days)


class UnreconciledSumV1(BaseModel):
    """Sums of a PSP's operations of one standing: of each stage, and of the joint figures.

    `open_operations`: how many operations are summed.
    """

    model_config = _MODEL

    psp_id: str
    currency: str
    standing: Disagreement
    open_operations: int
    confirmed: str
    reconciled: str
    pending: str
    unapplied: str
    debits_unconfirmed: str
    debits_untraced: str


class UnreconciledV1(Fresh):
    """`sums` cover all operations of that age; `operations` is one page of them, oldest first."""

    older_than_days: int
    sums: tuple[UnreconciledSumV1, ...]
    operations: tuple[UnreconciledOperationV1, ...]
    next_cursor: str | None


_SUMMED = (
    "confirmed",
    "reconciled",
    "pending",
    "unapplied",
    "debits_unconfirmed",
    "debits_untraced",
)


def unreconciled_sums(standings: Iterable[Standing]) -> tuple[UnreconciledSumV1, ...]:
    """Sums by PSP, currency and standing; an operation of two currencies counts in both."""
    totals: dict[tuple[str, str, Disagreement], Counter[str]] = {}
    for standing in standings:
        for currency, sums in _sums_by_currency(standing).items():
            name = (standing.psp_id, currency, _disagreement(standing))
            total = totals.setdefault(name, Counter())
            total["open_operations"] += 1
            for figure, amount in sums.items():
                total[figure] += amount
    return tuple(
        UnreconciledSumV1(
            psp_id=psp_id,
            currency=currency,
            standing=standing,
            open_operations=total["open_operations"],
            **{name: scaled(total[name], currency) for name in _SUMMED},
        )
        for (psp_id, currency, standing), total in sorted(totals.items())
    )


def _sums_by_currency(standing: Standing) -> dict[str, Counter[str]]:
    sums: dict[str, Counter[str]] = {}
    for name, said in (("confirmed", standing.confirmed), ("reconciled", standing.reconciled)):
        for each in movements_of(said):
            sums.setdefault(each.currency, Counter())[name] += each.amount
    for balance, joint in standing.joint().items():
        for name, value in joint.counters().items():
            sums[balance.currency][name] += value
    return sums
