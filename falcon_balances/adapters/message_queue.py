"""A stage's queue in SQS, as far as the dispatcher touches it: when failed messages come back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from falcon_balances.adapters.aws import aws_call
from falcon_balances.adapters.ports import FailedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_ENTRIES_MAX: Final = 10  # of ChangeMessageVisibilityBatch


class SqsMessageQueue:
    def __init__(self, sqs: "SQSClient", queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def return_after(self, failed: Sequence[FailedMessage]) -> None:
        """What SQS does not take comes back when its visibility timeout ends, only later."""
        for start in range(0, len(failed), _ENTRIES_MAX):
            batch = failed[start : start + _ENTRIES_MAX]
            with aws_call(f"return {len(batch)} messages"):
                self._sqs.change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {
                            "Id": str(number),
                            "ReceiptHandle": message.receipt_handle,
                            "VisibilityTimeout": message.delay_s,
                        }
                        for number, message in enumerate(batch)
                    ],
                )
