"""The splitter: what each event would mean by the contexts in force when it happened."""

import json
from typing import Any

import pytest

from falcon_balances.adapters import merchant_directory
from falcon_balances.adapters.aws import client
from falcon_balances.contracts.execution import PersisterInput, SplitMessage
from falcon_balances.domain.errors import RejectedOperation, TransientError
from inprocess.aws import CONTEXT_TABLE
from lambdas.splitter import handler as splitter
from tests.builders import (
    RECEIVED_AT,
    claim_of,
    confirmed,
    context_of,
    fee_of,
    marketplace,
    reconciled,
    shop,
)
from tests.component.lambda_events import lambda_context

WITH_FEE = context_of(fees=[fee_of("1.00")])
FREE_SINCE_JUNE = context_of(effective_from="2026-06-01T00:00:00Z")


def split_events(*documents: dict[str, Any], stage: str = "confirmed") -> tuple[SplitMessage, ...]:
    messages = [
        {"message_id": f"message-{n}", "received_at": RECEIVED_AT, "event": document}
        for n, document in enumerate(documents)
    ]
    event = json.loads(json.dumps({"stage": stage, "messages": messages}))
    answer = splitter.lambda_handler(event, lambda_context())
    return PersisterInput.model_validate_json(json.dumps(answer)).messages


def lines_of(message: SplitMessage) -> list[tuple[str, str, str]]:
    """(merchant, type, amount) of every line, in the order of the segments."""
    return [
        (segment.merchant_id, fields[4], fields[2])
        for segment in message.claim.segments
        for line in message.claim.body_of(segment).splitlines()[1:]
        for fields in [line.split(",")]
    ]


def test_an_event_becomes_the_claim_it_would_make(aws):
    aws.load(WITH_FEE)
    [message] = split_events(confirmed())
    assert message.rejection is None
    assert message.claim == claim_of(confirmed(), WITH_FEE)
    assert lines_of(message) == [("m-5553", "capture", "100.00"), ("m-5553", "psp_fee", "-1.00")]


@pytest.mark.parametrize(
    ("event_type", "expected"),
    [
        (
            "capture",
            [
                ("m-a", "capture", "60.00"),
                ("m-a", "psp_fee", "-0.60"),
                ("m-a", "marketplace_fee", "-3.00"),
                ("m-b", "capture", "40.00"),
                ("m-market", "marketplace_fee", "3.00"),
            ],
        ),
        (
            "refund",
            [
                ("m-a", "refund", "-60.00"),
                ("m-a", "marketplace_fee", "3.00"),
                ("m-b", "refund", "-40.00"),
                ("m-market", "marketplace_fee", "-3.00"),
            ],
        ),
    ],
)
def test_a_marketplace_s_event_becomes_a_segment_per_merchant(aws, event_type, expected):
    aws.load(context_of("market"), context_of("a", fees=[fee_of("1.00")]), context_of("b"))
    parts = [("a", "60.00", "3.00"), ("b", "40.00", "0.00")]
    [message] = split_events(marketplace(parts, "100.00", type=event_type))
    assert lines_of(message) == expected
    assert [segment.log_key[-11:] for segment in message.claim.segments] == [
        ".1-of-3.csv",
        ".2-of-3.csv",
        ".3-of-3.csv",
    ]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (confirmed(**shop("nobody")), "E_UNKNOWN_MERCHANT"),
        (confirmed(**shop("closed")), "E_MERCHANT_INACTIVE"),
        (confirmed(currency="USD"), "E_NO_BALANCE_SHOP"),
    ],
)
def test_a_refused_event_is_handed_on_with_its_code_and_does_not_stop_the_others(
    aws, document, code
):
    aws.load(context_of(), context_of("closed", status="inactive"))
    bad, good = split_events(document, confirmed(external_reference="good"))
    assert bad.rejection is not None
    assert bad.rejection.code == code
    assert bad.claim.segments == ()
    assert good.rejection is None
    assert len(good.claim.segments) == 1


def test_the_version_in_force_at_operation_date_counts_in_every_stage(aws):
    aws.load(WITH_FEE, FREE_SINCE_JUNE)
    in_may, in_june = "2026-05-31T23:59:59Z", "2026-06-01T00:00:00Z"
    assert len(lines_of(split_events(confirmed(operation_date=in_may))[0])) == 2
    assert len(lines_of(split_events(confirmed(operation_date=in_june))[0])) == 1
    late = reconciled(operation_date=in_may)
    assert len(lines_of(split_events(late, stage="reconciled")[0])) == 2


def test_a_new_version_is_seen_within_a_minute_and_an_unknown_merchant_at_once(aws, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(merchant_directory, "monotonic", lambda: clock[0])
    assert split_events(confirmed())[0].rejection is not None
    aws.load(WITH_FEE)
    assert len(lines_of(split_events(confirmed())[0])) == 2
    aws.load(WITH_FEE, FREE_SINCE_JUNE)
    clock[0] += 59
    assert len(lines_of(split_events(confirmed())[0])) == 2
    clock[0] += 1
    assert len(lines_of(split_events(confirmed())[0])) == 1


def test_contexts_that_cannot_be_read_are_no_unknown_merchants(aws):
    client("dynamodb").delete_table(TableName=CONTEXT_TABLE)
    with pytest.raises(TransientError, match="contexts"):
        split_events(confirmed())


def test_what_never_came_through_the_dispatcher_fails_the_chunk(aws):
    aws.load(context_of())
    with pytest.raises(RejectedOperation):
        split_events(confirmed(), confirmed(amount="1.001"))
