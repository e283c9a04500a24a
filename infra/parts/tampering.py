"""Reports at once whatever S3 itself says was done to a bucket that only takes new objects."""

from collections.abc import Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.locked_bucket import LockedBucket

# No function of ours does any of these. A plain PUT cannot be told from the writer's own by its
# event: the bucket's policy refuses a second one.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
TAMPERING = (
    "s3:ObjectRemoved:*",
    "s3:LifecycleExpiration:*",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:CompleteMultipartUpload",
)


class Tampering(Construct):
    """A topic for these events, and an alarm as soon as one comes. Events that do not match cost
    nothing; through EventBridge, every object of the log would cost an event.

    S3 sends one test event when the buckets are created: the alarm sounds once then.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        buckets: Sequence[LockedBucket],
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self,
            "Topic",
            topic_name=f"{settings.prefix}-tampering-{Aws.REGION}",
            enforce_ssl=True,
        )
        allowed = self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="S3Reports",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                    "ArnEquals": {"aws:SourceArn": [each.arn for each in buckets]},
                },
            )
        )
        for each in buckets:
            self._report(each.bucket)
            if allowed.policy_dependable is not None:
                each.bucket.node.add_dependency(allowed.policy_dependable)
        cloudwatch.Alarm(
            self,
            "Reported",
            alarm_name=f"{settings.prefix}-tampering",
            alarm_description="An object of the log, a journal or the manifests was deleted, or "
            "copied into its bucket: subscribe to the topic, and run falcon audit verify.",
            metric=self.topic.metric_number_of_messages_published(
                period=Duration.minutes(1), statistic="Sum"
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _report(self, bucket: s3.Bucket) -> None:
        """Sets the bucket's own property: CDK's usual way needs a function that can change it."""
        resource = bucket.node.default_child
        if not isinstance(resource, s3.CfnBucket):
            raise TypeError("a bucket of CDK has a CfnBucket")
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            topic_configurations=[
                s3.CfnBucket.TopicConfigurationProperty(event=event, topic=self.topic.topic_arn)
                for event in TAMPERING
            ]
        )
