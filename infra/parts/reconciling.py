"""Reconciling: bank statements in a bucket are compared with the log every morning."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import METRICS, Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.schedule import Schedule

_NAME = "reconciler"
# A run that has not the time for everything new is continued by the next one; once every account
# has the day's report, the others end at once.
MORNING = "cron(30/15 6-9 * * ? *)"


class Reconciling(Construct):
    """The alarm is raised if an item is not reconciled in time, or if no run took place."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        balances: dynamodb.ITable,
        journal_bucket: LockedBucket,
        bank_statement_bucket: LockedBucket,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.reconciler = Function(
            self,
            "Reconciler",
            settings=settings,
            name=_NAME,
            kind=_NAME,
            handler="lambdas.reconciler.handler.lambda_handler",
            environment={
                "BALANCES_TABLE": balances.table_name,
                "JOURNAL_BUCKET": journal_bucket.bucket_name,
                "BANK_STATEMENT_BUCKET": bank_statement_bucket.bucket_name,
                "DAYS": str(settings.reconciling.days),
                "LOOK_BACK_DAYS": str(settings.reconciling.look_back_days),
            },
            layer=layer,
        )
        self._grant(balances, journal_bucket, bank_statement_bucket)
        Schedule(
            self,
            "Daily",
            settings=settings,
            name="reconciling",
            function=self.reconciler,
            expression=MORNING,
            event='{"only_unfinished": true}',
        )
        cloudwatch.Alarm(
            self,
            "NotReconciled",
            alarm_name=f"{settings.prefix}-not-reconciled",
            alarm_description="A bank statement differs from the log, cannot be read, or was not "
            "compared: see reports/ in the bucket of statements, and docs/audit.md.",
            metric=cloudwatch.Metric(
                namespace=METRICS,
                metric_name="NotReconciled",
                dimensions_map={"service": _NAME},
                statistic="Maximum",
                period=Duration.days(1),
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )

    def _grant(
        self,
        balances: dynamodb.ITable,
        journal_bucket: LockedBucket,
        bank_statement_bucket: LockedBucket,
    ) -> None:
        """It needs no permission for the log: the journals have everything that it compares."""
        self.reconciler.may(["dynamodb:GetItem", "dynamodb:Query"], [balances.table_arn])
        self.reconciler.may(["s3:ListBucket"], [journal_bucket.bucket.bucket_arn])
        self.reconciler.may_objects(
            ["s3:GetObject"],
            journal_bucket,
            "journal/*",
            because="It reads the pages of every shard; the prefix is fixed.",
        )
        self.reconciler.may(["s3:ListBucket"], [bank_statement_bucket.bucket.bucket_arn])
        self.reconciler.may_objects(
            ["s3:GetObject"],
            bank_statement_bucket,
            "statements/*",
            because="Files are called what banks and PSPs call them; the prefix is fixed.",
        )
        for prefix in ("comparisons", "settled"):
            self.reconciler.may_objects(
                ["s3:GetObject", "s3:PutObject"],
                bank_statement_bucket,
                f"{prefix}/*",
                because="Its own files are called by number or hash; the prefix is fixed.",
            )
        self.reconciler.may_objects(
            ["s3:PutObject"],
            bank_statement_bucket,
            "reports/*",
            because="A report's key is its account and day; the prefix is fixed.",
        )
