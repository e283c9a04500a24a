"""Payout requests, payout returns and adjustments: events that name a balance themselves (design
§4).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from unicodedata import category

from pydantic import AfterValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from falcon_balances.contracts.currencies import written_currency
from falcon_balances.contracts.formats import UUID_PATTERN
from falcon_balances.contracts.psp_operations import MODES
from falcon_balances.contracts.strictness import (
    Amount,
    DateText,
    Id,
    Optionally,
    Reference,
    StrictModel,
    WrittenCurrencyCode,
    parse_date,
)
from falcon_balances.domain.direct_operations import (
    Adjustment,
    DirectOperation,
    PayoutRequest,
    PayoutReturn,
)
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.money import Currency, Money, minor_units
from falcon_balances.domain.operations import Stage

REASON_CHARACTERS_MAX: Final = 200


def _readable(reason: str) -> str:
    has_control = any(category(character) == "Cc" for character in reason)
    if not reason.strip() or len(reason) > REASON_CHARACTERS_MAX or has_control:
        raise PydanticCustomError(
            "E_SCHEMA", "must be text of 1 to 200 characters without control characters"
        )
    return reason


Reason = Annotated[
    str,
    AfterValidator(_readable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": REASON_CHARACTERS_MAX}),
]
FalconOperationId = Annotated[
    str,
    StringConstraints(pattern=UUID_PATTERN),
]


class _DirectOperationV1(StrictModel):
    schema_version: Literal["1"]
    merchant_id: Id
    balance_shop_id: Id
    amount: Amount
    currency: WrittenCurrencyCode


class PayoutRequestV1(_DirectOperationV1):
    """Pays out `amount` of a balance, or what is available if that is at least `minimum_amount`.

    It is not decided after `valid_until`; by default that is three days after `requested_at`, or
    after the message arrived in its queue if that is later.
    """

    payout_id: Id
    requested_at: DateText
    valid_until: Optionally[DateText] = None
    minimum_amount: Optionally[Amount] = None
    mode: Optionally[Annotated[str, WithJsonSchema({"enum": list(MODES)})]] = None


class PayoutReturnV1(_DirectOperationV1):
    """The bank returned a payout, or a part of it; several returns of one payout differ in
    `return_id`.

    It comes on the same topic as the request.
    """

    type: Literal["return"]
    payout_id: Id
    return_id: Optionally[Id] = None
    returned_at: DateText
    bank_reference: Reference


class AdjustmentV1(_DirectOperationV1):
    """A person corrects a balance with a new line; existing lines never change."""

    adjustment_id: Id
    direction: Literal["credit", "debit"]
    adjusted_at: DateText
    reason_code: Id
    reason: Reason
    requested_by: Id
    corrects: Optionally[FalconOperationId] = None


def parse_direct_document(
    document: Mapping[str, object], stage: Stage, *, latest: datetime | None = None
) -> DirectOperation:
    """The operation in a document of stage payout or adjustment. A date after `latest`, if given,
    is E_FUTURE. Raises RejectedOperation.
    """
    said = _model(document, stage).from_document(document)
    currency = written_currency(said.currency)
    assert currency is not None  # noqa: S101 - the model has looked it up
    shared: dict[str, Any] = {
        "merchant_id": said.merchant_id,
        "balance_shop_id": said.balance_shop_id,
        "amount": Money(minor_units(said.amount, currency.exponent), currency),
    }
    if isinstance(said, PayoutRequestV1):
        return _payout_request(said, shared, currency, latest)
    if isinstance(said, PayoutReturnV1):
        return PayoutReturn(
            **shared,
            payout_id=said.payout_id,
            return_id=said.return_id,
            returned_at=_date(said.returned_at, "returned_at", latest),
            bank_reference=said.bank_reference,
        )
    return Adjustment(
        **shared,
        adjustment_id=said.adjustment_id,
        direction=said.direction,
        adjusted_at=_date(said.adjusted_at, "adjusted_at", latest),
        reason_code=said.reason_code,
        reason=said.reason,
        requested_by=said.requested_by,
        corrects=said.corrects,
    )


def _model(
    document: Mapping[str, object], stage: Stage
) -> type[PayoutRequestV1 | PayoutReturnV1 | AdjustmentV1]:
    if stage is Stage.ADJUSTMENT:
        return AdjustmentV1
    return PayoutReturnV1 if "type" in document else PayoutRequestV1


def _payout_request(
    said: PayoutRequestV1, shared: Mapping[str, Any], currency: Currency, latest: datetime | None
) -> PayoutRequest:
    minimum = None
    if said.minimum_amount is not None:
        minor = minor_units(said.minimum_amount, currency.exponent, "minimum_amount")
        minimum = Money(minor, currency)
    if minimum is not None and minimum.minor > shared["amount"].minor:
        raise RejectedOperation(RejectionCode.AMOUNT, "minimum_amount: must not be above amount")
    requested_at, valid_until = _request_dates(said, latest)
    if said.mode not in (None, *MODES):
        raise RejectedOperation(RejectionCode.MODE, "mode: must be test or live")
    mode: Any = said.mode
    return PayoutRequest(
        **shared,
        payout_id=said.payout_id,
        requested_at=requested_at,
        minimum_amount=minimum,
        valid_until=valid_until,
        mode=mode,
    )


def _request_dates(
    said: PayoutRequestV1, latest: datetime | None
) -> tuple[datetime, datetime | None]:
    """`requested_at` and `valid_until`, which may be any time in the future."""
    requested_at = parse_date(said.requested_at, "requested_at")
    valid_until = None
    if said.valid_until is not None:
        valid_until = parse_date(said.valid_until, "valid_until")
        if valid_until < requested_at:
            raise RejectedOperation(
                RejectionCode.DATE, "valid_until: must not be before requested_at"
            )
    return _date(said.requested_at, "requested_at", latest), valid_until


def _date(text: str, field: str, latest: datetime | None) -> datetime:
    date = parse_date(text, field)
    if latest is not None and date > latest:
        raise RejectedOperation(
            RejectionCode.FUTURE,
            f"{field}: must not be later than 15 minutes after the message was sent",
        )
    return date
