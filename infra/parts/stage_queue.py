"""A stage's queue between the PSPs' topic and the dispatcher. Its messages are money in flight."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.nag import acknowledge

# A failed message is received again after 30 s, 2 min, 8 min, then every half hour: 52 receives
# take a day.
MAX_RECEIVES = 52
# The maximum of SQS. It counts from a message's first enqueueing, even in a dead-letter queue.
RETENTION = Duration.days(14)


class StageQueue(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        stage: str,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.dead_letters = self._queue("DeadLetters", f"{stage}-dlq")
        self.queue = self._queue(
            "Queue",
            stage,
            visibility_timeout=Duration.seconds(
                settings.queue.visibility_s(settings.functions["dispatcher"].timeout_s)
            ),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.dead_letters, max_receive_count=MAX_RECEIVES
            ),
        )
        # For messages that SNS could not deliver to the queue in 23 days.
        undelivered = self._queue("Undelivered", f"{stage}-undelivered")
        topic.add_subscription(
            subscriptions.SqsSubscription(
                self.queue, raw_message_delivery=True, dead_letter_queue=undelivered
            )
        )
        for queue in (self.dead_letters, undelivered):
            acknowledge(
                queue,
                "AwsSolutions-SQS3",
                "Serverless-SQSRedrivePolicy",
                reason="It is a dead-letter queue itself; an operator drains it.",
            )

    def _queue(
        self,
        construct_id: str,
        name: str,
        *,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        settings = self._settings
        return sqs.Queue(
            self,
            construct_id,
            queue_name=f"{settings.prefix}-{name}",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=not settings.emulated,
            retention_period=RETENTION,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
            removal_policy=RemovalPolicy.RETAIN if settings.keeps_data else RemovalPolicy.DESTROY,
        )
