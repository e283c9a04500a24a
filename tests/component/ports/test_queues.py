"""What waits in the queues: counts as SQS has them, ages as CloudWatch knows them, nothing else."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import ANY, Stubber

from falcon_balances.adapters.aws import client
from falcon_balances.adapters.queues import SqsQueues
from falcon_balances.contracts.freshness_document import WaitingMessages
from falcon_balances.domain.errors import TransientError
from tests.component.world import utc

NOW = utc("2026-11-20T10:20:00")
STAGES = ("confirmed", "payout")


@pytest.fixture
def cloudwatch() -> Iterator[Stubber]:
    with Stubber(client("cloudwatch")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def urls(aws) -> dict[str, tuple[str, str]]:
    """Of each stage, a queue and its dead-letter queue, all empty."""

    def made(name: str) -> str:
        return client("sqs").create_queue(QueueName=name)["QueueUrl"]

    return {stage: (made(f"test-{stage}"), made(f"test-{stage}-dead")) for stage in STAGES}


def knows(cloudwatch: Stubber, ages: dict[str, list[float]], **expected: Any) -> None:
    results = [{"Id": stage, "Label": "-", "Values": values} for stage, values in ages.items()]
    asked = {"MetricDataQueries": ANY, "StartTime": ANY, "EndTime": NOW, "ScanBy": ANY}
    cloudwatch.add_response("get_metric_data", {"MetricDataResults": results}, asked | expected)


def look(urls: dict[str, tuple[str, str]]) -> list[WaitingMessages]:
    return list(SqsQueues(client("sqs"), client("cloudwatch"), urls).look(NOW))


def test_where_nothing_waits_all_is_zero_and_nothing_has_an_age(urls, cloudwatch):
    """What CloudWatch remembers of a queue that is empty now is the past."""
    knows(cloudwatch, {"confirmed": [240.0], "payout": []})
    assert look(urls) == [WaitingMessages(stage, 0, 0, None) for stage in STAGES]


def test_what_is_visible_worked_on_or_delayed_is_counted_and_the_dead_apart(urls, cloudwatch):
    sqs = client("sqs")
    queue, dead = urls["confirmed"]
    for n in range(4):
        sqs.send_message(QueueUrl=queue, MessageBody=str(n))
    assert len(sqs.receive_message(QueueUrl=queue, VisibilityTimeout=60)["Messages"]) == 1
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=60)
    sqs.send_message(QueueUrl=dead, MessageBody="dead")
    sqs.send_message(QueueUrl=urls["payout"][1], MessageBody="dead")
    knows(cloudwatch, {"confirmed": [61.0, 3000.0], "payout": [5.0]})
    assert look(urls) == [
        WaitingMessages("confirmed", 5, 1, 61),  # the newest of what CloudWatch knows
        WaitingMessages("payout", 0, 1, None),
    ]


@pytest.mark.parametrize("ages", [{}, {"confirmed": []}, {"payout": [7.0]}])
def test_an_age_that_is_not_known_is_none_and_not_zero(urls, cloudwatch, ages):
    client("sqs").send_message(QueueUrl=urls["confirmed"][0], MessageBody="1")
    knows(cloudwatch, ages)
    assert look(urls)[0] == WaitingMessages("confirmed", 1, 0, None)


def test_what_just_arrived_has_the_age_zero(urls, cloudwatch):
    client("sqs").send_message(QueueUrl=urls["confirmed"][0], MessageBody="1")
    knows(cloudwatch, {"confirmed": [0.0]})
    assert look(urls)[0].oldest_s == 0


def test_ages_are_asked_for_once_by_the_queues_names_newest_first(urls, cloudwatch):
    queries = [
        {
            "Id": stage,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": f"test-{stage}"}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for stage in STAGES
    ]
    knows(
        cloudwatch,
        {},
        MetricDataQueries=queries,
        StartTime=NOW - timedelta(minutes=10),
        ScanBy="TimestampDescending",
    )
    assert len(look(urls)) == 2


URLS = {"confirmed": ("https://secret/confirmed", "https://secret/confirmed-dead")}
FAILING = [("cloudwatch", "get_metric_data", "ages"), ("sqs", "get_queue_attributes", "messages")]


def look_at_nothing() -> list[WaitingMessages]:
    return look(URLS)


@pytest.mark.parametrize(("service", "operation", "named"), FAILING)
@pytest.mark.parametrize(
    "code", ["AccessDenied", "Throttling", "QueueDoesNotExist", "InternalError"]
)
def test_what_aws_refuses_is_transient(service, operation, named, code):
    with Stubber(client("sqs")) as sqs, Stubber(client("cloudwatch")) as cloudwatch:
        if service == "sqs":
            knows(cloudwatch, {"confirmed": [1.0]})
        for _ in range(2):
            stubber = sqs if service == "sqs" else cloudwatch
            stubber.add_client_error(operation, code, "secret")
        with pytest.raises(TransientError, match=code) as raised:
            look_at_nothing()
    assert named in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(("service", "operation", "named"), FAILING)
@pytest.mark.parametrize("error", [ReadTimeoutError, ConnectTimeoutError, EndpointConnectionError])
def test_an_answer_that_never_came_is_transient(service, operation, named, error):
    def never_answer(**_: object) -> None:
        raise error(endpoint_url="https://secret")

    failing = client(service)
    event = f"before-call.*.{''.join(word.title() for word in operation.split('_'))}"
    failing.meta.events.register(event, never_answer)
    with Stubber(client("cloudwatch")) as cloudwatch:
        if service == "sqs":
            knows(cloudwatch, {})
        else:
            cloudwatch.deactivate()
        try:
            with pytest.raises(TransientError, match=error.__name__) as raised:
                look_at_nothing()
        finally:
            failing.meta.events.unregister(event, never_answer)
            cloudwatch.activate()
    assert named in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_answer_that_lacks_one_queue_s_counts_is_no_answer(urls, cloudwatch):
    """One queue that cannot be read: no zero is made up for it."""
    knows(cloudwatch, {})
    client("sqs").delete_queue(QueueUrl=urls["payout"][1])
    with pytest.raises(TransientError, match="messages"):
        look(urls)
