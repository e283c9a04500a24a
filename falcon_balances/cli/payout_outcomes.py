"""Shows what became of a payout, and gives one up."""

from typing import Any

from falcon_balances.adapters.balance_store import DynamoBalanceStore
from falcon_balances.adapters.clock import utc_now
from falcon_balances.adapters.payout_claims import DynamoPayoutClaims
from falcon_balances.adapters.ports import ConditionFailed
from falcon_balances.cli import output, tracing
from falcon_balances.cli.errors import AwsError, InvalidInputError
from falcon_balances.cli.target import Target
from falcon_balances.contracts.blocks import BlockV1
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.blocks import Block
from falcon_balances.domain.identity import payout_operation_id
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payout_states import GIVE_UP
from falcon_balances.domain.payouts import giving_up
from falcon_balances.domain.table_keys import BlockKey, ItemKey, merchant_pk

_ATTEMPTS = 5


def story(target: Target, merchant_id: str, payout_id: str) -> dict[str, Any]:
    """Everything known about a payout. Raises InvalidInputError for an unknown payout."""
    claim = _claim(target, merchant_id, payout_id)
    told = tracing.read(target, claim.falcon_operation_id, [claim])
    returns = [
        stage for each in told.returned_by for stage in tracing.story(target, each)["stages"]
    ]
    block = next(iter(told.blocks), None)
    return {
        "merchant_id": merchant_id,
        "payout_id": payout_id,
        "falcon_operation_id": claim.falcon_operation_id,
        "state": claim.state,
        "received_at": claim.received_at,
        "requested": claim.requested and claim.requested.model_dump(mode="json"),
        "available_when_refused": claim.available,
        "refused_because": claim.refusal,
        "block": None if block is None else BlockV1.of(block).model_dump(mode="json"),
        "withdrawal": tracing.segments(told, claim),
        "returned": [segment for stage in returns for segment in stage["segments"]],
    }


def show(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json or "state" not in document:
        output.single(document, as_json=as_json)
        return
    names = ("merchant_id", "payout_id", "falcon_operation_id", "state", "received_at")
    pairs = {name: document[name] for name in names}
    if document["requested"] is not None:
        pairs["requested"] = "{amount} {currency} of {balance_shop_id}, at {requested_at}".format(
            **document["requested"]
        )
    if document["available_when_refused"] is not None:
        pairs["available then"] = document["available_when_refused"]
    if document["refused_because"] is not None:
        pairs["refused because"] = document["refused_because"]
    if document["block"] is not None:
        pairs["block"] = "{status}, {amount} {currency}".format(**document["block"])
    output.pairs(pairs)
    for title in ("withdrawal", "returned"):
        if document[title]:
            output.line(title)
            tracing.show_segments(document[title])


def give_up(
    target: Target, merchant_id: str, payout_id: str, by: str, *, dry_run: bool
) -> dict[str, Any]:
    """Gives up a payout that is decided but not yet being logged. Idempotent.

    The payout's message is still in the queue or the dead-letter queue; when it is handled again,
    the outcome is announced.
    """
    claim = _claim(target, merchant_id, payout_id)
    for _ in range(_ATTEMPTS):
        if claim.state == GIVE_UP.target:
            break
        block = _block(target, claim)
        if claim.state != GIVE_UP.source or block is None:
            raise InvalidInputError(f"the payout is {claim.state}: it cannot be given up")
        if dry_run:
            break
        writes = giving_up(block, utc_now(), by)
        outcomes = _claims(target).move(claim.falcon_operation_id, *GIVE_UP, writes)
        if not outcomes:
            _store(target).set_negative_since(block.balance_key, None)
        elif not isinstance(outcomes[0], ConditionFailed):
            continue
        claim = _claim(target, merchant_id, payout_id)
    else:
        raise AwsError(f"gave up after {_ATTEMPTS} conflicting transactions; try again")
    return story(target, merchant_id, payout_id)


def _claim(target: Target, merchant_id: str, payout_id: str) -> ClaimV1:
    claim = _claims(target).find(payout_operation_id(merchant_id, payout_id), Stage.PAYOUT)
    if claim is None:
        raise InvalidInputError(
            f"payout {payout_id[:80]} is not known for this merchant: never received, or rejected"
        )
    return claim


def _block(target: Target, claim: ClaimV1) -> Block | None:
    for segment in claim.segments:
        key = ItemKey(merchant_pk(segment.merchant_id), BlockKey(claim.falcon_operation_id).sk)
        return _store(target).blocks([key]).get(key)
    return None


def _claims(target: Target) -> DynamoPayoutClaims:
    return DynamoPayoutClaims(target.client("dynamodb"), target.claims_table, target.balances_table)


def _store(target: Target) -> DynamoBalanceStore:
    return DynamoBalanceStore(target.client("dynamodb"), target.balances_table)
