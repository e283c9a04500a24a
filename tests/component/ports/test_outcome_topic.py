"""The topic of outcomes, in memory and in SNS: what is announced is what a subscriber reads."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber
from jsonschema import Draft202012Validator

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.outcome_topic import SnsOutcomeTopic
from falcon_balances.adapters.ports import OutcomeTopic
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.contracts.payouts import PayoutOutcomeV1
from falcon_balances.contracts.rejections import Rejection
from falcon_balances.contracts.staged_operations import parse_document
from falcon_balances.domain.direct_operations import PayoutRequest, PayoutReturn
from falcon_balances.domain.errors import RejectionCode, TransientError
from falcon_balances.domain.identity import payout_operation_id, payout_return_id
from falcon_balances.domain.merchant_context import Merchant
from falcon_balances.domain.operations import Stage
from falcon_balances.domain.payouts import withdrawal_of
from falcon_balances.domain.splitting import split_direct
from falcon_balances.fakes.storage import MemoryOutcomeTopic
from tests.builders import RECEIVED_AT, Document

SCHEMA = Path(__file__).parents[3] / "schemas" / "payout-outcome.v1.schema.json"
MERCHANT = Merchant(frozenset({("bs-1", "EUR")}))
BALANCE: Document = {
    "schema_version": "1",
    "payout_id": "payout-1",
    "merchant_id": "m-1",
    "balance_shop_id": "bs-1",
    "currency": "EUR",
}
REQUEST = BALANCE | {
    "amount": "40.00",
    "minimum_amount": "10.00",
    "requested_at": "2026-11-20T10:15:00Z",
}
RETURN = BALANCE | {
    "type": "return",
    "amount": "15.00",
    "returned_at": "2026-11-22T10:15:00Z",
    "bank_reference": "bank-1",
}


def of_request(state: str, **said: Any) -> PayoutOutcomeV1:
    """25.00 of the 40.00 that were asked for, as far as it was paid."""
    request = parse_document(REQUEST, Stage.PAYOUT)
    assert isinstance(request, PayoutRequest)
    claim = ClaimV1.of(request, RECEIVED_AT, withdrawal_of(request, 2500), state)
    return PayoutOutcomeV1.of(REQUEST, claim.model_copy(update=said))


def of_return() -> PayoutOutcomeV1:
    operation = parse_document(RETURN, Stage.PAYOUT)
    assert isinstance(operation, PayoutReturn)
    claim = ClaimV1.of(operation, RECEIVED_AT, split_direct(operation, MERCHANT))
    return PayoutOutcomeV1.of(RETURN, claim)


def of_rejected() -> PayoutOutcomeV1:
    first = parse_document(REQUEST, Stage.PAYOUT)
    assert isinstance(first, PayoutRequest)
    claim = ClaimV1.of(first, RECEIVED_AT, withdrawal_of(first, 2500), "paid")
    rejection = Rejection(code=RejectionCode.ID_CONFLICT, reason="payout_id: known already")
    return PayoutOutcomeV1.of_rejected(REQUEST | {"amount": "41.00"}, rejection, claim)


OUTCOMES = {
    "rejected": of_rejected(),
    "accepted": of_request("paid"),
    "refused": of_request("refused", segments=(), available="-3.00"),
    "given_up": of_request("given_up"),
    "returned": of_return(),
}
EVERY_OUTCOME = pytest.mark.parametrize("name", OUTCOMES)


@dataclass(frozen=True, slots=True)
class ReadableTopic:
    """A topic, and the bodies that a subscriber of everything has got since it was last read."""

    port: OutcomeTopic
    read: Callable[[], list[str]]


@pytest.fixture
def topic_arn(aws) -> str:
    return client("sns").create_topic(Name="payout-outcome")["TopicArn"]


@pytest.fixture
def topic(world, request) -> ReadableTopic:
    if world is None:
        fake = MemoryOutcomeTopic()
        return ReadableTopic(fake, lambda: [each.model_dump_json() for each in fake.announced])
    arn = request.getfixturevalue("topic_arn")
    queue = subscribed(arn)
    port = SnsOutcomeTopic(client("sns"), arn)
    return ReadableTopic(port, lambda: [message["Body"] for message in received(queue)])


def subscribed(topic_arn: str, **attributes: str) -> str:
    """A queue with raw delivery, as a payout system would have it."""
    url = client("sqs").create_queue(QueueName=f"outcomes-{len(attributes)}")["QueueUrl"]
    said = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    client("sns").subscribe(
        TopicArn=topic_arn,
        Protocol="sqs",
        Endpoint=said["Attributes"]["QueueArn"],
        Attributes={"RawMessageDelivery": "true"} | attributes,
    )
    return url


def received(queue_url: str) -> list[Any]:
    answer = client("sqs").receive_message(
        QueueUrl=queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return answer.get("Messages", [])


@EVERY_OUTCOME
def test_what_is_announced_is_what_a_subscriber_reads(topic, name):
    topic.port.announce(OUTCOMES[name])
    [body] = topic.read()
    assert PayoutOutcomeV1.model_validate_json(body) == OUTCOMES[name]


@EVERY_OUTCOME
def test_every_outcome_keeps_its_schema(topic, name):
    topic.port.announce(OUTCOMES[name])
    [body] = topic.read()
    Draft202012Validator(json.loads(SCHEMA.read_bytes())).validate(json.loads(body))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("accepted", {"requested_amount": "40.00", "amount": "25.00"}),
        ("refused", {"requested_amount": "40.00", "amount": None, "available": "-3.00"}),
        (
            "rejected",
            {
                "requested_amount": "41.00",
                "amount": None,
                "code": "E_ID_CONFLICT",
                "detail": "payout_id: known already",
                "first": {
                    "outcome": "accepted",
                    "received_at": RECEIVED_AT,
                    "balance_shop_id": "bs-1",
                    "currency": "EUR",
                    "requested_amount": "40.00",
                    "amount": "25.00",
                },
            },
        ),
        ("given_up", {"requested_amount": "40.00", "amount": None}),
        ("returned", {"requested_amount": "15.00", "amount": "15.00"}),
    ],
)
def test_an_outcome_says_whose_it_is_and_what_moved(topic, name, said):
    topic.port.announce(OUTCOMES[name])
    [body] = topic.read()
    identify = payout_return_id if name == "returned" else payout_operation_id
    ids = {
        "outcome_id": OUTCOMES[name].outcome_id,
        "outcome": name,
        "falcon_operation_id": identify("m-1", "payout-1"),
    }
    assert json.loads(body) == BALANCE | ids | said


def test_every_outcome_of_a_payout_has_an_id_of_its_own():
    assert len({outcome.outcome_id for outcome in OUTCOMES.values()}) == len(OUTCOMES)


def test_what_is_announced_again_is_the_same_to_the_byte(topic):
    for _ in range(3):
        topic.port.announce(OUTCOMES["accepted"])
    bodies = topic.read()
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


@EVERY_OUTCOME
def test_the_outcome_is_an_attribute_and_the_only_one(topic_arn, name):
    queue = subscribed(topic_arn)
    SnsOutcomeTopic(client("sns"), topic_arn).announce(OUTCOMES[name])
    [message] = received(queue)
    assert message["MessageAttributes"] == {"outcome": {"DataType": "String", "StringValue": name}}


@EVERY_OUTCOME
def test_a_subscriber_can_ask_for_one_kind_of_outcome(topic_arn, name):
    queue = subscribed(topic_arn, FilterPolicy=json.dumps({"outcome": [name]}))
    port = SnsOutcomeTopic(client("sns"), topic_arn)
    for outcome in OUTCOMES.values():
        port.announce(outcome)
    assert [json.loads(message["Body"])["outcome"] for message in received(queue)] == [name]


def test_a_topic_that_is_not_there_is_transient(topic_arn):
    client("sns").delete_topic(TopicArn=topic_arn)
    with pytest.raises(TransientError, match=OUTCOMES["refused"].falcon_operation_id):
        SnsOutcomeTopic(client("sns"), topic_arn).announce(OUTCOMES["refused"])


def announced_to(sns: Any) -> str:
    """The error of an announcement that must fail, which names the payout and none of its money."""
    with pytest.raises(TransientError) as raised:
        SnsOutcomeTopic(sns, "arn:aws:sns:eu-central-1:123456789012:t").announce(
            OUTCOMES["accepted"]
        )
    said = str(raised.value)
    assert said.startswith(f"announce accepted of {payout_operation_id('m-1', 'payout-1')}: ")
    assert not any(hidden in said for hidden in ("secret", "25.00", "40.00"))
    return said


@pytest.mark.parametrize(
    ("code", "status"),
    [("Throttled", 429), ("AuthorizationError", 403), ("KMSAccessDenied", 400), ("Internal", 500)],
)
def test_what_sns_refuses_is_transient(code, status):
    sns = client("sns")
    with Stubber(sns) as stubber:
        stubber.add_client_error("publish", code, "secret", http_status_code=status)
        assert announced_to(sns).endswith(code)


@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectTimeoutError, EndpointConnectionError])
def test_an_answer_that_never_came_is_transient(error):
    def never_answer(**_: object) -> None:
        raise error(endpoint_url="https://secret")

    sns = client("sns")
    sns.meta.events.register("before-call.*.Publish", never_answer)
    try:
        assert announced_to(sns).endswith(error.__name__)
    finally:
        sns.meta.events.unregister("before-call.*.Publish", never_answer)
