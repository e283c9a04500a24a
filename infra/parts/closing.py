"""Closing days: every balance that moved on a day, as its last quarter of an hour left it."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import METRICS, Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.schedule import Schedule

_NAME = "closer"
# Days end at midnight UTC; a run that has not the time for a day is continued by the next one.
NIGHTLY = "cron(0/15 0-5 * * ? *)"


class Closing(Construct):
    """A run that finds nothing to close makes two reads. An alarm is raised if a balance cannot be
    closed as its quarters and the journal say.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        balances: dynamodb.ITable,
        journal_bucket: LockedBucket,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.closer = Function(
            self,
            "Closer",
            settings=settings,
            name=_NAME,
            kind=_NAME,
            handler="lambdas.closer.handler.lambda_handler",
            environment={
                "BALANCES_TABLE": balances.table_name,
                "JOURNAL_BUCKET": journal_bucket.bucket_name,
            },
            layer=layer,
        )
        self.closer.may(
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"], [balances.table_arn]
        )
        self.closer.may(["s3:ListBucket"], [journal_bucket.bucket.bucket_arn])
        self.closer.may_objects(
            ["s3:GetObject"],
            journal_bucket,
            "journal/*",
            because="It reads the pages of every shard; the prefix is fixed.",
        )
        Schedule(
            self,
            "Days",
            settings=settings,
            name="closing",
            function=self.closer,
            expression=NIGHTLY,
        )
        cloudwatch.Alarm(
            self,
            "ClosingConflicts",
            alarm_name=f"{settings.prefix}-closed-otherwise",
            alarm_description="A day has another closing of a balance than its quarters give, or "
            "the journal says of a balance that it moved and its quarters do not: see the closer's "
            "log for merchant, balance and day, and docs/architecture.md.",
            metric=cloudwatch.Metric(
                namespace=METRICS,
                metric_name="ClosingConflicts",
                dimensions_map={"service": _NAME},
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
