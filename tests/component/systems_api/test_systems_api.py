"""The systems API as a whole: who may ask, what is not there, how fresh it is."""

import json
from datetime import timedelta

import pytest

from falcon_balances.adapters.aws import client
from inprocess.aws import BALANCES_TABLE
from lambdas.systems_api import handler as systems
from tests.builders import (
    operation_id_of,
)
from tests.component.api_calls import NOT_FOUND, PROBLEM
from tests.component.lambda_events import event_file, lambda_context
from tests.component.systems_api.requests import (
    AUTHORIZATION,
    AUTHORIZATIONS,
    BLOCKS,
    CALLER,
    FRESHNESS,
    MANUAL,
    NOW,
    REFUND,
    ROOT,
    block,
    money,
    request,
)
from tests.component.world import utc


def test_balances_are_answered_as_the_merchant_s_own_api_does(world):
    block()
    whole = request("GET", f"{ROOT}/balances")
    one = request("GET", f"{ROOT}/balances/bs-5553-eur")
    assert whole["statusCode"] == 200
    assert whole["body"] == one["body"]
    [balance] = whole["body"]["balances"]
    assert (balance["available"], balance["blocked"]) == ("60.00", "40.00")


def test_freshness_says_how_far_the_balances_are_and_what_waits_before_them(world, store):
    store.advance_as_of(utc("2026-11-20T10:19:20"))
    sqs = client("sqs")
    for queue, messages in (("confirmed", 3), ("confirmed-dead", 1), ("payout", 2)):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        for n in range(messages):
            sqs.send_message(QueueUrl=url, MessageBody=f"message-{n}")
    taken = sqs.receive_message(QueueUrl=sqs.get_queue_url(QueueName="payout")["QueueUrl"])
    assert len(taken["Messages"]) == 1, "still counted: nobody has done it yet"
    for queue, seconds in (("confirmed", [40, 95]), ("payout", [7]), ("confirmed-dead", [9999])):
        for n, value in enumerate(seconds):
            client("cloudwatch").put_metric_data(
                Namespace="AWS/SQS",
                MetricData=[
                    {
                        "MetricName": "ApproximateAgeOfOldestMessage",
                        "Dimensions": [{"Name": "QueueName", "Value": queue}],
                        "Timestamp": NOW - timedelta(minutes=3 - n),
                        "Value": value,
                    }
                ],
            )
    answer = request("GET", FRESHNESS)
    assert answer["statusCode"] == 200
    assert answer["body"] == {
        "as_of": "2026-11-20T10:19:20Z",
        "lag_seconds": 40,
        "oldest_message_seconds": 95,
        "queues": [
            {
                "stage": "confirmed",
                "messages": 3,
                "dead_letters": 1,
                "oldest_message_seconds": 95,
            },
            {"stage": "payout", "messages": 2, "dead_letters": 0, "oldest_message_seconds": 7},
        ],
    }


def test_where_nothing_waits_there_is_no_age_and_before_the_first_cut_no_as_of(world):
    answer = request("GET", FRESHNESS)
    assert (answer["statusCode"], answer["body"]["as_of"]) == (200, None)
    assert answer["body"]["lag_seconds"] is None
    assert answer["body"]["oldest_message_seconds"] is None
    assert {each["messages"] for each in answer["body"]["queues"]} == {0}


def test_queues_that_cannot_be_looked_at_are_503_and_not_empty(world):
    sqs = client("sqs")
    sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName="payout-dead")["QueueUrl"])
    assert request("GET", FRESHNESS)["statusCode"] == 503


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/systems/merchants/m-none/balances", None),
        ("GET", "/v1/systems/merchants/m-none/balances/bs-5553-eur", None),
        ("GET", f"{ROOT}/balances/bs-none", None),
        ("GET", "/v1/systems/merchants/m-none/blocks", None),
        ("POST", "/v1/systems/merchants/m-none/blocks", MANUAL),
        ("GET", "/v1/systems/merchants", None),
        ("DELETE", "/v1/systems/merchants/m-5553", None),
        ("GET", "/v1/merchants/m-5553/balances", None),
    ],
)
def test_what_is_unknown_is_not_found(world, method, path, body):
    answer = request(method, path, body, key="key-1")
    assert (answer["statusCode"], answer["body"]) == (404, NOT_FOUND)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", BLOCKS, "GET, HEAD, OPTIONS, POST"),
        ("PUT", f"{BLOCKS}/key-1", "GET, HEAD, OPTIONS"),
        ("GET", f"{BLOCKS}/key-1/release", "OPTIONS, POST"),
        ("HEAD", AUTHORIZATIONS, "OPTIONS, POST"),
        ("POST", f"{ROOT}/balances", "GET, HEAD, OPTIONS"),
        ("POST", FRESHNESS, "GET, HEAD, OPTIONS"),
    ],
)
def test_a_method_that_an_address_does_not_know_is_405_and_names_those_it_does(
    world, method, path, allowed
):
    block()
    for caller in (CALLER, None):
        answer = request(method, path, MANUAL, key="key-2", caller=caller)
        assert (answer["statusCode"], answer["headers"]["Allow"]) == (405, allowed)
    assert money(world) == (6000, 4000)


ROUTES = [
    ("GET", FRESHNESS, None),
    ("GET", f"{ROOT}/balances", None),
    ("GET", f"{ROOT}/balances/bs-5553-eur", None),
    ("GET", f"{ROOT}/operations", None),
    ("GET", f"{ROOT}/operations/{operation_id_of(REFUND)}", None),
    ("GET", f"{ROOT}/unreconciled", None),
    ("POST", BLOCKS, MANUAL),
    ("GET", BLOCKS, None),
    ("GET", f"{BLOCKS}/BLOCK_ID", None),
    ("POST", f"{BLOCKS}/BLOCK_ID/release", None),
    ("POST", AUTHORIZATIONS, AUTHORIZATION),
]


@pytest.mark.parametrize("caller", [None, ""])
@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_an_iam_identity_there_is_nothing_here(world, caller, method, path, body):
    held = block("held", amount="1.00")["body"]["block_id"]
    path = path.replace("BLOCK_ID", held)
    for said in (body, "no json") if body else (None,):
        answer = request(method, path, said, key="key-1", caller=caller)
        assert (answer["statusCode"], answer["body"]) == (404, NOT_FOUND)
    assert money(world) == (9900, 100)


def test_a_token_of_a_merchant_opens_nothing_here(world):
    event = event_file("http_api.json")
    event["rawPath"] = event["requestContext"]["http"]["path"] = f"{ROOT}/balances"
    answer = systems.lambda_handler(event, lambda_context())
    assert answer["statusCode"] == 404


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_what_cannot_be_decided_now_is_503(world, method, path, body):
    held = block("held", amount="1.00")["body"]["block_id"]
    client("dynamodb").delete_table(TableName=BALANCES_TABLE)
    answer = request(method, path.replace("BLOCK_ID", held), body, key="key-1")
    assert answer["statusCode"] == 503
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert answer["body"]["type"] == f"{PROBLEM}unavailable"
    assert "ResourceNotFound" not in json.dumps(answer["body"])
