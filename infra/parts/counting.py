"""From the stream to the balances: the reducer, the cutter and the expirer."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import METRICS, Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.nag import acknowledge
from infra.parts.role_names import role_name
from infra.parts.schedule import Schedule


class Counting(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        stream: kinesis.IStream,
        balances: dynamodb.ITable,
        journal_bucket: LockedBucket,
        quarantine_bucket: LockedBucket,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.reducer = Function(
            self,
            "Reducer",
            settings=settings,
            name="reducer",
            kind="reducer",
            handler="lambdas.reducer.handler.lambda_handler",
            environment={
                "BALANCES_TABLE": balances.table_name,
                "JOURNAL_BUCKET": journal_bucket.bucket_name,
                "QUARANTINE_BUCKET": quarantine_bucket.bucket_name,
                "STREAM": stream.stream_name,
            },
            layer=layer,
            role_name=role_name(settings, "reducer"),
        )
        self._grant_counting(stream, balances, quarantine_bucket)
        self.reducer.may_objects(
            ["s3:PutObject"],
            journal_bucket,
            "journal/*",
            because="A page's key has its shard, number and hash; the prefix is fixed.",
        )
        self._read_the_stream(stream)
        cloudwatch.Alarm(
            self,
            "Parked",
            alarm_name=f"{settings.prefix}-records-parked",
            alarm_description="A record waits for an earlier revision, or for newer code, and "
            "as_of stands still: see parked/ in the quarantine, and docs/architecture.md.",
            metric=cloudwatch.Metric(
                namespace=METRICS,
                metric_name="RecordsParked",
                dimensions_map={"service": "reducer"},
                statistic="Sum",
                period=Duration.minutes(1),
            ),
            threshold=1,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

        self.cutter = Function(
            self,
            "Cutter",
            settings=settings,
            name="cutter",
            kind="cutter",
            handler="lambdas.cutter.handler.lambda_handler",
            environment={"STREAM": stream.stream_name},
            layer=layer,
        )
        self.cutter.may(["kinesis:ListShards", "kinesis:PutRecord"], [stream.stream_arn])
        Schedule(self, "Cuts", settings=settings, name="cuts", function=self.cutter)

        self.expirer = Function(
            self,
            "Expirer",
            settings=settings,
            name="expirer",
            kind="expirer",
            handler="lambdas.expirer.handler.lambda_handler",
            environment={"BALANCES_TABLE": balances.table_name},
            layer=layer,
        )
        self.expirer.may(["dynamodb:Query"], [f"{balances.table_arn}/index/by-expiry"])
        self.expirer.may(
            ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            [balances.table_arn],
        )
        Schedule(self, "Expiries", settings=settings, name="expiries", function=self.expirer)

    def _grant_counting(
        self, stream: kinesis.IStream, balances: dynamodb.ITable, quarantine_bucket: LockedBucket
    ) -> None:
        self.reducer.may(
            [
                "kinesis:DescribeStream",
                "kinesis:DescribeStreamSummary",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
            ],
            [stream.stream_arn],
        )
        # TransactWriteItems is authorized as the writes that it consists of.
        self.reducer.may(
            [
                "dynamodb:BatchGetItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            ],
            [balances.table_arn],
        )
        self.reducer.may_objects(
            ["s3:PutObject"],
            quarantine_bucket,
            "stream/*",
            because="A refused record's key has its date and hash; the prefix is fixed.",
        )
        self.reducer.may_objects(
            ["s3:PutObject"],
            quarantine_bucket,
            "parked/*",
            because="A parked record's key has its date and hash; the prefix is fixed.",
        )

    def _read_the_stream(self, stream: kinesis.IStream) -> None:
        """One reducer per shard, retried until it succeeds: skipping a record would lose money."""
        mapping = lambda_.CfnEventSourceMapping(
            self,
            "Reading",
            function_name=self.reducer.function.function_name,
            event_source_arn=stream.stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=self._settings.stream.batch_size,
            maximum_batching_window_in_seconds=self._settings.stream.window_s,
            parallelization_factor=1,
            maximum_retry_attempts=-1,
            maximum_record_age_in_seconds=-1,
            bisect_batch_on_function_error=False,
        )
        acknowledge(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            reason="Nothing is ever given up: the reducer quarantines what is not ours itself, and "
            "retries the rest until it is counted.",
        )
