"""Splits an event into the signed lines of every merchant that it touches (design §4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from falcon_balances.domain.direct_operations import Adjustment, DirectOperation, PayoutReturn
from falcon_balances.domain.errors import RejectedOperation, RejectionCode
from falcon_balances.domain.identity import balance_operation_uuid, falcon_operation_id
from falcon_balances.domain.log_grammar import AMOUNT_DIGITS_MAX
from falcon_balances.domain.merchant_context import (
    ContextHistory,
    ContextKey,
    Merchant,
    MerchantContext,
    in_force,
)
from falcon_balances.domain.money import Money
from falcon_balances.domain.operations import (
    SIGN_BY_TYPE,
    BalanceOperation,
    OperationType,
    PspOperation,
    ReconciledOperation,
    Segment,
    staged,
)
from falcon_balances.domain.sale_parts import SalePart, sale_part

_MINOR_END = 10**AMOUNT_DIGITS_MAX

DraftLine = tuple[MerchantContext, OperationType, Money]


@dataclass(frozen=True, slots=True)
class SplitEvent:
    """The segments of an event, and the context versions that they follow from."""

    falcon_operation_id: str
    segments: tuple[Segment, ...]
    context_versions: tuple[str, ...]
    named_merchant_id: str = ""
    """For a PSP's event: the merchant that it names outside its splits, such as the marketplace."""
    sale: SalePart | None = None
    """The sale that it belongs to, under the merchant that the event names."""


def split_direct(operation: DirectOperation, merchant: Merchant | None) -> SplitEvent:
    """A direct operation's one segment. Raises RejectedOperation, as `check_balance` does."""
    check_balance(operation, merchant)
    segment = direct_segment(operation, operation.movement)
    return SplitEvent(segment.falcon_operation_id, (segment,), ())


def direct_segment(operation: DirectOperation, movement: Money) -> Segment:
    """The one line of a direct operation; `movement` is signed."""
    operation_id = falcon_operation_id(operation)
    number_key = (operation.merchant_id, operation.balance_shop_id, operation.line_type)
    line = BalanceOperation(
        uuid=balance_operation_uuid(operation_id, operation.stage.value, *number_key, 0),
        external_reference=operation.reference,
        amount=movement,
        type=operation.line_type,
        falcon_operation_id=operation_id,
        operation_date=operation.booked_at,
        local_merchant_id="",
        shop_id="",
        balance_shop_id=operation.balance_shop_id,
        psp_id="",
    )
    told = _with_evidence(line, operation)
    return Segment(operation.stage, operation.merchant_id, part=1, parts=1, lines=(told,))


def _with_evidence(line: BalanceOperation, operation: DirectOperation) -> BalanceOperation:
    """The line with the requester and the corrected operation, as the log has them (design §6)."""
    if isinstance(operation, PayoutReturn):
        return replace(
            line,
            original_reference=operation.return_id or "",
            bank_reference=operation.bank_reference,
        )
    if isinstance(operation, Adjustment):
        return replace(
            line,
            original_reference=operation.corrects or "",
            reason_code=operation.reason_code,
            requested_by=operation.requested_by,
        )
    return line


def check_balance(operation: DirectOperation, merchant: Merchant | None) -> None:
    """Checks that the merchant has the balance. Raises RejectedOperation: E_UNKNOWN_MERCHANT or
    E_NO_BALANCE_SHOP.
    """
    if merchant is None:
        raise RejectedOperation(
            RejectionCode.UNKNOWN_MERCHANT,
            "merchant_id: unknown merchant: no merchant context names it",
        )
    if not merchant.has(operation.balance_shop_id, operation.amount.currency.code):
        raise RejectedOperation(
            RejectionCode.NO_BALANCE_SHOP,
            "balance_shop_id, currency: the merchant has no balance of this shop in this currency",
        )


def context_keys(operation: PspOperation) -> tuple[ContextKey, ...]:
    """The context keys that an event names: the top-level one first, then each split's, without
    repetition.
    """
    named = [ContextKey(operation.psp_id, operation.local_merchant_id, operation.shop_id)]
    named += [
        ContextKey(operation.psp_id, split.local_merchant_id, split.shop_id)
        for split in operation.splits
    ]
    return tuple(dict.fromkeys(named))


def split(operation: PspOperation, histories: Mapping[ContextKey, ContextHistory]) -> SplitEvent:
    """The segments of an event. The same event and contexts give the same lines; an event is
    accepted or rejected as a whole.

    The contexts in force at `contexts_at` apply, in every stage and revision. The segments of a
    revision are its whole truth; there are none if nothing is left. Raises RejectedOperation with
    E_UNKNOWN_MERCHANT, E_MERCHANT_INACTIVE or E_NO_BALANCE_SHOP, checked in this order over all
    merchants that the event names, and with E_AMOUNT for an amount that no line can hold.
    """
    contexts = _contexts_of(operation, histories)
    operation_id = falcon_operation_id(operation)
    segments = _segments(operation, operation_id, list(_drafts(operation, contexts)))
    versions = tuple(context.claimed_as for context in contexts.values())
    top, *_ = contexts.values()
    named = top.merchant_id
    return SplitEvent(operation_id, segments, versions, named, sale_part(operation, named))


