"""Short forms for tables: events and contexts as text, lines as text."""

from datetime import UTC, datetime
from typing import Any

from falcon_balances.contracts.merchant_contexts import parse_merchant_context
from falcon_balances.contracts.psp_operations import parse_psp_document
from falcon_balances.domain.merchant_context import ContextHistory, ContextKey, MerchantContext
from falcon_balances.domain.money import Currency, Money
from falcon_balances.domain.operations import (
    BalanceOperation,
    OperationType,
    PspOperation,
    Segment,
    Stage,
)
from falcon_balances.domain.splitting import split

EURO = Currency("EUR", 2)
BOOKED_AT = datetime(2026, 3, 5, 10, 15, 30, tzinfo=UTC)


def context(
    local: str, merchant_id: str, percent: str | None = None, **more: Any
) -> MerchantContext:
    """The context of shop s-{local}, with one balance bs-{merchant_id} in EUR."""
    fees = [{"type": "psp_fee", "on": "capture", "percent": percent}] if percent else []
    document = {
        "schema_version": "1",
        "psp_id": "psp-1",
        "local_merchant_id": local,
        "shop_id": f"s-{local}",
        "merchant_id": merchant_id,
        "balance_shops": {"EUR": f"bs-{merchant_id}"},
        "status": "active",
        "effective_from": "2026-01-01T00:00:00Z",
        "fees": fees,
    }
    return parse_merchant_context(document | more)


def directory(*contexts: MerchantContext) -> dict[ContextKey, ContextHistory]:
    histories: dict[ContextKey, list[MerchantContext]] = {}
    for item in sorted(contexts, key=lambda item: item.effective_from):
        histories.setdefault(item.key, []).append(item)
    return dict(histories)


def event(
    event_type: str = "capture",
    amount: str = "100.00",
    local: str = "1",
    *splits: tuple[str, ...],
    stage: Stage = Stage.CONFIRMED,
    **more: Any,
) -> PspOperation:
    """`splits`: (local merchant, amount) or (local merchant, amount, marketplace fee)."""
    document = {
        "schema_version": "1",
        "psp_id": "psp-1",
        "external_reference": "ref-1",
        "type": event_type,
        "amount": amount,
        "currency": "EUR",
        "operation_date": "2026-03-05T10:15:30Z",
        "local_merchant_id": local,
        "shop_id": f"s-{local}",
    }
    names = ("local_merchant_id", "amount", "marketplace_fee")
    if splits:
        document["splits"] = [  # type: ignore[assignment]
            {**dict(zip(names, part, strict=False)), "shop_id": f"s-{part[0]}"} for part in splits
        ]
    if stage is Stage.RECONCILED:
        document |= {"reconciled_date": "2026-03-07T09:00:00Z", "bank_reference": "bank-1"}
    return parse_psp_document(document | more, stage)


def lines_of(operation: PspOperation, *contexts: MerchantContext) -> dict[str, list[str]]:
    """By merchant, each line as `amount type`."""
    return {
        segment.merchant_id: [f"{line.amount} {line.type}" for line in segment.lines]
        for segment in split(operation, directory(*contexts)).segments
    }


def segment_of(
    stage: Stage,
    *lines: tuple[str, int],
    merchant_id: str = "m",
    n: int = 0,
    balances: int = 1,
    booked_at: datetime = BOOKED_AT,
) -> Segment:
    """Lines of (type, minor units), spread over the first `balances` balance shops."""
    return Segment(
        stage=stage,
        merchant_id=merchant_id,
        part=1,
        parts=1,
        lines=tuple(
            BalanceOperation(
                uuid=f"uuid-{n}-{position}",
                external_reference=f"ref-{n}",
                amount=Money(minor, EURO),
                type=OperationType(line_type),
                falcon_operation_id=f"operation-{n}",
                operation_date=booked_at,
                local_merchant_id="l",
                shop_id="s",
                balance_shop_id=f"bs-{position % balances}",
                psp_id="psp-1",
            )
            for position, (line_type, minor) in enumerate(lines)
        ),
    )
