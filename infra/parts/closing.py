"""Closing days: every balance that moved on a day, as its last quarter of an hour left it."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import METRICS, Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.log_reading import may_check
from infra.parts.schedule import Schedule

_NAME = "closer"
# Days end at midnight UTC. Runs of the day read what is closed by then, so that the night has only
# the last quarters to read; a run that has not the time is continued by the next one.
EVERY_QUARTER = "cron(0/15 * * * ? *)"
# Since the first day that is not closed began. In a night that closes its day, the smallest value
# is less than a day; without that night, the smallest of the next one is two days.
_AGE_MAX = Duration.hours(36)


class Closing(Construct):
    """A run reads the quarters that were closed since the last one. An alarm is raised if a balance
    cannot be closed as its quarters and the journal say, if the log has not what was counted of a
    merchant of high risk, and if a day is not closed in its night.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        balances: dynamodb.ITable,
        contexts: dynamodb.ITable,
        log_bucket: LockedBucket,
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
                "CONTEXT_TABLE": contexts.table_name,
                "LOG_BUCKET": log_bucket.bucket_name,
                "JOURNAL_BUCKET": journal_bucket.bucket_name,
            },
            layer=layer,
        )
        self.closer.may(["dynamodb:GetItem", "dynamodb:PutItem"], [balances.table_arn])
        self.closer.may(["dynamodb:BatchGetItem"], [contexts.table_arn])
        may_check(self.closer, balances, log_bucket)
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
            expression=EVERY_QUARTER,
        )
        self._alarm_at_once(
            "ClosingConflicts",
            f"{settings.prefix}-closed-otherwise",
            "A day has another closing of a balance than its quarters give, or "
            "the journal says of a balance that it moved and its quarters do not: see the closer's "
            "log for merchant, balance and day, and docs/architecture.md.",
        )
        self._alarm_at_once(
            "LogMismatch",
            f"{settings.prefix}-not-as-logged",
            "A segment of a merchant of high risk is counted, and not in the "
            "log, or otherwise: see the closer's log for its key, and docs/payouts.md. Nobody can "
            "spend more of it than the log has, unless `…-closing-unchecked` was raised too.",
        )
        self._alarm_at_once(
            "ClosingsUnchecked",
            f"{settings.prefix}-closing-unchecked",
            "The day of a merchant of high risk was closed without asking the "
            "log, so what moved on it can be spent as it was counted: see the closer's log for "
            "merchant, balance, day and reason, docs/payouts.md, and `falcon audit compare`.",
        )
        cloudwatch.Alarm(
            self,
            "ClosedDayAge",
            alarm_name=f"{settings.prefix}-day-not-closed",
            alarm_description="A day that ended more than 12 hours ago is not closed, or no run "
            "took place in a night: see the closer's log. Statements and past balances are right "
            "all the same, and read more quarters the longer it lasts.",
            metric=cloudwatch.Metric(
                namespace=METRICS,
                metric_name="ClosedDayAge",
                dimensions_map={"service": _NAME},
                statistic="Minimum",
                period=Duration.days(1),
            ),
            threshold=_AGE_MAX.to_seconds(),
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _alarm_at_once(self, metric: str, name: str, description: str) -> None:
        """The alarm is raised by a single one within a minute."""
        cloudwatch.Alarm(
            self,
            metric,
            alarm_name=name,
            alarm_description=description,
            metric=cloudwatch.Metric(
                namespace=METRICS,
                metric_name=metric,
                dimensions_map={"service": _NAME},
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