def _contexts_of(
    operation: PspOperation, histories: Mapping[ContextKey, ContextHistory]
) -> dict[ContextKey, MerchantContext]:
    contexts: dict[ContextKey, MerchantContext] = {}
    for key in context_keys(operation):
        context = in_force(histories.get(key, ()), operation.contexts_at)
        if context is None:
            raise RejectedOperation(
                RejectionCode.UNKNOWN_MERCHANT,
                "local_merchant_id, shop_id: no merchant context in force at the operation's date",
            )
        contexts[key] = context
    if any(context.refuses(operation.type) for context in contexts.values()):
        raise RejectedOperation(
            RejectionCode.MERCHANT_INACTIVE,
            "local_merchant_id: the merchant was inactive at the operation's date",
        )
    code = operation.amount.currency.code
    if any(code not in context.balance_shops for context in contexts.values()):
        raise RejectedOperation(
            RejectionCode.NO_BALANCE_SHOP,
            "currency: the merchant has no balance shop in this currency",
        )
    return contexts


def _drafts(
    operation: PspOperation, contexts: Mapping[ContextKey, MerchantContext]
) -> Iterator[DraftLine]:
    """The event's lines in order: per leg the amount, its fees, the marketplace's part."""
    top, *_ = contexts.values()
    if not operation.splits:
        yield from _leg(operation.type, operation.amount, top)
        return
    mirror = SIGN_BY_TYPE[operation.type]
    for part in operation.splits:
        key = ContextKey(operation.psp_id, part.local_merchant_id, part.shop_id)
        yield from _leg(operation.type, part.amount, contexts[key])
        if part.marketplace_fee is not None and part.marketplace_fee.minor:
            fee = Money(mirror * part.marketplace_fee.minor, part.marketplace_fee.currency)
            yield contexts[key], OperationType.MARKETPLACE_FEE, -fee
            yield top, OperationType.MARKETPLACE_FEE, fee


def _leg(
    operation_type: OperationType, amount: Money, context: MerchantContext
) -> Iterator[DraftLine]:
    """The lines of a leg; none for an amount of zero, which only a revision can have."""
    if not amount.minor:
        return
    yield (
        context,
        operation_type,
        Money(SIGN_BY_TYPE[operation_type] * amount.minor, amount.currency),
    )
    for fee in context.fees:
        if fee.on == operation_type and (charged := fee.of(amount)) is not None:
            yield context, fee.type, -charged


def _segments(
    operation: PspOperation, operation_id: str, drafts: list[DraftLine]
) -> tuple[Segment, ...]:
    """One segment per merchant, sorted by merchant id; its lines have the event's order."""
    numbers: dict[tuple[str, str, OperationType], int] = {}
    lines: dict[str, list[BalanceOperation]] = {}
    contexts: dict[str, dict[ContextKey, MerchantContext]] = {}
    for context, line_type, amount in drafts:
        merchant_id = context.merchant_id
        number_key = (merchant_id, context.balance_shops[amount.currency.code], line_type)
        n = numbers.get(number_key, 0)
        numbers[number_key] = n + 1
        line = _line(operation, operation_id, (context, line_type, amount), n)
        lines.setdefault(merchant_id, []).append(line)
        contexts.setdefault(merchant_id, {})[context.key] = context
    return tuple(
        Segment(
            stage=operation.stage,
            merchant_id=merchant_id,
            part=part,
            parts=len(lines),
            lines=tuple(lines[merchant_id]),
            context_version=",".join(
                sorted({context.logged_as for context in contexts[merchant_id].values()})
            ),
            revision=operation.revision,
        )
        for part, merchant_id in enumerate(sorted(lines), start=1)
    )


def _line(operation: PspOperation, operation_id: str, draft: DraftLine, n: int) -> BalanceOperation:
    """`n` counts, from 0, the event's lines of the same merchant, balance shop and type."""
    context, line_type, amount = draft
    if abs(amount.minor) >= _MINOR_END:
        raise RejectedOperation(
            RejectionCode.AMOUNT,
            f"amount: leads to a fee of more than {AMOUNT_DIGITS_MAX} digits",
        )
    balance_shop_id = context.balance_shops[amount.currency.code]
    in_stage = staged(operation.stage, operation.revision)
    number_key = (context.merchant_id, balance_shop_id, line_type)
    return BalanceOperation(
        uuid=balance_operation_uuid(operation_id, in_stage, *number_key, n),
        external_reference=operation.external_reference,
        amount=amount,
        type=line_type,
        falcon_operation_id=operation_id,
        operation_date=operation.booked_at,
        local_merchant_id=context.key.local_merchant_id,
        shop_id=context.key.shop_id,
        balance_shop_id=balance_shop_id,
        psp_id=operation.psp_id,
        original_reference=operation.original_reference or "",
        occurrence=operation.occurrence,
        bank_reference=(
            operation.bank_reference if isinstance(operation, ReconciledOperation) else ""
        ),
    )
