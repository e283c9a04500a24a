"""ConfirmedOperation v1 and ReconciledOperation v1: the events of PSPs (design §4)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, JsonValue, WithJsonSchema

from falcon_balances.contracts.currencies import written_currency
from falcon_balances.contracts.strictness import (
    ABOVE_ZERO,
    AmountOfTruth,
    AmountOrZero,
    CurrencyCode,
    DateText,
    Id,
    Optionally,
    Reference,
    StrictModel,
    WrittenCurrencyCode,
    parse_date,
)
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.log_grammar import REPETITION_MAX, REPETITION_MIN
from falcon_balances.domain.money import Currency, Money, minor_units
from falcon_balances.domain.operations import (
    PSP_TYPES,
    TYPES_WITH_ORIGINAL,
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
# The first occurrence and revision are not written (design §4), so numbers start at 2.
Repetition = Annotated[int, Field(ge=REPETITION_MIN, le=REPETITION_MAX)]
_WITHOUT_ORIGINAL: Final = PSP_TYPES - TYPES_WITH_ORIGINAL


# The rules of `misfit` and of a revision's amounts, for the JSON Schema.
_GOES_TOGETHER: Final[dict[str, JsonValue]] = {
    "dependentRequired": {"revision": ["revised_at"], "revised_at": ["revision"]},
    "allOf": [
        {
            "if": {"required": ["original_date"]},
            "then": {"properties": {"type": {"enum": [*sorted(TYPES_WITH_ORIGINAL)]}}},
        },
        {
            "if": {"required": ["revision"]},
            "else": {
                "properties": {
                    "amount": ABOVE_ZERO,
                    "splits": {"items": {"properties": {"amount": ABOVE_ZERO}}},
                }
            },
        },
    ],
}


class SplitV1(StrictModel):
    """A seller's part of the amount, before the fees of the seller's own context."""

    local_merchant_id: Id
    shop_id: Id
    amount: AmountOfTruth
    marketplace_fee: Optionally[AmountOrZero] = None


class ConfirmedOperationV1(StrictModel):
    """A PSP reports a capture, refund, chargeback, reversal or cashback."""

    model_config = ConfigDict(json_schema_extra=_GOES_TOGETHER)

    schema_version: Literal["1"]
    psp_id: Id
    external_reference: Reference
    type: Literal["capture", "refund", "chargeback", "chargeback_reversal", "cashback"]
    amount: AmountOfTruth
    currency: CurrencyCode
    operation_date: DateText
    local_merchant_id: Id
    shop_id: Id
    original_reference: Optionally[Reference] = None
    original_date: Optionally[DateText] = None
    occurrence: Optionally[Repetition] = None
    revision: Optionally[Repetition] = None
    revised_at: Optionally[DateText] = None
    # Any other word is E_MODE, which is checked last.
    mode: Optionally[Annotated[str, WithJsonSchema({"enum": list(MODES)})]] = None
    splits: Optionally[Annotated[list[SplitV1], Field(min_length=1, max_length=SPLITS_MAX)]] = None

    @classmethod
    def misfit(cls, document: Mapping[str, object]) -> str | None:
        if ("revision" in document) != ("revised_at" in document):
            return "revision, revised_at: must be given together"
        if "original_date" in document and str(document.get("type")) in _WITHOUT_ORIGINAL:
            return "original_date: not allowed: operations of this type have no original"
        return None


class ReconciledOperationV1(ConfirmedOperationV1):
    """The money of an operation was traced in the company's bank account."""

    currency: WrittenCurrencyCode
    reconciled_date: DateText
    bank_reference: Reference


_DATES: Final = ("operation_date", "original_date", "reconciled_date", "revised_at")
_MODELS: Final[Mapping[Stage, type[ConfirmedOperationV1]]] = {
    Stage.CONFIRMED: ConfirmedOperationV1,
    Stage.RECONCILED: ReconciledOperationV1,
}


def parse_psp_document(
    document: Mapping[str, object], stage: Stage, *, latest: datetime | None = None
) -> PspOperation:
    """The operation in a decoded document. A date after `latest`, if given, is E_FUTURE. Raises
    RejectedOperation.
    """
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
        "occurrence": said.occurrence or 1,
        "revision": said.revision or 1,
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
    """The dates of the document, in UTC. Raises RejectedOperation: E_DATE before E_FUTURE."""
    dates = {
        field: parse_date(text, field)
        for field in _DATES
        if (text := getattr(said, field, None)) is not None
    }
    if "original_date" in dates and dates["original_date"] > dates["operation_date"]:
        raise RejectedOperation(
            RejectionCode.DATE, "original_date: must not be after operation_date"
        )
    for field, date in dates.items():
        if latest is not None and date > latest:
            raise RejectedOperation(
                RejectionCode.FUTURE,
                f"{field}: must not be later than 15 minutes after the message was sent",
            )
    return dates


def _check_split_sum(amount: Money, splits: tuple[Split, ...]) -> None:
    if splits and sum(part.amount.minor for part in splits) != amount.minor:
        raise RejectedOperation(
            RejectionCode.SPLIT_SUM, "splits: the amounts must add up to amount"
        )
    for n, part in enumerate(splits):
        if part.marketplace_fee is not None and part.marketplace_fee.minor > part.amount.minor:
            raise RejectedOperation(
                RejectionCode.SPLIT_SUM,
                f"splits.{n}.marketplace_fee: must not be above the split's amount",
            )
