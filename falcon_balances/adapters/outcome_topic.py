"""The topic on which the outcomes of payouts are announced, in SNS."""

from typing import TYPE_CHECKING

from falcon_balances.adapters.aws import aws_call
from falcon_balances.contracts.payouts import PayoutOutcomeV1

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class SnsOutcomeTopic:
    def __init__(self, sns: "SNSClient", topic_arn: str) -> None:
        self._sns = sns
        self._topic_arn = topic_arn

    def announce(self, outcome: PayoutOutcomeV1) -> None:
        """Subscribers can filter by the attribute `outcome`."""
        with aws_call(f"announce {outcome.outcome} of {outcome.falcon_operation_id}"):
            self._sns.publish(
                TopicArn=self._topic_arn,
                Message=outcome.model_dump_json(),
                MessageAttributes={
                    "outcome": {"DataType": "String", "StringValue": outcome.outcome}
                },
            )
