"""A stage's queue in SQS: sets when failed messages come back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.stage_ports import FailedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SqsMessageQueue:
    def __init__(self, sqs: "SQSClient", queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def return_after(self, failed: Sequence[FailedMessage]) -> None:
        """One call per message, because few messages fail. If SQS refuses a call, its message comes
        back later, when the visibility timeout ends.
        """
        for message in failed:
            with aws_call("return a message"):
                self._sqs.change_message_visibility(
                    QueueUrl=self._queue_url,
                    ReceiptHandle=message.receipt_handle,
                    VisibilityTimeout=message.delay_s,
                )
