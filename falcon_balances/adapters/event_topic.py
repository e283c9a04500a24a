"""Publishes events to a stage's topic in SNS, in full batches, several at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from falcon_balances.domain.errors import TransientError

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# Limits of PublishBatch: https://docs.aws.amazon.com/sns/latest/api/API_PublishBatch.html
_ENTRIES_MAX = 10
MESSAGE_BYTES_MAX = 256 * 1024  # for one message, and for all messages of a batch together
_CONCURRENT = 4
_ATTEMPTS = 3


def publish(
    sns: "SNSClient", topic_arn: str, texts: list[str], advance: Callable[[int], None]
) -> None:
    """Publishes the texts. Raises TransientError if SNS refused a message three times."""
    with ThreadPoolExecutor(_CONCURRENT) as pool:
        for count in pool.map(partial(_publish_batch, sns, topic_arn), _batches(texts)):
            advance(count)


def _batches(texts: list[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        added = len(text.encode())
        if batch and (len(batch) == _ENTRIES_MAX or size + added > MESSAGE_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += added
    if batch:
        yield batch


def _publish_batch(sns: "SNSClient", topic_arn: str, batch: list[str]) -> int:
    pending = {str(number): text for number, text in enumerate(batch)}
    code: str | None = None
    for _ in range(_ATTEMPTS):
        answer = sns.publish_batch(
            TopicArn=topic_arn,
            PublishBatchRequestEntries=[
                {"Id": number, "Message": text} for number, text in pending.items()
            ],
        )
        failed = answer.get("Failed", [])
        if not failed:
            return len(batch)
        code = failed[0].get("Code")
        pending = {each["Id"]: pending[each["Id"]] for each in failed}
    raise TransientError(f"SNS refused {len(pending)} of the messages: {code}")
