"""Messages that wait in the stages' queues: numbers from SQS, ages from CloudWatch."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.contracts.freshness_document import WaitingMessages

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sqs import SQSClient

_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
# SQS reports to CloudWatch every minute, a few minutes late.
_LOOK_BACK: Final = timedelta(minutes=10)
_PERIOD_S: Final = 60


def messages_in(sqs: "SQSClient", url: str) -> int:
    """The approximate number of messages that wait, are being processed, or will come back."""
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))
    return sum(int(answer["Attributes"][name]) for name in _COUNTS)


class SqsQueues:
    """`urls`: by stage, its queue and its dead-letter queue."""

    def __init__(
        self,
        sqs: "SQSClient",
        cloudwatch: "CloudWatchClient",
        urls: Mapping[str, tuple[str, str]],
    ) -> None:
        self._sqs = sqs
        self._cloudwatch = cloudwatch
        self._urls = urls

    def look(self, now: datetime) -> Sequence[WaitingMessages]:
        """Two concurrent calls per stage, and one for all ages."""
        ages = self._ages(now)
        every = [url for pair in self._urls.values() for url in pair]
        with ThreadPoolExecutor(len(every)) as pool:
            counts = dict(zip(every, pool.map(self._count, every), strict=True))
        return [
            WaitingMessages(
                stage, counts[url], counts[dead_url], ages.get(stage) if counts[url] else None
            )
            for stage, (url, dead_url) in self._urls.items()
        ]

    def _count(self, url: str) -> int:
        with aws_call("messages of a queue"):
            return messages_in(self._sqs, url)

    def _ages(self, now: datetime) -> dict[str, int]:
        """Ages by stage; a stage without data in CloudWatch is left out."""
        with aws_call("ages of messages"):
            answer = self._cloudwatch.get_metric_data(
                MetricDataQueries=[
                    {
                        "Id": stage,
                        "MetricStat": {
                            "Metric": {
                                "Namespace": "AWS/SQS",
                                "MetricName": "ApproximateAgeOfOldestMessage",
                                "Dimensions": [
                                    {"Name": "QueueName", "Value": url.rpartition("/")[2]}
                                ],
                            },
                            "Period": _PERIOD_S,
                            "Stat": "Maximum",
                        },
                    }
                    for stage, (url, _) in self._urls.items()
                ],
                StartTime=now - _LOOK_BACK,
                EndTime=now,
                ScanBy="TimestampDescending",
            )
        return {
            each["Id"]: int(each["Values"][0])
            for each in answer["MetricDataResults"]
            if each.get("Values")
        }
