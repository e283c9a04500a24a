"""The story of an operation, told once for the API, the trace and the auditors' explanation."""

from dataclasses import replace
from datetime import timedelta

from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.operation_story import (
    MerchantPart,
    OperationStory,
    returned_payout,
)
from falcon_balances.domain.history import Mark
from falcon_balances.domain.identity import payout_operation_id
from falcon_balances.domain.instants import parse_rfc3339
from falcon_balances.domain.operations import OperationType
from tests.builders import claim_of, confirmed, context_of, fee_of, marketplace, reconciled

CONFIRMED = claim_of(confirmed(), context_of(fees=[fee_of()]))
RECONCILED = claim_of(reconciled(), context_of(fees=[fee_of()]))
ID = CONFIRMED.falcon_operation_id
COUNTED = parse_rfc3339("2026-11-20T10:15:00Z")


def mark_of(claim: ClaimV1, minutes: int = 0) -> Mark:
    (segment,) = claim.segments
    window = COUNTED + timedelta(minutes=minutes)
    lines = claim.lines_of(segment)
    order = f"order-{minutes}"
    return Mark(
        ID, claim.stage, window, order, segment.log_key, claim.fingerprint, lines, {}, None, 1, ()
    )


def test_stages_come_in_their_order_whatever_order_the_claims_were_read_in():
    story = OperationStory.of(ID, [RECONCILED, CONFIRMED], {})
    assert story.claims == (CONFIRMED, RECONCILED)


def test_each_segment_comes_with_its_mark_or_none_while_it_is_not_counted():
    parts = {"m-5553": MerchantPart([mark_of(CONFIRMED)])}
    story = OperationStory.of(ID, [CONFIRMED, RECONCILED], parts)
    assert list(story.segments(CONFIRMED)) == [(CONFIRMED.segments[0], mark_of(CONFIRMED))]
    assert list(story.segments(RECONCILED)) == [(RECONCILED.segments[0], None)]


def test_segments_of_merchants_that_are_not_asked_of_are_not_told():
    claim = claim_of(
        marketplace([("a", "60.00", "1.00"), ("b", "40.00", "1.00")], "100.00"),
        *(context_of(each) for each in ("market", "a", "b")),
    )
    assert len(claim.segments) == 3
    story = OperationStory.of(claim.falcon_operation_id, [claim], {"m-a": MerchantPart()})
    assert [each.merchant_id for each, _ in story.segments(claim)] == ["m-a"]
    everybody = {each.merchant_id: MerchantPart() for each in claim.segments}
    story = OperationStory.of(claim.falcon_operation_id, [claim], everybody)
    assert [each for each, _ in story.segments(claim)] == list(claim.segments)


def test_the_main_line_says_what_the_operation_is_and_not_its_fee():
    story = OperationStory.of(ID, [CONFIRMED], {"m-5553": MerchantPart()})
    assert story.main is not None
    assert story.main.type is OperationType.CAPTURE
    assert OperationStory.of(ID, [CONFIRMED], {"m-other": MerchantPart()}).main is None
    assert OperationStory.of(ID, [], {}).main is None


def test_corrections_are_those_of_all_merchants_each_once():
    parts = {"m-1": MerchantPart(corrected_by=["b", "a"]), "m-2": MerchantPart(corrected_by=["b"])}
    assert OperationStory.of(ID, [], parts).corrected_by == ["a", "b"]


def test_a_return_names_its_payout_and_nothing_else_does():
    (line, _) = CONFIRMED.lines_of(CONFIRMED.segments[0])
    assert returned_payout("m-5553", line) is None
    changed = replace(line, type=OperationType.WITHDRAWAL_REVERSAL)
    reference = line.external_reference
    assert returned_payout("m-5553", changed) == payout_operation_id("m-5553", reference)
