"""ConfirmedOperation v1 and ReconciledOperation v1: what a PSP may say, and how (design §4)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import Field, WithJsonSchema

from falcon_balances.contracts.currencies import written_currency
from falcon_balances.contracts.strictness import (
    Amount,
    AmountOrZero,
    CurrencyCode,
    DateText,
    Id,
    Optionally,
    StrictModel,
    WrittenCurrencyCode,
    parse_date,
)
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.money import Currency, Money, minor_units
from falcon_balances.domain.operations import (
    ConfirmedOperation,
    OperationType,
    PspOperation,
    ReconciledOperation,
    Split,
    Stage,
)

Mode = Literal["test", "live"]
MODES: Final = ("test", "live")
SPLITS_MAX: Final = 40


class SplitV1(StrictModel):
    """A seller's part; the fees of the seller's own context come off it besides."""

    local_merchant_id: Id
    shop_id: Id
    amount: Amount
    marketplace_fee: Optionally[AmountOrZero] = None


class ConfirmedOperationV1(StrictModel):
    """A PSP says: this capture or refund happened."""

    schema_version: Literal["1"]
    psp_id: Id
    external_reference: Id
    type: Literal["capture", "refund", "chargeback", "chargeback_reversal", "cashback"]
    amount: Amount
    currency: CurrencyCode
    operation_date: DateText
    local_merchant_id: Id
    shop_id: Id
    original_reference: Optionally[Id] = None
    # A word of another kind is E_MODE, and that is looked for last.
    mode: Optionally[Annotated[str, WithJsonSchema({"enum": list(MODES)})]] = None
    splits: Optionally[Annotated[list[SplitV1], Field(min_length=1, max_length=SPLITS_MAX)]] = None


class ReconciledOperationV1(ConfirmedOperationV1):
    """The money of that operation has been traced in the company's bank account."""

    currency: WrittenCurrencyCode
    reconciled_date: DateText
    bank_reference: Id


_MODELS: Final[Mapping[Stage, type[ConfirmedOperationV1]]] = {
    Stage.CONFIRMED: ConfirmedOperationV1,
    Stage.RECONCILED: ReconciledOperationV1,
}


def parse_psp_document(
    document: Mapping[str, object], stage: Stage, *, latest: datetime | None = None
) -> PspOperation:
    """The operation that a decoded document holds; dates after `latest`, if given, are E_FUTURE."""
    said = _MODELS[stage].from_document(document)
    currency = written_currency(said.currency)
    assert currency is not None  # noqa: S101 - the model has looked it up
    amount = Money(minor_units(said.amount, currency.exponent), currency)
    splits = tuple(_split(part, n, currency) for n, part in enumerate(said.splits or ()))
    dates = _dates(said, latest)
    _check_split_sum(amount, splits)
    if said.mode not in (None, *MODES):
        raise RejectedOperation(RejectionCode.MODE, "mode: must be test or live")
    shared: dict[str, Any] = {
        "psp_id": said.psp_id,
        "external_reference": said.external_reference,
        "type": OperationType(said.type),
        "amount": amount,
        "local_merchant_id": said.local_merchant_id,
        "shop_id": said.shop_id,
        "original_reference": said.original_reference,
        "mode": said.mode,
        "splits": splits,
        **dates,
    }
    if isinstance(said, ReconciledOperationV1):
        return ReconciledOperation(**shared, bank_reference=said.bank_reference)
    return ConfirmedOperation(**shared)


def _split(part: SplitV1, n: int, currency: Currency) -> Split:
    fee = part.marketplace_fee
    return Split(
        local_merchant_id=part.local_merchant_id,
        shop_id=part.shop_id,
        amount=Money(minor_units(part.amount, currency.exponent, f"splits.{n}.amount"), currency),
        marketplace_fee=None
        if fee is None
        else Money(minor_units(fee, currency.exponent, f"splits.{n}.marketplace_fee"), currency),
    )


def _dates(said: ConfirmedOperationV1, latest: datetime | None) -> dict[str, datetime]:
    dates = {"operation_date": parse_date(said.operation_date, "operation_date")}
    if isinstance(said, ReconciledOperationV1):
        dates["reconciled_date"] = parse_date(said.reconciled_date, "reconciled_date")
    for field, date in dates.items():
        if latest is not None and date > latest:
            raise RejectedOperation(
                RejectionCode.FUTURE, f"{field}: more than 15 minutes after the message was sent"
            )
    return dates


def _check_split_sum(amount: Money, splits: tuple[Split, ...]) -> None:
    if splits and sum(part.amount.minor for part in splits) != amount.minor:
        raise RejectedOperation(RejectionCode.SPLIT_SUM, "splits: amounts do not add up to amount")
    for n, part in enumerate(splits):
        if part.marketplace_fee is not None and part.marketplace_fee.minor > part.amount.minor:
            raise RejectedOperation(
                RejectionCode.SPLIT_SUM, f"splits.{n}.marketplace_fee: above the split's amount"
            )
