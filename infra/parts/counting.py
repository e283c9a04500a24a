"""From the stream to the balances: the reducer, and the cuts that say how far it is."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.nag import acknowledge


class Counting(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        stream: kinesis.IStream,
        balances: dynamodb.ITable,
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
                "QUARANTINE_BUCKET": quarantine_bucket.bucket_name,
                "STREAM": stream.stream_name,
            },
            layer=layer,
        )
        self._grant_counting(stream, balances, quarantine_bucket)
        self._read_the_stream(stream)

        self.cutter = Function(
            self,
            "Cutter",
            settings=settings,
            name="cutter",
            kind="cutter",
            handler="lambdas.reducer.cuts.lambda_handler",
            environment={"STREAM": stream.stream_name},
            layer=layer,
        )
        self.cutter.may(["kinesis:ListShards", "kinesis:PutRecord"], [stream.stream_arn])
        self._cut_every_minute()

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
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [balances.table_arn]
        )
        self.reducer.may_objects(
            ["s3:PutObject"],
            quarantine_bucket,
            "stream/*",
            because="A refused record's key has its date and hash; the prefix is fixed.",
        )

    def _read_the_stream(self, stream: kinesis.IStream) -> None:
        """One reducer per shard, retrying until it succeeds: skipping a record would lose money."""
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

    def _cut_every_minute(self) -> None:
        arn = self.cutter.function.function_arn
        role = iam.Role(
            self,
            "ScheduleRole",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com"),
            inline_policies={
                "grants": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[arn])
                    ]
                )
            },
        )
        scheduler.CfnSchedule(
            self,
            "EveryMinute",
            name=f"{self._settings.prefix}-cuts",
            schedule_expression="rate(1 minute)",
            flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
            target=scheduler.CfnSchedule.TargetProperty(
                arn=arn,
                role_arn=role.role_arn,
                retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                    maximum_event_age_in_seconds=60, maximum_retry_attempts=0
                ),
            ),
        )
        # A cut that failed lapses; the next minute's counts. Late ones would only say less.
        lapsing = lambda_.EventInvokeConfig(
            self,
            "CutsLapse",
            function=self.cutter.function,
            max_event_age=Duration.seconds(60),
            retry_attempts=0,
        )
        acknowledge(
            lapsing,
            "Serverless-LambdaAsyncFailureDestination",
            reason="A lost cut is replaced by the next minute's; as_of stands still until then.",
        )
