"""The API says how far the balances are counted and what waits, also while nothing is counted."""

import json
import time
from decimal import Decimal

import pytest

from falcon_balances.domain.identity import uuid5_text
from falcon_balances.domain.instants import rfc3339
from tests.e2e import observed, past
from tests.e2e.api_world import WAITING, adjustment_of
from tests.e2e.asking import Asker, story


@pytest.fixture(scope="module")
def asker(served):
    with Asker(served.target, served.tokens[WAITING]) as asker:
        yield asker


def freshness(asker):
    answer = asker.ask_signed("systems/freshness")
    assert answer.status == 200, answer
    return answer.document


def test_systems_see_how_far_the_balances_are_and_what_waits(served, asker):
    said = freshness(asker)
    assert said["as_of"] is not None
    assert [each["stage"] for each in said["queues"]] == [
        "confirmed",
        "reconciled",
        "payout",
        "adjustment",
    ]


def test_the_age_of_the_oldest_message_is_what_cloudwatch_says(served, asker):
    """The emulator's SQS tells CloudWatch nothing, so the test says it instead."""
    target = served.target
    name = "falcon-balances-local-adjustment"
    lambdas = target.client("lambda")
    (mapping,) = lambdas.list_event_source_mappings(FunctionName=f"{name}-dispatcher")[
        "EventSourceMappings"
    ]
    lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        observed.send(target, "adjustment", [json.dumps(adjustment_of(WAITING))])
        url = target.queues["adjustment"].url
        observed.wait_until(lambda: observed.in_queue(target, url) == 1, what="a message waits")
        assert queue_of(freshness(asker), "adjustment")["oldest_message_seconds"] is None
        target.client("cloudwatch").put_metric_data(
            Namespace="AWS/SQS",
            MetricData=[
                {
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": name}],
                    "Value": 77.0,
                }
            ],
        )
        said = freshness(asker)
    finally:
        lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
    waiting = queue_of(said, "adjustment")
    assert (waiting["messages"], waiting["oldest_message_seconds"]) == (1, 77)
    assert said["oldest_message_seconds"] == 77
    observed.drain(target)
    assert queue_of(freshness(asker), "adjustment")["messages"] == 0


def queue_of(said, stage):
    return next(each for each in said["queues"] if each["stage"] == stage)


def test_while_the_reducer_is_held_as_of_stands_still_and_every_answer_says_so(served, asker):
    """Then it catches up, and never goes back."""
    target, path = served.target, f"merchants/m-{WAITING}/balances"
    known = rfc3339(observed.pass_a_cut(target))
    seen, lags = [], []

    def look():
        answer = asker.ask(path)
        assert answer.status == 200
        said = answer.document
        seen.append(said["as_of"])
        return said

    with past.held_reducer(target):
        time.sleep(1.0)  # a batch that was under way
        before = look()
        assert before["as_of"] >= known
        observed.send(target, "adjustment", [json.dumps(late := held_back())])
        observed.wait_until(lambda: observed.in_flight(target) == 0, what="the late one on stream")
        for _ in range(4):
            observed.cut(target)
            time.sleep(1.0)
            said = look()
            lags.append(said["lag_seconds"])
            assert said["balances"] == before["balances"]
            assert freshness(asker)["as_of"] == before["as_of"]
            operations = asker.ask(f"merchants/m-{WAITING}/operations?limit=1").document
            assert operations["as_of"] is None or operations["as_of"] <= before["as_of"]
            assert story(asker, f"m-{WAITING}", uuid_of(late))["stages"][0]["counted_in"] is None
    assert set(seen) == {before["as_of"]}
    assert lags == sorted(lags)
    assert lags[-1] >= lags[0] + 3

    observed.wait_until(lambda: look()["as_of"] > before["as_of"], what="as_of moves")
    observed.pass_a_cut(target)
    after = look()
    assert seen == sorted(seen)
    (balance,) = after["balances"]
    (was,) = before["balances"]
    assert Decimal(balance["adjusted"]) - Decimal(was["adjusted"]) == Decimal("0.01")
    assert story(asker, f"m-{WAITING}", uuid_of(late))["stages"][0]["counted_in"] is not None


def held_back():
    return adjustment_of(WAITING) | {"adjustment_id": f"{WAITING}-late", "amount": "0.01"}


def uuid_of(adjustment):
    return uuid5_text(f"adjustment|{adjustment['adjustment_id']}")
