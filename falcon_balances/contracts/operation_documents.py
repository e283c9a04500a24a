"""What the API says of operations: a page, one's whole story, what awaits reconciliation."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.currencies import scaled
from falcon_balances.contracts.fresh import Fresh
from falcon_balances.contracts.sale_documents import SaleStoryV1
from falcon_balances.domain.available import Joint
from falcon_balances.domain.blocks import Block, BlockStatus, Purpose
from falcon_balances.domain.history import Mark
from falcon_balances.domain.instants import parse_rfc3339, rfc3339
from falcon_balances.domain.merchant_context import MerchantContext
from falcon_balances.domain.operations import BalanceOperation, Stage, main_line
from falcon_balances.domain.standing import Disagreement, Standing, movements_of
from falcon_balances.domain.table_keys import BalanceKey

_MODEL = ConfigDict(frozen=True, extra="forbid")
Optional = Field(exclude_if=lambda said: said is None)


class LineV1(BaseModel):
    model_config = _MODEL

    uuid: str
    type: str
    amount: str
    currency: str
    balance_shop_id: str
    local_merchant_id: str
    shop_id: str

    @classmethod
    def of(cls, line: BalanceOperation) -> Self:
        return cls(
            uuid=line.uuid,
            type=line.type.value,
            amount=str(line.amount),
            currency=line.currency.code,
            balance_shop_id=line.balance_shop_id,
            local_merchant_id=line.local_merchant_id,
            shop_id=line.shop_id,
        )


class _Described(BaseModel):
    """What an event says besides its lines; left out where it does not apply (design §4).

    `revision` and `occurrence` are left out where they are 1.
    """

    model_config = _MODEL

    revision: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1
    occurrence: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1
    original_reference: Annotated[str | None, Optional] = None
    bank_reference: Annotated[str | None, Optional] = None
    reason_code: Annotated[str | None, Optional] = None


class _Description(TypedDict):
    occurrence: int
    original_reference: str | None
    bank_reference: str | None
    reason_code: str | None


def _described(line: BalanceOperation) -> _Description:
    return {
        "occurrence": line.occurrence,
        "original_reference": line.original_reference or None,
        "bank_reference": line.bank_reference or None,
        "reason_code": line.reason_code or None,
    }


class OperationV1(_Described):
    """An operation in one stage, with the merchant's own lines of it; each revision is its own.

    `counted_in` is the quarter of an hour in which it was counted.
    """

    falcon_operation_id: str
    stage: Stage
    type: str
    psp_id: str
    external_reference: str
    operation_date: str
    counted_in: str
    log_key: str
    corrects: Annotated[str | None, Optional] = None
    lines: tuple[LineV1, ...]

    @classmethod
    def of(cls, mark: Mark) -> Self:
        main = main_line(mark.lines)
        return cls(
            **_described(main),
            falcon_operation_id=mark.falcon_operation_id,
            stage=mark.stage,
            revision=mark.revision,
            type=main.type.value,
            psp_id=main.psp_id,
            external_reference=main.external_reference,
            operation_date=rfc3339(main.operation_date),
            counted_in=rfc3339(mark.window),
            log_key=mark.log_key,
            corrects=mark.corrects,
            lines=tuple(LineV1.of(line) for line in mark.lines),
        )


class OperationPageV1(Fresh):
    """In the order of counting. A page may be short, and even empty, and still have a next one."""

    operations: tuple[OperationV1, ...]
    next_cursor: str | None


class StageStoryV1(_Described):
    """`counted_in` is null while it is in the log, or on its way there, but not counted yet.

    Only systems see the fingerprint: it is made of other merchants' amounts too, and from a hash of
    so few unknowns they could be worked out.
    """

    stage: Stage
    received_at: str
    fingerprint: Annotated[str | None, Optional] = None
    context_version: str
    state: Annotated[str | None, Optional] = None
    log_key: str
    counted_in: str | None
    corrects: Annotated[str | None, Optional] = None
    lines: tuple[LineV1, ...]

    @classmethod
    def of(cls, claim: ClaimV1, merchant_id: str, mark: Mark | None, *, for_systems: bool) -> Self:
        """The merchant's own segment of it: an event may have others, of other merchants."""
        own = next(each for each in claim.segments if each.merchant_id == merchant_id)
        lines = claim.lines_of(own)
        return cls(
            **_described(main_line(lines)),
            stage=claim.stage,
            revision=claim.revision,
            received_at=claim.received_at,
            fingerprint=claim.fingerprint if for_systems else None,
            context_version=_since_when(own.context_version),
            state=claim.state,
            log_key=own.log_key,
            counted_in=None if mark is None else rfc3339(mark.window),
            corrects=claim.corrects,
            lines=tuple(LineV1.of(line) for line in lines),
        )


def _since_when(context_version: str) -> str:
    """Without the hashes: a merchant could try out which `risk` gives its own."""
    versions = map(MerchantContext.since_when, context_version.split(","))
    return ",".join(dict.fromkeys(versions))


class SetAsideV1(BaseModel):
    """The block that was made for an operation."""

    model_config = _MODEL

    block_id: str
    amount: str
    currency: str
    purpose: Purpose
    status: BlockStatus
    created_at: str
    expiry: str | None
    ended_at: str | None

    @classmethod
    def of(cls, block: Block) -> Self:
        return cls(
            block_id=block.block_id,
            amount=scaled(block.amount, block.currency),
            currency=block.currency,
            purpose=block.purpose,
            status=block.status,
            created_at=rfc3339(block.created_at),
            expiry=block.expiry and rfc3339(block.expiry),
            ended_at=block.ended_at and rfc3339(block.ended_at),
        )


class OperationStoryV1(Fresh):
    """All stages of an operation. `returned_by` and `returns` link a payout and its returns, `sale`
    a refund and what it is of, or a sale and what was taken of it.
    """

    falcon_operation_id: str
    type: str
    psp_id: str
    external_reference: str
    stages: tuple[StageStoryV1, ...]
    blocks: tuple[SetAsideV1, ...]
    sale: SaleStoryV1 | None
    corrected_by: tuple[str, ...]
    returned_by: tuple[str, ...]
    returns: str | None


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
    """`standing`: one stage says nothing, or the two say different things. Age counts from
    `operation_date`, the reconciled one's where that is alone.
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
    """Dates may lie a little ahead (design §4): those are of today."""
    return max(0, (now - parse_rfc3339(standing.operation_date)).days)


class UnreconciledSumV1(BaseModel):
    """Sums of a PSP's operations of one standing: what each stage says, and what follows of it."""

    model_config = _MODEL

    psp_id: str
    currency: str
    standing: Disagreement
    operations_count: int
    confirmed: str
    reconciled: str
    pending: str
    unapplied: str
    debits_unconfirmed: str
    debits_untraced: str


class UnreconciledV1(Fresh):
    """Sums are over all of them; `operations` is a page, the oldest first."""

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
    """By PSP, currency and standing; an operation of two currencies counts in both."""
    totals: dict[tuple[str, str, Disagreement], Counter[str]] = {}
    for standing in standings:
        for currency, sums in _sums_by_currency(standing).items():
            name = (standing.psp_id, currency, _disagreement(standing))
            total = totals.setdefault(name, Counter())
            total["operations_count"] += 1
            for figure, amount in sums.items():
                total[figure] += amount
    return tuple(
        UnreconciledSumV1(
            psp_id=psp_id,
            currency=currency,
            standing=standing,
            operations_count=total["operations_count"],
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
