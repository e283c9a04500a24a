"""The three functions that both state machines share: splitter, persister, publisher."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket


class Writers(Construct):
    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: EnvironmentSettings,
        contexts: dynamodb.ITable,
        claims: dynamodb.ITable,
        balances: dynamodb.ITable,
        log_bucket: LockedBucket,
        stream: kinesis.IStream,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._layer = layer

        self.splitter = self._function("splitter", CONTEXT_TABLE=contexts.table_name)
        self.splitter.may(["dynamodb:BatchGetItem"], [contexts.table_arn])

        self.persister = self._function(
            "persister",
            CLAIMS_TABLE=claims.table_name,
            BALANCES_TABLE=balances.table_name,
            LOG_BUCKET=log_bucket.bucket_name,
        )
        self.persister.may(
            ["dynamodb:PutItem", "dynamodb:GetItem", "dynamodb:Query"], [claims.table_arn]
        )
        # It reads the blocks of refunds.
        self.persister.may(["dynamodb:GetItem"], [balances.table_arn])
        self.persister.may_objects(
            ["s3:PutObject", "s3:GetObject"],
            log_bucket,
            "*",
            because="It writes every key of the log, and reads back what it finds there already.",
        )

        self.publisher = self._function(
            "publisher",
            STREAM=stream.stream_name,
            CLAIMS_TABLE=claims.table_name,
            LOG_BUCKET=log_bucket.bucket_name,
        )
        self.publisher.may(["dynamodb:GetItem"], [claims.table_arn])
        self.publisher.may(["kinesis:PutRecords"], [stream.stream_arn])
        self.publisher.may_objects(
            ["s3:GetObject"],
            log_bucket,
            "*",
            because="It reads the versions of earlier revisions, whose keys have any merchant.",
        )

        self.tasks = {
            "SplitterArn": self.splitter,
            "PersisterArn": self.persister,
            "PublisherArn": self.publisher,
        }

    def _function(self, name: str, **environment: str) -> Function:
        return Function(
            self,
            name.capitalize(),
            settings=self._settings,
            name=name,
            kind=name,
            handler=f"lambdas.{name}.handler.lambda_handler",
            environment=environment,
            layer=self._layer,
        )
