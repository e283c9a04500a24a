"""The functions of the payouts' state machine, and the topic for their outcomes."""

from aws_cdk import Aws
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.environments.settings import EnvironmentSettings
from infra.parts.function import Function
from infra.parts.locked_bucket import LockedBucket
from infra.parts.log_reading import may_check


class Payouts(Construct):
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
        publisher: Function,
        layer: lambda_.ILayerVersion | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._layer = layer
        self.outcomes = sns.Topic(
            self,
            "Outcomes",
            topic_name=f"{settings.prefix}-payout-outcome-{Aws.REGION}",
            enforce_ssl=not settings.emulated,
        )
        tables = {"CLAIMS_TABLE": claims.table_name, "BALANCES_TABLE": balances.table_name}

        # TransactWriteItems is authorized as the writes that it consists of.
        log = {"LOG_BUCKET": log_bucket.bucket_name}
        decider = self._function("decider", **tables, **log, CONTEXT_TABLE=contexts.table_name)
        decider.may(
            ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"], [claims.table_arn]
        )
        decider.may(["dynamodb:PutItem", "dynamodb:UpdateItem"], [balances.table_arn])
        decider.may(["dynamodb:BatchGetItem"], [contexts.table_arn])
        may_check(decider, balances, log_bucket)

        logger = self._function("logger", **tables, **log)
        logger.may(["dynamodb:UpdateItem"], [claims.table_arn])
        logger.may_objects(
            ["s3:PutObject", "s3:GetObject"],
            log_bucket,
            "payout/*",
            because="It writes every payout, and reads back what it finds there already.",
        )

        announcer = self._function("announcer", **tables, OUTCOME_TOPIC_ARN=self.outcomes.topic_arn)
        announcer.may(["dynamodb:UpdateItem"], [claims.table_arn])
        announcer.may(["sns:Publish"], [self.outcomes.topic_arn])

        self.tasks = {
            "PayoutDeciderArn": decider,
            "PayoutLoggerArn": logger,
            "PublisherArn": publisher,
            "PayoutAnnouncerArn": announcer,
        }

    def _function(self, name: str, **environment: str) -> Function:
        return Function(
            self,
            name.capitalize(),
            settings=self._settings,
            name=f"payout-{name}",
            kind=f"payout-{name}",
            handler=f"lambdas.payout_{name}.handler.lambda_handler",
            environment=environment,
            layer=self._layer,
        )
