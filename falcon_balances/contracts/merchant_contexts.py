"""MerchantContext v1: one version of a local merchant's global identity, balances and fees (design
§4).
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from falcon_balances.contracts.currencies import ever_accepted
from falcon_balances.contracts.formats import CURRENCY_PATTERN
from falcon_balances.contracts.strictness import (
    AmountOrZero,
    DateText,
    Id,
    Optionally,
    StrictModel,
    parse_date,
    unknown_currency,
)
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.fees import PERCENT_DECIMALS, Fee
from falcon_balances.domain.instants import rfc3339
from falcon_balances.domain.merchant_context import ContextKey, MerchantContext
from falcon_balances.domain.money import at_full_scale, minor_units
from falcon_balances.domain.operations import OperationType

FEES_MAX: Final = 5


def _once_accepted(code: str) -> str:
    if ever_accepted(code) is None:
        raise unknown_currency()
    return code


# A loaded version stays readable when its currency leaves ISO 4217: events from its time can still
# arrive, and be paid out.
CurrencyOnceAccepted = Annotated[
    str, StringConstraints(pattern=CURRENCY_PATTERN), AfterValidator(_once_accepted)
]
AmountsByCurrency = dict[CurrencyOnceAccepted, AmountOrZero]


class FeeV1(StrictModel):
    """Percent of the leg's amount plus `fixed`, rounded half up once, then limited to `min` and
    `max`.
    """

    type: Literal["psp_fee"]
    on: Literal["capture", "refund", "chargeback", "chargeback_reversal", "cashback"]
    percent: AmountOrZero
    fixed: Optionally[AmountsByCurrency] = None
    min: Optionally[AmountsByCurrency] = None
    max: Optionally[AmountsByCurrency] = None


class MerchantContextV1(StrictModel):
    """Valid from `effective_from` until the key's next version."""

    schema_version: Literal["1"]
    psp_id: Id
    local_merchant_id: Id
    shop_id: Id
    merchant_id: Id
    balance_shops: Annotated[dict[CurrencyOnceAccepted, Id], Field(min_length=1)]
    status: Literal["active", "inactive"]
    effective_from: DateText
    fees: Annotated[list[FeeV1], Field(max_length=FEES_MAX)]
    risk: Optionally[Literal["normal", "high"]] = None


def parse_merchant_context(document: Mapping[str, object]) -> MerchantContext:
    """The context in a document. Raises RejectedOperation with the first code that applies; the
    reason names the field.
    """
    said = MerchantContextV1.from_document(document)
    return MerchantContext(
        key=ContextKey(said.psp_id, said.local_merchant_id, said.shop_id),
        merchant_id=said.merchant_id,
        balance_shops=said.balance_shops,
        status=said.status,
        fees=tuple(_fee(fee, f"fees.{n}") for n, fee in enumerate(said.fees)),
        risk=said.risk or "normal",
        effective_from=parse_date(said.effective_from, "effective_from"),
    )


def _fee(fee: FeeV1, path: str) -> Fee:
    percent = minor_units(fee.percent, PERCENT_DECIMALS, f"{path}.percent")
    if percent > 100 * 10**PERCENT_DECIMALS:
        raise RejectedOperation(RejectionCode.AMOUNT, f"{path}.percent: must not be above 100")
    minimum = _minor_by_currency(fee.min, f"{path}.min")
    maximum = _minor_by_currency(fee.max, f"{path}.max")
    for code in sorted(minimum.keys() & maximum.keys()):
        if minimum[code] > maximum[code]:
            raise RejectedOperation(
                RejectionCode.AMOUNT, f"{path}.min.{code}: must not be above max"
            )
    return Fee(
        on=OperationType(fee.on),
        percent_millionths=percent,
        fixed=_minor_by_currency(fee.fixed, f"{path}.fixed"),
        minimum=minimum,
        maximum=maximum,
    )


def _minor_by_currency(amounts: Mapping[str, str] | None, path: str) -> dict[str, int]:
    return {
        code: minor_units(amount, currency.exponent, f"{path}.{code}")
        for code, amount in (amounts or {}).items()
        if (currency := ever_accepted(code)) is not None
    }


def context_document(context: MerchantContext) -> dict[str, object]:
    """The context's canonical document: defaults are written out, so equal contexts give equal
    documents.
    """
    return {
        "schema_version": "1",
        **context.key._asdict(),
        "merchant_id": context.merchant_id,
        "balance_shops": dict(sorted(context.balance_shops.items())),
        "status": context.status,
        "effective_from": rfc3339(context.effective_from),
        "fees": [_fee_document(fee) for fee in context.fees],
        "risk": context.risk,
    }


def _fee_document(fee: Fee) -> dict[str, object]:
    document: dict[str, object] = {
        "type": str(fee.type),
        "on": str(fee.on),
        "percent": at_full_scale(fee.percent_millionths, PERCENT_DECIMALS),
    }
    for name, amounts in (("fixed", fee.fixed), ("min", fee.minimum), ("max", fee.maximum)):
        if amounts:
            document[name] = {
                code: at_full_scale(minor, currency.exponent)
                for code, minor in sorted(amounts.items())
                if (currency := ever_accepted(code)) is not None
            }
    return document
