"""Published samples of a payout system's further messages, and of the outcomes that it receives."""

from collections.abc import Iterator
from typing import Any, Final

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.direct_operations import PayoutRequest, PayoutReturn
from falcon_balances.domain.errors import RejectionCode
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import PayoutState
from falcon_balances.domain.payouts import Refusal, withdrawal_of
from falcon_balances.domain.splitting import SplitEvent, direct_segment

Document = dict[str, Any]

_RECEIVED_AT: Final = "2026-03-06T08:00:01Z"
_BALANCE: Final[Document] = {
    "schema_version": "1",
    "merchant_id": "m-books",
    "balance_shop_id": "bs-books-eur",
    "amount": "50.00",
    "currency": "EUR",
}
_REQUEST: Final[Document] = _BALANCE | {
    "payout_id": "payout-2",
    "requested_at": "2026-03-06T08:00:00Z",
    "valid_until": "2026-03-06T20:00:00Z",
}
_RETURN: Final[Document] = _BALANCE | {
    "type": "return",
    "payout_id": "payout-2",
    "return_id": "second",
    "amount": "20.00",
    "returned_at": "2026-03-09T08:00:00Z",
    "bank_reference": "bank-return-2",
}
_OTHER_AMOUNT: Final[Document] = _REQUEST | {"amount": "60.00"}
_NOBODY: Final[Document] = _REQUEST | {"merchant_id": "m-nobody"}


def payout_samples() -> Iterator[tuple[str, str, Document]]:
    """(contract, name, document) of each, in a fixed order."""
    yield "payout-request", "valid-until", _REQUEST
    yield "payout-return", "one-of-several", _RETURN
    for name, outcome in _outcomes().items():
        yield "payout-outcome", name, outcome.model_dump(mode="json")


def _outcomes() -> dict[str, PayoutOutcomeV1]:
    paid, refused = _claim(PayoutState.PAID), _claim(PayoutState.REFUSED, available="49.99")
    expired = _claim(PayoutState.REFUSED, refusal=Refusal.EXPIRED)
    unknown = Rejection(
        code=RejectionCode.UNKNOWN_MERCHANT,
        reason="merchant_id: unknown merchant: no merchant context names it",
    )
    conflict = Rejection(
        code=RejectionCode.ID_CONFLICT,
        reason="payout_id: already known with different content",
    )
    return {
        "accepted": PayoutOutcomeV1.of(_REQUEST, paid),
        "refused": PayoutOutcomeV1.of(_REQUEST, refused),
        "refused-as-expired": PayoutOutcomeV1.of(_REQUEST, expired),
        "given-up": PayoutOutcomeV1.of(_REQUEST, _claim(PayoutState.GIVEN_UP)),
        "returned": PayoutOutcomeV1.of(_RETURN, _return_claim()),
        "rejected": PayoutOutcomeV1.of_rejected(_NOBODY, unknown, None),
        "rejected-as-conflict": PayoutOutcomeV1.of_rejected(_OTHER_AMOUNT, conflict, paid),
    }


def _claim(state: PayoutState, **said: str) -> ClaimV1:
    request = parse_document(_REQUEST, Stage.PAYOUT)
    assert isinstance(request, PayoutRequest)  # noqa: S101 - the sample is one
    event = None if state is PayoutState.REFUSED else withdrawal_of(request, request.amount.minor)
    return ClaimV1.of(request, _RECEIVED_AT, event, state).model_copy(update=said)


def _return_claim() -> ClaimV1:
    returned = parse_document(_RETURN, Stage.PAYOUT)
    assert isinstance(returned, PayoutReturn)  # noqa: S101 - the sample is one
    segment = direct_segment(returned, returned.movement)
    return ClaimV1.of(
        returned, _RECEIVED_AT, SplitEvent(segment.falcon_operation_id, (segment,), ())
    )
