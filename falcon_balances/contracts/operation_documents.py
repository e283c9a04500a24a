"""A page of a merchant's operations, as the API answers with it (design §8)."""

from typing import Annotated, Final, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from falcon_balances.contracts.fresh import Fresh
from falcon_balances.domain.history import Mark
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.operations import BalanceOperation, Stage, main_line

_MODEL = ConfigDict(frozen=True, extra="forbid")
OPTIONAL: Final = Field(exclude_if=lambda said: said is None)


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


class Described(BaseModel):
    """Fields of an event besides its lines; each is left out if it does not apply (design §4).

    `revision` and `occurrence` are left out if they are 1.
    """

    model_config = _MODEL

    revision: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1
    occurrence: Annotated[int, Field(exclude_if=lambda said: said == 1)] = 1
    original_reference: Annotated[str | None, OPTIONAL] = None
    bank_reference: Annotated[str | None, OPTIONAL] = None
    reason_code: Annotated[str | None, OPTIONAL] = None


class DescriptionFields(TypedDict):
    occurrence: int
    original_reference: str | None
    bank_reference: str | None
    reason_code: str | None


def described(line: BalanceOperation) -> DescriptionFields:
    return {
        "occurrence": line.occurrence,
        "original_reference": line.original_reference or None,
        "bank_reference": line.bank_reference or None,
        "reason_code": line.reason_code or None,
    }


class OperationV1(Described):
    """An operation in one stage, with the merchant's own lines. Each revision is listed separately.

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
    corrects: Annotated[str | None, OPTIONAL] = None
    lines: tuple[LineV1, ...]

    @classmethod
    def of(cls, mark: Mark) -> Self:
        main = main_line(mark.lines)
        return cls(
            **described(main),
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
    """Operations in the order of counting. Even a short or empty page may have a next page."""

    operations: tuple[OperationV1, ...]
    next_cursor: str | None
